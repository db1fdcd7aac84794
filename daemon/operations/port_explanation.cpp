#include "daemon/operations/port_explanation.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/packet_explanation.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

using api::PortVerdict;

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return text;
}

std::string holder(const api::PortCarrier& carrier) {
    if (carrier.process && carrier.pid)
        return *carrier.process + ", PID " + std::to_string(*carrier.pid) + " on the host,";
    return "a process of the host";
}

bool is_answer(BlockedPacket kind) {
    return kind == BlockedPacket::answer_on_host || kind == BlockedPacket::answer_in_container ||
           kind == BlockedPacket::answer_of_host;
}

bool is_inside(BlockedPacket kind) {
    return kind == BlockedPacket::in_container || kind == BlockedPacket::answer_in_container;
}

/// Its flow is known by then.
bool is_of_flow(const PacketRole& role) {
    return is_answer(role.kind) || role.later;
}

/// "what comes from outside for 172.17.0.2:80"
std::string packet_words(const api::PortRow& row, const PacketRole& role, const kernel::PacketFacts& packet) {
    const auto from = endpoint_text(packet.source, packet.source_port);
    const auto to = endpoint_text(packet.destination, packet.destination_port);
    const std::string later = role.later ? ", behind the first packet" : "";
    switch (role.kind) {
        case BlockedPacket::answer_on_host:
        case BlockedPacket::answer_in_container:
            return "what " + row.target + " answers from " + from + later;
        case BlockedPacket::answer_of_host:
            return "what the host answers from " + from + later;
        case BlockedPacket::from_host:
            return "what the host itself sends to " + to + later;
        case BlockedPacket::on_host:
        case BlockedPacket::in_container:
            break;
    }
    return (role.named ? "what they send to " : "what comes from outside for ") + to + later;
}

/// A program of the host's has a command for a packet from outside alone.
std::optional<StoppedFlow> program_flow(const api::PortRow& row, const PacketRole& role,
                                        const kernel::PacketFacts& packet) {
    if (role.kind != BlockedPacket::on_host || role.later || !packet.input) return std::nullopt;
    return StoppedFlow{*packet.input, packet.output.value_or(""), row.protocol, packet.destination_port};
}

std::string host_end(const api::PortRow& row) {
    return endpoint_text(row.host_address.value_or(IpAddress()), row.host_port.value_or(0));
}

}  // namespace

std::string port_words(const api::PortRow& row, std::uint16_t port) {
    return upper(row.protocol) + " port " + std::to_string(port);
}

std::string restore_command(const api::PortRow& row) {
    const auto& owner = row.publisher.value_or(row.target);
    if (row.engine == api::Runtime::podman) return "podman network reload " + owner;
    // Who has joined its namespace stays in the old one.
    return "docker restart " + owner + (row.publisher ? " && docker restart " + row.target : "");
}

std::string restore_rules(const api::PortRow& row) {
    return restore_command(row) +
           (row.engine == api::Runtime::podman ? "" : "  # all of Docker's: systemctl restart docker");
}

std::string restore_chains(const api::PortRow& row) {
    return row.engine == api::Runtime::podman ? restore_command(row) : restore_dockers_chains();
}

Explanation explain_not_carried(const api::PortRow& row, bool chains_gone) {
    return {engine_name(row.engine) + " says that " + host_end(row) +
                " is published, and no rule and no process of the host leads to " + row.target +
                ": the rules may have been flushed",
            chains_gone ? restore_chains(row) : restore_rules(row)};
}

Explanation explain_shadowing_rule(const api::PortRow& row, const api::PortCarrier& carrier, bool nobody) {
    const auto& rule = *carrier.rule;
    auto text = place_of(rule) + " comes first and leads to " +
                (carrier.to ? endpoint_text(carrier.to->address, carrier.to->port) : std::string("the host"));
    if (carrier.owner) {
        text +=
            *carrier.owner == row.target ? ", another port of " + row.target : " (" + *carrier.owner + ")";
    } else {
        text += nobody ? ", which nobody has" : ", which no target that netlab knows has";
    }
    return {text, removal_of(rule)};
}

Explanation explain_redirected(const api::NatRule& rule, std::uint16_t port,
                               const std::optional<api::PortCarrier>& carrier) {
    auto text = place_of(rule) + " comes first and redirects it to port " + std::to_string(port) +
                " of the host, where ";
    if (!carrier) {
        text += "nothing takes it";
    } else {
        text += carrier->process && carrier->pid
                    ? *carrier->process + ", PID " + std::to_string(*carrier->pid) + ", has it"
                    : "a process has it";
    }
    return {text, removal_of(rule)};
}

Explanation explain_shadowing_process(const api::PortRow& row, const api::PortCarrier& carrier) {
    return {"no rule leads to " + row.target + ", and " + holder(carrier) + " has " + host_end(row),
            carrier.pid ? "end PID " + std::to_string(*carrier.pid) + ", or publish another port; then " +
                              restore_rules(row)
                        : restore_rules(row)};
}

Explanation explain_stale_proxy(const api::PortRow& row, const api::PortCarrier& carrier) {
    auto text = holder(carrier) + " leads to " +
                (carrier.to ? endpoint_text(carrier.to->address, carrier.to->port) : "another address");
    text += carrier.owner ? " (" + *carrier.owner + ")" : ", which is no address of " + row.target;
    return {text, restore_rules(row)};
}

Explanation explain_blocked(const api::PortRow& row, const api::Target& target, const PacketRole& role,
                            const kernel::FilterDecision& decision, const kernel::PacketFacts& packet,
                            const kernel::RuleChain* missed) {
    DroppedPacket dropped{packet_words(row, role, packet) + (role.later ? "," : ""), packet};
    dropped.protocol = row.protocol;
    dropped.engine = row.engine;
    if (is_inside(role.kind)) dropped.inside = &target;
    if (is_of_flow(role)) dropped.passes_by = PassesBy::flow;
    dropped.has_dnat = role.kind == BlockedPacket::on_host;
    dropped.program_flow = program_flow(row, role, packet);
    return explain_drop(dropped, decision, missed);
}

Explanation explain_sent_on(const api::Target& target, const api::NatRule& rule, const api::Endpoint& to) {
    return {place_of(rule) + " in " + target.name + " sends it on to " + endpoint_text(to.address, to.port),
            removal_of(rule, &target)};
}

Explanation explain_sent_elsewhere(const api::NatRule& rule, const api::Endpoint& to) {
    return {place_of(rule) + " of the host's sends elsewhere what its own programs send to " +
                endpoint_text(to.address, to.port) + ", docker-proxy, too: " + rule.text,
            removal_of(rule)};
}

Explanation explain_next_hop(const api::PortRow& row, const PacketRole& role,
                             const kernel::PacketFacts& packet, const Hindrance& hop) {
    return explain_next_hop(packet_words(row, role, packet), hop);
}

Explanation explain_unrouted(const api::PortRow& row, const PacketRole& role,
                             const kernel::PacketFacts& packet, const HostRoute& route,
                             const std::string& output) {
    return explain_unrouted(packet_words(row, role, packet), packet, route, output);
}

Explanation explain_not_forwarded(const std::string& interface, const std::string& setting) {
    return {"the host does not forward what comes in by " + interface +
                (setting.empty() ? std::string() : ": " + setting + " is 0"),
            is_plain_word(setting) ? "sysctl -w " + setting + "=1" : std::string()};
}

Explanation explain_lost_address(const api::PortRow& row, const IpAddress& address) {
    return {row.target + " does not have " + address.to_string() + ", which " + engine_name(row.engine) +
                " gave it and leads this port to",
            engine_command(row.engine) + " restart " + row.target};
}

Explanation explain_down(const api::PortRow& row, const std::string& interface) {
    const auto where = row.to ? row.to->address.to_string() : row.target;
    return {"the host's interface " + interface + ", which leads to " + where + ", is down",
            up_command(interface)};
}

Explanation explain_refused_back(const api::PortRow& row, const IpAddress& client, const Explanation& why) {
    return {row.target + " may not send its answers to " + client.to_string() +
                (why.explanation.empty() ? std::string() : ": " + why.explanation),
            why.suggestion};
}

Explanation explain_no_way_back(const api::PortRow& row, Family family) {
    return {row.target + " has no " + (family == Family::ipv4 ? "IPv4" : "IPv6") +
                " route to the outside: its answers to who comes from there do not leave",
            "netlab routes " + row.target + "  # shows what it has"};
}

}  // namespace netlab::operations
