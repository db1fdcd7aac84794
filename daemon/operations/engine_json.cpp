#include "daemon/operations/engine_json.hpp"

#include "common/binary.hpp"
#include "common/json.hpp"
#include "daemon/operations/json_members.hpp"

#include <algorithm>
#include <charconv>

namespace netlab::operations::engine_json {

namespace {

using boost::json::object;
using boost::json::value;
using namespace json_members;

constexpr std::size_t longest_path = 4096;
constexpr std::size_t most_bytes = 200 * 1024;  ///< of a record, below frame::largest
constexpr std::size_t largest_event = 1 << 20;
constexpr int deepest = 32;

std::string container_name(std::string name) {
    if (name.starts_with('/')) name.erase(0, 1);
    return name;
}

/// Podman has states of its own, which its compatible API does not always translate.
api::State state_of(std::string_view word) {
    using api::State;
    if (word == "running" || word == "stopping" || word == "up") return State::running;
    if (word == "paused") return State::paused;
    if (word == "restarting") return State::restarting;
    if (word == "removing") return State::removing;
    if (word == "exited" || word == "stopped") return State::exited;
    if (word == "created" || word == "configured" || word == "initialized") return State::created;
    return State::dead;
}

void take_address(const object& endpoint, std::string_view address_name, std::string_view length_name,
                  std::vector<IpPrefix>& out) {
    const auto address = address_at(endpoint, address_name);
    if (!address) return;
    auto length = number_at<unsigned>(endpoint, length_name);
    if (length == 0) length = address->is_v4() ? 32 : 128;
    if (const auto prefix = IpPrefix::make(*address, length)) out.push_back(*prefix);
}

api::Membership membership(std::string_view name, const object& endpoint) {
    api::Membership out;
    out.name = name.substr(0, longest_text);
    take_address(endpoint, "IPAddress", "IPPrefixLen", out.addresses);
    take_address(endpoint, "GlobalIPv6Address", "GlobalIPv6PrefixLen", out.addresses);
    out.gateway = address_at(endpoint, "Gateway");
    out.gateway_v6 = address_at(endpoint, "IPv6Gateway");
    if (const auto mac = MacAddress::parse(text_at(endpoint, "MacAddress"))) out.mac = mac->to_string();
    // Since Docker 25 what the DNS answers to is in DNSNames, and Aliases is what the user asked for.
    out.aliases = texts_at(endpoint, "Aliases");
    for (auto& dns_name : texts_at(endpoint, "DNSNames")) {
        if (std::ranges::find(out.aliases, dns_name) == out.aliases.end())
            out.aliases.push_back(std::move(dns_name));
    }
    return out;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, port);
    return error == std::errc{} && end == last && port != 0 ? std::optional(port) : std::nullopt;
}

/// "8080/tcp": null where it is exposed only, or an array of {"HostIp","HostPort"}.
void take_port(std::string_view key, const value& bindings, std::vector<api::PublishedPort>& out) {
    const auto slash = key.find('/');
    const auto container_port = parse_port(key.substr(0, slash));
    if (!container_port) return;
    api::PublishedPort port;
    port.container_port = *container_port;
    port.protocol = slash == key.npos ? std::string("tcp") : std::string(key.substr(slash + 1, 16));
    const auto* array = bindings.if_array();
    if (array == nullptr || array->empty()) return out.push_back(port);
    for (const auto& binding : *array) {
        const auto* fields = binding.if_object();
        if (fields == nullptr) continue;
        auto published = port;
        published.host_port = parse_port(text_at(*fields, "HostPort"));
        const auto host = IpAddress::parse(text_at(*fields, "HostIp"));
        // Podman leaves the address empty for "all of them".
        published.host_address = host ? *host : IpAddress();
        out.push_back(published);
    }
}

std::string label(const object& labels, std::initializer_list<std::string_view> names) {
    for (const auto name : names) {
        if (auto text = text_at(labels, name); !text.empty()) return text;
    }
    return {};
}

bool fits(const api::ContainerRecord& record) {
    return binary::encode(record).size() <= most_bytes;
}

/// Nothing that an engine says may break the stream to the front: what is least needed is left out.
void fit_into_frame(api::ContainerRecord& record) {
    if (fits(record)) return;
    for (auto& network : record.target.networks)
        network.aliases.clear();
    while (!fits(record) && !record.target.ports.empty())
        record.target.ports.resize(record.target.ports.size() / 2);
    while (!fits(record))
        record.target.networks.resize(record.target.networks.size() / 2);
}

void take_network_settings(const object& settings, api::ContainerRecord& record) {
    record.sandbox_path = text_at(settings, "SandboxKey", longest_path);
    for (const auto& network : object_at(settings, "Networks")) {
        const auto* endpoint = network.value().if_object();
        record.target.networks.push_back(
            membership(network.key(), endpoint != nullptr ? *endpoint : no_object()));
    }
    for (const auto& port : object_at(settings, "Ports"))
        take_port(port.key(), port.value(), record.target.ports);
    std::ranges::stable_sort(record.target.ports, {}, &api::PublishedPort::container_port);
}

void take_labels(const object& labels, api::ContainerRecord& record) {
    record.compose_project = label(labels, {"com.docker.compose.project", "io.podman.compose.project"});
    record.compose_service = label(labels, {"com.docker.compose.service", "io.podman.compose.service"});
}

Error odd(std::string_view what) {
    return {errc::protocol_error, "the engine's answer is no " + std::string(what), {}, {}};
}

boost::json::parse_options event_options() {
    boost::json::parse_options options;
    options.max_depth = deepest;
    return options;
}

}  // namespace

bool is_proper_id(std::string_view id) {
    return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '-' || c == '_';
    }) && id.front() != '.';
}

Result<api::ContainerRecord> parse_container(std::string_view body, api::Runtime runtime) {
    const auto parsed = json::parse(body);
    const auto* top = parsed ? parsed->if_object() : nullptr;
    if (top == nullptr) return odd("container");
    api::ContainerRecord record;
    auto& target = record.target;
    target.id = text_at(*top, "Id");
    target.name = container_name(text_at(*top, "Name"));
    if (!is_proper_id(target.id) || target.name.empty()) return odd("container");
    target.runtime = runtime;
    const auto& config = object_at(*top, "Config");
    target.image = text_at(config, "Image");
    const auto& state = object_at(*top, "State");
    target.state = state_of(text_at(state, "Status"));
    target.pid = std::max(0, number_at<std::int32_t>(state, "Pid"));
    target.network_mode = text_at(object_at(*top, "HostConfig"), "NetworkMode");
    // Before 26 Docker keeps the word that stood for the default bridge.
    if (target.network_mode == "default" && runtime == api::Runtime::docker) target.network_mode = "bridge";
    take_network_settings(object_at(*top, "NetworkSettings"), record);
    take_labels(object_at(config, "Labels"), record);
    fit_into_frame(record);
    return record;
}

Result<std::vector<ListedContainer>> parse_list(std::string_view body, api::Runtime runtime) {
    const auto parsed = json::parse(body);
    const auto* rows = parsed ? parsed->if_array() : nullptr;
    if (rows == nullptr) return odd("list of containers");
    std::vector<ListedContainer> out;
    for (const auto& row : *rows) {
        const auto* top = row.if_object();
        if (top == nullptr) continue;
        ListedContainer listed;
        listed.id = text_at(*top, "Id");
        if (!is_proper_id(listed.id)) continue;
        auto& target = listed.record.target;
        target.id = listed.id;
        target.runtime = runtime;
        target.image = text_at(*top, "Image");
        target.state = state_of(text_at(*top, "State"));
        for (const auto& name : texts_at(*top, "Names")) {
            // A legacy link shows as a further name, "/other/alias".
            if (auto own = container_name(name); own.find('/') == own.npos) target.name = std::move(own);
        }
        if (target.name.empty()) target.name = listed.id.substr(0, 12);
        out.push_back(std::move(listed));
    }
    return out;
}

std::optional<api::EngineRecord> parse_event(const boost::json::value& event, api::Runtime runtime) {
    using Kind = api::EngineRecordKind;
    const auto* top = event.if_object();
    if (top == nullptr) return std::nullopt;
    const auto type = text_at(*top, "Type");
    const auto action = text_at(*top, "Action");
    const auto& actor = object_at(*top, "Actor");
    api::EngineRecord record;
    record.kind = Kind::container_changed;
    if (type == "container") {
        // One may be told of an execution or a health check all the same: it changes nothing.
        if (action.starts_with("exec") || action.starts_with("health_status")) return std::nullopt;
        record.container = text_at(actor, "ID");
        if (action == "destroy" || action == "remove") record.kind = Kind::container_removed;
    } else if (type == "network" && (action == "connect" || action == "disconnect")) {
        // For Docker the network is the actor, for Podman the container.
        record.container = text_at(object_at(actor, "Attributes"), "container");
        if (record.container.empty() && runtime == api::Runtime::podman)
            record.container = text_at(actor, "ID");
    } else {
        return std::nullopt;
    }
    if (is_proper_id(record.container)) return record;
    record.container.clear();
    record.kind = Kind::networks_changed;
    return record;
}

std::string parse_message(std::string_view body) {
    const auto parsed = json::parse(body);
    const auto* top = parsed ? parsed->if_object() : nullptr;
    return top != nullptr ? text_at(*top, "message") : std::string();
}

ObjectStream::ObjectStream() : parser_({}, event_options()) {}

Result<std::vector<boost::json::value>> ObjectStream::feed(std::string_view bytes) {
    std::vector<boost::json::value> out;
    for (;;) {
        if (size_ == 0) bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
        if (bytes.empty()) return out;
        boost::system::error_code error;
        const auto taken = parser_.write_some(bytes.data(), bytes.size(), error);
        if (error) return odd("stream of JSON objects: " + error.message());
        size_ += taken;
        if (size_ > largest_event)
            return Error{errc::too_large, "one of the engine's events is too large", {}, {}};
        bytes.remove_prefix(taken);
        if (!parser_.done()) continue;
        out.push_back(parser_.release());
        parser_.reset();
        size_ = 0;
    }
}

}  // namespace netlab::operations::engine_json
