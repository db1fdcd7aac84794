#include "daemon/operations/ping_explanation.hpp"

#include "daemon/operations/icmp.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <cmath>

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

namespace netlab::operations {

namespace {

using api::State;
using api::Target;

std::string ms(double value) {
    auto text = std::to_string(std::round(value * 1000) / 1000);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text + " ms";
}

std::string command_with(const api::PingRequest& request, const std::string& options) {
    return "netlab ping " + request.from + " " + request.to + " " + options;
}

/// Header bytes in front of an echo's payload.
std::uint32_t headers(Family family) {
    return (family == Family::ipv4 ? 20U : 40U) + std::uint32_t{icmp::header_size};
}

std::optional<Explanation> too_big(const api::PingRequest& request, const EchoFacts& facts) {
    if (!facts.error || !facts.error->mtu || *facts.error->mtu == 0) return std::nullopt;
    const auto mtu = *facts.error->mtu;
    const auto around = headers(facts.address.family());
    if (mtu <= around || request.payload + around <= mtu) return std::nullopt;
    return Explanation{"the way to " + facts.address.to_string() + " takes packets of " +
                           std::to_string(mtu) + " bytes at most, and these have " +
                           std::to_string(request.payload + around),
                       command_with(request, "-s " + std::to_string(mtu - around))};
}

/// FROM's own kernel said "host unreachable": nobody answered its ARP or neighbour solicitation.
bool neighbour_failed(const EchoFacts& facts) {
    if (!facts.error || !facts.error->from || facts.error->from != facts.source) return false;
    const auto type = facts.error->icmp_type.value_or(0);
    const auto code = facts.error->icmp_code.value_or(0);
    if (facts.address.is_v4()) return type == ICMP_DEST_UNREACH && code == ICMP_HOST_UNREACH;
    return type == ICMP6_DST_UNREACH && code == ICMP6_DST_UNREACH_ADDR;
}

/// What the memberships of the two say about silence or a missing route between them.
Explanation between(const Target& from, const Target& peer, const EchoFacts& facts) {
    if (auto apart = explain_apart(from, peer)) return *apart;
    if (facts.counts.errors > 0 || !are_on_networks(from, peer)) return {};
    const auto shared = shared_networks(from, peer);
    return {from.name + " and " + peer.name + " are both on " + list_and(shared) +
                ", so something on the way or in " + peer.name +
                " drops the echoes; netlab has not seen what",
            {}};
}

Explanation no_reply_in_time(const api::PingRequest& request, const EchoFacts& facts) {
    const auto late = facts.counts.late;
    return {
        (late == facts.counts.transmitted ? std::string("every reply") : std::to_string(late) + " replies") +
            " came later than the wait of " + ms(request.wait_ms),
        command_with(request,
                     "-W " + std::to_string(static_cast<unsigned>(std::ceil(request.wait_ms / 500))))};
}

Explanation none_received(const api::Context& context, const api::PingRequest& request,
                          const EchoFacts& facts) {
    if (facts.counts.late > 0) return no_reply_in_time(request, facts);
    if (facts.counts.corrupt > 0) return {"replies came, but with other bytes than those that were sent", {}};
    if (auto e = too_big(request, facts)) return *e;
    Explanation known;
    const auto* from = context.targets.empty() ? nullptr : &context.targets.front();
    if (from != nullptr && context.peer && facts.peer_address) known = between(*from, *context.peer, facts);
    const auto address = facts.address.to_string();
    const auto from_name = from != nullptr ? from->name : request.from;
    if (facts.no_route) {
        const auto text = from_name + " has no route to " + address;
        return {known.explanation.empty() ? text : text + ": " + known.explanation, known.suggestion};
    }
    if (facts.prohibited) {
        return {"a route or a policy rule of " + from_name + " prohibits packets to " + address,
                "netlab route " + request.from + " " + address};
    }
    if (facts.no_neighbour || neighbour_failed(facts)) {
        const auto* asked =
            facts.address.is_v4() ? " has answered ARP for " : " has answered neighbour solicitations for ";
        return {
            "nobody" + (from != nullptr ? on_network(*from, facts.address) : std::string{}) + asked + address,
            {}};
    }
    const bool rejected =
        facts.error && facts.error->from && facts.error->message.find("prohibited") != std::string::npos;
    const bool port = facts.error && facts.error->from && facts.error->message == "port unreachable";
    if (known.explanation.empty() && (rejected || port)) {
        const auto who = facts.error->from->to_string();
        return {port ? "an echo has no port: a firewall at " + who + " rejects it"
                     : "a rule at " + who + " rejects it",
                {}};
    }
    return known;
}

}  // namespace

Explanation explain_echoes(const api::Context& context, const api::PingRequest& request,
                           const EchoFacts& facts) {
    if (facts.counts.received == 0 && facts.counts.transmitted > 0)
        return none_received(context, request, facts);
    if (facts.peer_address && context.peer && context.peer->state == State::paused) {
        return {context.peer->name + " is paused: its kernel answers echoes, its processes do not run", {}};
    }
    return {};
}

}  // namespace netlab::operations
