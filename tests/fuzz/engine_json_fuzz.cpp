#include "common/binary.hpp"
#include "common/frame.hpp"
#include "common/json.hpp"
#include "daemon/operations/docker_upstreams.hpp"
#include "daemon/operations/engine_json.hpp"
#include "daemon/operations/engine_networks.hpp"
#include "tests/fuzz/check.hpp"

/// What an engine answers; much of it is what the user of a container wrote. The first byte says to which
/// question and of which engine, of a stream also into which pieces it is cut.

using namespace netlab;
using namespace netlab::fuzz;
using namespace netlab::operations;

namespace {

void check_record(const api::ContainerRecord& record) {
    check(engine_json::is_proper_id(record.target.id));
    check(binary::encode(record).size() <= frame::largest);
}

void check_network(const api::NetworkRow& row) {
    check(engine_json::is_proper_id(row.id) && !row.name.empty());
    check(json::parse(json::write(row)).has_value());
}

void follow_events(std::string_view text, std::size_t piece, api::Runtime runtime) {
    engine_json::ObjectStream objects;
    while (!text.empty()) {
        const auto events = objects.feed(text.substr(0, piece));
        if (!events) return;
        text.remove_prefix(std::min(piece, text.size()));
        for (const auto& event : *events) {
            if (const auto record = engine_json::parse_event(event, runtime))
                check(record->container.empty() || engine_json::is_proper_id(record->container));
        }
    }
}

void list_networks(std::string_view text, api::Runtime runtime) {
    auto rows = engine_json::parse_networks(text, runtime);
    if (!rows) return;
    // The two lists of Podman are two answers of the same engine.
    engine_json::take_libpod_names(text, *rows);
    for (const auto& row : *rows)
        check_network(row);
}

/// Whom Docker's resolver asks, by a container's and the engine's own words.
void list_upstreams(std::string_view text) {
    constexpr std::size_t most = 3;  // of a resolv.conf, as Docker writes it
    UpstreamSources sources;
    sources.container = parse_container_dns(text);
    sources.arguments.emplace().dns = parse_daemon_dns(text);
    sources.daemon_json = text;
    const auto upstreams = docker_upstreams(sources);
    check(upstreams.servers.size() <= most && (sources.container || upstreams.servers.empty()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto runtime = data[0] % 2 == 0 ? api::Runtime::docker : api::Runtime::podman;
    const auto text = as_text({data + 1, size - 1});
    switch (data[0] / 2 % 6) {
        case 0:
            if (const auto record = engine_json::parse_container(text, runtime)) check_record(*record);
            break;
        case 1:
            if (const auto listed = engine_json::parse_list(text, runtime)) {
                for (const auto& one : *listed)
                    check_record(one.record);
            }
            break;
        case 2:
            follow_events(text, data[0] / 12U + std::size_t{1}, runtime);
            break;
        case 3:
            list_networks(text, runtime);
            break;
        case 4:
            if (const auto row = engine_json::parse_network(text, runtime)) check_network(*row);
            break;
        default:
            (void)engine_json::parse_message(text);
            (void)engine_json::parse_running(text);
            list_upstreams(text);
            break;
    }
    return 0;
}
