#include "daemon/operations/engine_networks.hpp"

#include "common/json.hpp"
#include "daemon/operations/engine_http.hpp"
#include "daemon/operations/engine_json.hpp"
#include "daemon/operations/json_members.hpp"

#include <algorithm>

#include <unistd.h>

namespace netlab::operations {

namespace engine_json {

namespace {

using namespace json_members;

constexpr std::size_t short_id = 12;

bool truth_at(const object& parent, std::string_view name) {
    const auto* found = parent.if_contains(name);
    const auto* flag = found != nullptr ? found->if_bool() : nullptr;
    return flag != nullptr && *flag;
}

std::optional<IpPrefix> prefix_at(const object& parent, std::string_view name) {
    const auto text = text_at(parent, name);
    if (text.empty()) return std::nullopt;
    const auto prefix = IpPrefix::parse(text);
    return prefix ? std::optional(*prefix) : std::nullopt;
}

std::vector<api::NetworkSubnet> subnets(const object& ipam) {
    std::vector<api::NetworkSubnet> out;
    const auto* found = ipam.if_contains("Config");
    const auto* array = found != nullptr ? found->if_array() : nullptr;
    if (array == nullptr) return out;
    for (const auto& element : *array) {
        const auto* config = element.if_object();
        const auto subnet = config != nullptr ? prefix_at(*config, "Subnet") : std::nullopt;
        if (!subnet) continue;
        // Some versions give an IPv6 gateway with its prefix length.
        const auto gateway = prefix_at(*config, "Gateway");
        out.push_back({*subnet, gateway ? std::optional(gateway->address()) : std::nullopt,
                       prefix_at(*config, "IPRange")});
    }
    return out;
}

api::NetworkMember member(std::string_view id, const object& endpoint) {
    api::NetworkMember out;
    out.id = id.substr(0, longest_text);
    out.name = text_at(endpoint, "Name");
    for (const auto* name : {"IPv4Address", "IPv6Address"}) {
        if (const auto address = prefix_at(endpoint, name)) out.addresses.push_back(*address);
    }
    if (const auto mac = MacAddress::parse(text_at(endpoint, "MacAddress"))) out.mac = mac->to_string();
    return out;
}

std::optional<std::string> option(const api::NetworkRow& row, std::string_view name) {
    const auto found = std::ranges::find(row.options, name, &api::NetworkOption::name);
    if (found == row.options.end() || found->value.empty()) return std::nullopt;
    return found->value;
}

std::optional<api::NetworkRow> network(const value& any, api::Runtime runtime) {
    const auto* fields = any.if_object();
    if (fields == nullptr) return std::nullopt;
    api::NetworkRow row;
    row.engine = runtime;
    row.id = text_at(*fields, "Id");
    row.name = text_at(*fields, "Name");
    if (!is_proper_id(row.id) || row.name.empty()) return std::nullopt;
    row.driver = text_at(*fields, "Driver");
    row.scope = text_at(*fields, "Scope");
    row.internal = truth_at(*fields, "Internal");
    row.ipv6 = truth_at(*fields, "EnableIPv6");
    row.subnets = subnets(object_at(*fields, "IPAM"));
    for (const auto& entry : object_at(*fields, "Options"))
        row.options.push_back({std::string(entry.key()), text_of(entry.value(), longest_text)});
    for (const auto& entry : object_at(*fields, "Containers")) {
        if (const auto* endpoint = entry.value().if_object())
            row.members.push_back(member(entry.key(), *endpoint));
    }
    std::ranges::stable_sort(row.members, {}, &api::NetworkMember::name);
    if (row.driver == "bridge") {
        row.bridge = option(row, "com.docker.network.bridge.name");
        if (!row.bridge && runtime == api::Runtime::docker) row.bridge = "br-" + row.id.substr(0, short_id);
    }
    row.parent = option(row, "parent");
    return row;
}

}  // namespace

Result<api::NetworkRow> parse_network(std::string_view body, api::Runtime runtime) {
    const auto parsed = json::parse(body);
    auto row = parsed ? network(*parsed, runtime) : std::nullopt;
    if (!row) return Error{errc::protocol_error, "the engine's answer is no network", {}, {}};
    return *row;
}

Result<std::vector<api::NetworkRow>> parse_networks(std::string_view body, api::Runtime runtime) {
    const auto parsed = json::parse(body);
    const auto* array = parsed ? parsed->if_array() : nullptr;
    if (array == nullptr)
        return Error{errc::protocol_error, "the engine's answer is no list of networks", {}, {}};
    std::vector<api::NetworkRow> rows;
    for (const auto& element : *array) {
        if (auto row = network(element, runtime)) rows.push_back(std::move(*row));
    }
    std::ranges::stable_sort(rows, {}, &api::NetworkRow::name);
    return rows;
}

void take_libpod_names(std::string_view body, std::vector<api::NetworkRow>& networks) {
    const auto parsed = json::parse(body);
    const auto* array = parsed ? parsed->if_array() : nullptr;
    if (array == nullptr) return;
    for (const auto& element : *array) {
        const auto* fields = element.if_object();
        if (fields == nullptr) continue;
        const auto row = std::ranges::find(networks, text_at(*fields, "id"), &api::NetworkRow::id);
        if (row == networks.end()) continue;
        if (auto name = text_at(*fields, "name"); !name.empty()) row->name = std::move(name);
        auto interface = text_at(*fields, "network_interface");
        if (interface.empty()) continue;
        (row->driver == "bridge" ? row->bridge : row->parent) = std::move(interface);
    }
}

bool parse_running(std::string_view body) {
    const auto parsed = json::parse(body);
    const auto* container = parsed ? parsed->if_object() : nullptr;
    const auto* state = container ? container->if_contains("State") : nullptr;
    const auto* fields = state ? state->if_object() : nullptr;
    const auto* running = fields ? fields->if_contains("Running") : nullptr;
    return running != nullptr && running->is_bool() && running->get_bool();
}

}  // namespace engine_json

Engines::Engines(Namespaces& namespaces, const api::Context& context) {
    for (const auto& engine : context.engines) {
        auto socket = connect_engine(namespaces, engine.socket);
        const auto is_its = [&](const api::Target& target) { return target.runtime == engine.runtime; };
        const bool used =
            std::ranges::any_of(context.targets, is_its) || std::ranges::any_of(context.others, is_its);
        const bool absent = !socket && !used && ::access(engine.socket.c_str(), F_OK) != 0;
        engines_.push_back({engine.runtime, engine.socket, std::move(socket), absent});
    }
    // Where none is there at all, that is what is to be told.
    if (std::ranges::all_of(engines_, &Engine::absent)) {
        for (auto& engine : engines_)
            engine.absent = false;
    }
}

std::string Engines::name(std::size_t i) const {
    return std::string(described::enumerator_name(engines_[i].runtime));
}

Result<std::vector<api::NetworkRow>> Engines::networks(std::size_t i, bool members, Output& output) {
    auto& engine = engines_[i];
    if (!engine.socket) return engine.socket.error();
    EngineConnection connection(engine.socket->get(), output);
    connection.give_up_at(Output::Clock::now() + engine_patience);
    const auto list = connection.get("/networks");
    if (!list) return list.error();
    if (list->status != 200) {
        return Error{errc::engine_unavailable,
                     "the engine refuses to list its networks: status " + std::to_string(list->status) + " " +
                         engine_json::parse_message(list->body),
                     {},
                     {}};
    }
    auto rows = engine_json::parse_networks(list->body, engine.runtime);
    if (!rows) return rows;
    // Docker's list says no members.
    for (auto& row : *rows) {
        if (!members) break;
        const auto response = connection.get("/networks/" + row.id);
        if (!response) return response.error();
        if (response->status != 200) continue;  // it has just been removed
        if (auto whole = engine_json::parse_network(response->body, engine.runtime)) row = std::move(*whole);
    }
    if (engine.runtime == api::Runtime::podman) {
        const auto names = connection.get("/v4.0.0/libpod/networks/json");
        if (!names) return names.error();
        if (names->status == 200) engine_json::take_libpod_names(names->body, *rows);
    }
    return rows;
}

Result<bool> Engines::runs(std::size_t i, const std::string& id, Output& output) {
    auto& engine = engines_[i];
    if (!engine.socket) return engine.socket.error();
    EngineConnection connection(engine.socket->get(), output);
    connection.give_up_at(Output::Clock::now() + engine_patience);
    const auto response = connection.get("/containers/" + percent_encode(id) + "/json");
    if (!response) return response.error();
    return response->status == 200 && engine_json::parse_running(response->body);
}

}  // namespace netlab::operations
