#include "common/api/watch.hpp"
#include "common/binary.hpp"
#include "daemon/front/frames.hpp"
#include "daemon/front/references.hpp"
#include "daemon/targets/registry.hpp"
#include "tests/fuzz/check.hpp"

#include <string>

/// A worker's stream as the front takes it apart, and what the records of the daemon's own watchers do to the
/// registry: a worker reads what containers wrote. The first byte says whose records they are and into which
/// pieces the stream is cut.

using namespace netlab;
using namespace netlab::fuzz;
using front::Frames;

namespace {

/// What the stream says, with its pieces of data joined, and its records.
struct Said {
    std::string text;
    std::vector<std::vector<std::byte>> records;
};

Said read(std::span<const std::byte> bytes, std::size_t piece) {
    Said said;
    Frames frames;
    while (!bytes.empty()) {
        auto input = bytes.first(std::min(piece, bytes.size()));
        bytes = bytes.subspan(input.size());
        for (;;) {
            const auto one = frames.next(input);
            if (one.kind == Frames::Kind::none) break;
            if (one.kind == Frames::Kind::broken) {
                check(frames.next(input).kind == Frames::Kind::broken);
                said.text += "broken";
                return said;
            }
            said.text.append(reinterpret_cast<const char*>(one.bytes.data()), one.bytes.size());
            if (one.kind == Frames::Kind::data) continue;
            said.text += std::to_string(static_cast<int>(one.kind)) + " " + std::to_string(one.code);
            if (one.kind == Frames::Kind::record)
                said.records.emplace_back(one.bytes.begin(), one.bytes.end());
        }
        check(input.empty());
    }
    return said;
}

/// Every question that a request may make of the registry.
void ask(const targets::Registry& registry) {
    const auto from = registry.list().empty() ? api::Target{} : registry.list().front();
    for (const auto& target : registry.list()) {
        for (const auto& word : {target.name, target.id, std::string(target.id.substr(0, 4))}) {
            const auto found = registry.resolve(word);
            if (found) (void)front::launcher_reference(found->reference);
            (void)registry.find_peer(word, from);
        }
        for (const auto& network : target.networks) {
            (void)registry.members(network.name);
            for (const auto& prefix : network.addresses)
                (void)registry.find_peer(prefix.address().to_string(), from);
        }
    }
    (void)registry.similar("co1");
    for (const auto& one : registry.namespaces())
        check(one.target.namespace_.has_value());
}

template <class Record>
std::vector<Record> decode(const Said& said) {
    std::vector<Record> out;
    for (const auto& bytes : said.records) {
        auto record = binary::decode<Record>(bytes);
        if (!record) break;
        out.push_back(std::move(*record));
    }
    return out;
}

void apply(targets::Registry& registry, const Said& said, unsigned watcher) {
    const targets::Engine engine{api::Runtime::docker, "/run/docker.sock"};
    if (watcher == 0) {
        const auto records = decode<api::ContainerRecord>(said);
        for (const auto& record : records)
            registry.apply(engine, record);
        registry.replace(engine, records);
    } else if (watcher == 3) {
        for (const auto& record : decode<api::EngineRecord>(said)) {
            registry.set_state(engine, {record.kind == api::EngineRecordKind::up, record.message});
            if (record.kind == api::EngineRecordKind::container_removed) registry.remove(record.container);
        }
    } else {
        if (watcher == 1) registry.begin_namespaces();
        for (const auto& record : decode<api::NamespaceRecord>(said))
            registry.apply(record);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    const auto said = read(bytes, std::size_t{data[0] / 4U} + 1);
    const auto whole = read(bytes, bytes.size() + 1);
    check(said.text == whole.text && said.records == whole.records);
    targets::Registry registry;
    // One that is there before: named as the seeds' are.
    api::ContainerRecord known;
    known.target.name = known.target.id = "co1";
    known.target.state = api::State::running;
    known.target.pid = 1;
    registry.apply({api::Runtime::docker, "/run/docker.sock"}, known);
    (void)registry.take_unidentified();
    apply(registry, said, data[0] % 4U);
    ask(registry);
    for (const auto& one : registry.take_unidentified())
        registry.identify_again(one.key);
    return 0;
}
