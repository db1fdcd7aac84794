#include "common/api/catalogue.hpp"
#include "common/api/context.hpp"
#include "common/binary.hpp"
#include "common/frame.hpp"
#include "common/json.hpp"
#include "daemon/launcher/protocol.hpp"
#include "tests/unit/packet_text_samples.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>

/// Seeds out of the catalogue, so that a new row has its own: each request with nothing but defaults and with
/// something in every member. And out of what the unit tests have. usage: catalogue_seeds
/// http|launch|codec|frames|packet_text DIRECTORY

using namespace netlab;

namespace {

/// Something in every member. Words are names that the fuzzer's registry has.
template <class T>
T filled() {
    T out{};
    if constexpr (described::is_optional<T>) {
        out = filled<typename T::value_type>();
    } else if constexpr (described::is_vector<T>) {
        out.push_back(filled<typename T::value_type>());
    } else if constexpr (std::same_as<T, bool>) {
        out = true;
    } else if constexpr (std::integral<T> || std::floating_point<T>) {
        out = 1;
    } else if constexpr (std::same_as<T, std::string>) {
        out = "co1";
    } else if constexpr (described::Enum<T>) {
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>(
            [&](auto enumerator) { out = enumerator.value; });
    } else if constexpr (std::same_as<T, IpPrefix>) {
        out = *IpPrefix::parse("172.18.0.2/16");
    } else if constexpr (described::Text<T>) {
        out = *T::parse("172.18.0.2");
    } else {
        boost::mp11::mp_for_each<described::members<T>>([&](auto member) {
            auto& field = out.*member.pointer;
            field = filled<std::remove_cvref_t<decltype(field)>>();
        });
    }
    return out;
}

class Seeds {
  public:
    explicit Seeds(std::string directory) : directory_(std::move(directory)) {}

    /// `prefix` is the byte by which a fuzzer chooses.
    void write(const std::string& name, char prefix, std::string_view bytes) const {
        std::ofstream file(directory_ + "/" + name, std::ios::binary);
        file << prefix << bytes;
        if (!file) throw std::runtime_error("cannot write " + name);
    }
    void write(const std::string& name, char prefix, std::span<const std::byte> bytes) const {
        write(name, prefix, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }

  private:
    std::string directory_;
};

template <class R>
std::string http_request(const api::Row<R>& row, std::string_view body) {
    std::string out = row.verb == api::Verb::get ? "GET " : "POST ";
    out.append(row.path).append(" HTTP/1.1\r\nHost: netlab\r\n");
    if (row.verb == api::Verb::get) return out + "\r\n";
    out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
    return out.append(body);
}

/// A request that would be started: only words that say where, and one destination.
template <class R>
R modest(const api::Row<R>& row) {
    R request{};
    if (row.target != nullptr) request.*row.target = "co1";
    if (row.peer != nullptr) request.*row.peer = "co2";
    if (row.targets != nullptr) request.*row.targets = {"co1", "host"};
    if (row.points != nullptr) request.*row.points = {"co1:eth0@veth", "net:net"};
    return request;
}

template <class R>
void http_seeds(const Seeds& seeds, const api::Row<R>& row) {
    const std::string name(row.name);
    const auto write = [&](const char* what, const R& request) {
        seeds.write("seed-" + name + what, '\xFE', http_request(row, json::write(request)));
    };
    auto request = modest(row);
    write("-modest", request);
    if (row.all != nullptr) {
        request.*row.targets = {};
        request.*row.all = true;
        write("-all", request);
        request.*row.all = false;
    }
    if (row.network != nullptr) {
        request.*row.network = "net";
        write("-network", request);
    }
    if (row.published_port != nullptr) {
        request.*row.peer = "host";
        request.*row.published_port = 8080;
        write("-published", request);
    }
    write("-filled", filled<R>());
    seeds.write("seed-" + name + "-twice", '\x10',
                http_request(row, json::write(modest(row))) + http_request(row, "{}"));
}
template <class R>
void http_seeds(const Seeds&, const api::InternalRow<R>&) {}

template <class R>
void launch_seed(const Seeds& seeds, const std::string& name, const api::Order<R>& order,
                 std::span<const launcher::NamespaceReference> references) {
    launcher::LaunchHeader header;
    header.operation = api::operation_number<R>();
    header.deadline_ms = 10'000;
    const auto packet = launcher::make_launch(header, references, binary::encode(order));
    seeds.write(name, '\1', *packet);
    seeds.write(name + "-fitted", '\0', *packet);
}

template <class R>
void launch_seeds(const Seeds& seeds, std::string_view row) {
    launcher::NamespaceReference host;
    auto path = host;
    path.way = launcher::Way::path;
    path.pid = 4242;
    std::ranges::copy(std::string_view("/run/docker/netns/co1"), path.path.begin());
    auto process = host;
    process.way = launcher::Way::process;
    process.pid = 4242;
    const std::array references{path, process, host};
    launch_seed<R>(seeds, "seed-" + std::string(row), {}, {});
    launch_seed<R>(seeds, "seed-" + std::string(row) + "-filled", {filled<api::Context>(), filled<R>()},
                   references);
}

/// What is no message to the launcher, or one that it refuses; and what a worker asks of it.
void refused_seeds(const Seeds& seeds) {
    launcher::LaunchHeader header;
    const auto packet = *launcher::make_launch(header, {}, {});
    seeds.write("refused-short", '\1', std::span(packet).first(5));
    auto longer = packet;
    longer.push_back({});
    seeds.write("refused-long", '\1', longer);
    longer[0] = {};
    seeds.write("refused-magic", '\1', longer);
    launcher::NamespaceReference process;
    process.way = launcher::Way::process;
    process.pid = 4242;
    auto unended = process;
    unended.way = launcher::Way::path;
    unended.path.fill('/');
    auto behind = unended;
    behind.path[5] = '\0';
    behind.path.back() = '\0';
    auto negative = process;
    negative.pid = -1;
    auto unknown = process;
    unknown.way = static_cast<launcher::Way>(9);
    int number = 0;
    for (const auto& reference : {process, unended, behind, negative, unknown})
        seeds.write("refused-reference-" + std::to_string(number++), '\1',
                    *launcher::make_launch(header, std::span(&reference, 1), {}));
    const launcher::PeerQuestion question{launcher::peer_magic, 0, 7};
    seeds.write("question", '\1', std::as_bytes(std::span(&question, 1)));
}

template <class T>
void codec_seeds(const Seeds& seeds, std::string_view name, char prefix) {
    seeds.write("seed-" + std::string(name) + "-bytes", prefix, binary::encode(filled<T>()));
    seeds.write("seed-" + std::string(name) + "-json", prefix, json::write(filled<T>()));
}

/// JSON that is no such request: each kind where another is wanted, and a name that nobody knows.
template <class R>
void wrong_seeds(const Seeds& seeds, std::string_view name, char prefix) {
    const auto right = json::encode(filled<R>());
    int number = 0;
    const auto write = [&](const boost::json::value& wrong) {
        seeds.write("wrong-" + std::string(name) + "-" + std::to_string(number++), prefix,
                    json::write(wrong));
    };
    const boost::json::value others[] = {
        nullptr, true, 0.5, "x", boost::json::array{}, boost::json::object{}};
    if (!right.as_object().empty()) {
        const std::string member(right.as_object().begin()->key());
        for (const auto& other : others) {
            auto wrong = right.as_object();
            wrong[member] = other;
            write(wrong);
        }
        auto misspelt = right.as_object();
        misspelt[member + "x"] = 1;
        write(misspelt);
    }
    for (const auto& other : others)
        write(other);
}

void packet_seeds(const Seeds& seeds) {
    using operations::LinkType;
    int number = 0;
    for (const auto& sample : test::packet_samples()) {
        // By which place in its list the fuzzer has them.
        const char link = sample.link == LinkType::ethernet ? '\0'
                          : sample.link == LinkType::raw_ip ? '\1'
                                                            : '\2';
        const std::string_view bytes(reinterpret_cast<const char*>(sample.bytes.data()), sample.bytes.size());
        const auto name = "sample-" + std::to_string(number++);
        seeds.write(name, link, bytes);
        // As a snap length leaves it: 0x40 says so, and the place is the same.
        seeds.write(name + "-cut", static_cast<char>(link + 0x42), bytes.substr(0, bytes.size() * 3 / 4));
    }
}

template <class R>
void row_seeds(const std::string& fuzzer, const Seeds& seeds, const auto& row, char number) {
    if (fuzzer == "http") http_seeds(seeds, row);
    if (fuzzer == "launch") launch_seeds<R>(seeds, row.name);
    if (fuzzer == "codec") codec_seeds<R>(seeds, row.name, number);
    if (fuzzer == "codec") wrong_seeds<R>(seeds, row.name, number);
}

std::string frame_of(frame::Kind kind, std::string_view payload) {
    const frame::Header header{kind, static_cast<std::uint32_t>(payload.size())};
    std::string out(reinterpret_cast<const char*>(&header), sizeof header);
    return out.append(payload);
}

template <class T>
std::string record_of(const T& record) {
    const auto bytes = binary::encode(record);
    return frame_of(frame::Kind::record, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void frame_seeds(const Seeds& seeds) {
    const auto end = frame_of(frame::Kind::end, {});
    auto container = filled<api::ContainerRecord>();
    container.gone = false;
    auto other = container;
    other.target.id = "co2";
    other.target.network_mode = "container:co1";
    auto named = filled<api::NamespaceRecord>();
    named.removed = named.complete = false;
    named.id = "/run/netns/blue";
    auto host = named;
    host.id.clear();
    api::NamespaceRecord mark;
    mark.complete = true;
    // More than the launcher has room for.
    auto far = named;
    far.id = "/run/netns/" + std::string(300, 'x');
    auto identified = named;
    identified.id = "co1";
    // Which watcher's records they are is the fuzzer's first byte.
    seeds.write("seed-containers", '\x40', record_of(container) + record_of(other) + end);
    seeds.write("seed-gone", '\x40', record_of(container) + record_of(filled<api::ContainerRecord>()) + end);
    seeds.write("seed-namespaces", '\x41', record_of(named) + record_of(host) + record_of(mark) + end);
    seeds.write("seed-far", '\x41', record_of(far) + end);
    seeds.write("seed-identified", '\x42', record_of(identified) + end);
    seeds.write("seed-engine", '\x43', record_of(filled<api::EngineRecord>()) + end);
    const std::string counts(sizeof(frame::Counts), '\1');
    const std::string error("\1\0{\"error\":{\"code\":\"bad_request\"}}", 34);
    seeds.write("seed-body", '\x04',
                frame_of(frame::Kind::data, "{}\n") + frame_of(frame::Kind::data, {}) +
                    frame_of(frame::Kind::counts, counts) + frame_of(frame::Kind::error, error) + end);
}

}  // namespace

int main(int count, char** words) {
    if (count != 3) {
        std::cerr << "usage: catalogue_seeds http|launch|codec|frames|packet_text DIRECTORY\n";
        return 2;
    }
    const std::string fuzzer = words[1];
    const Seeds seeds(words[2]);
    char number = 0;
    std::apply(
        [&](const auto&... row) {
            (row_seeds<typename std::remove_cvref_t<decltype(row)>::Request>(fuzzer, seeds, row, number++),
             ...);
        },
        api::catalogue);
    if (fuzzer == "frames") frame_seeds(seeds);
    if (fuzzer == "launch") refused_seeds(seeds);
    if (fuzzer == "packet_text") packet_seeds(seeds);
    if (fuzzer == "codec") {
        codec_seeds<api::Context>(seeds, "context", number++);
        codec_seeds<api::ContainerRecord>(seeds, "container", number++);
        codec_seeds<api::NamespaceRecord>(seeds, "namespace", number++);
        codec_seeds<api::EngineRecord>(seeds, "engine", number++);
    }
    return 0;
}
