#include "daemon/operations/named_clients.hpp"
#include "daemon/operations/port_explanation.hpp"
#include "daemon/operations/port_judgement.hpp"
#include "daemon/operations/port_listener.hpp"
#include "daemon/operations/port_trace.hpp"

/// A container on the host's network has no ports of its own: whether what it listens on there is reached.
namespace netlab::operations {

namespace {

using api::CarrierClients;
using api::CarrierKind;
using api::PortVerdict;

/// Whether what comes from outside reaches a socket of the host's, and the answer the client.
void judge_way_to_host(const HostFacts& host, const api::Target& target, const IpAddress& address,
                       const Client& client, api::PortRow& row) {
    const ContainerFacts nothing_of_its_own{target, {}, {}, {}};
    const api::PublishedPort port{address, *row.host_port, *row.host_port, row.protocol};
    const HostTrace trace(host, nothing_of_its_own, port, row, client);
    if (auto taken = trace.by_rules(address, true)) {
        row.verdict = taken->verdict.value_or(PortVerdict::shadowed);
        auto why = taken->why;
        if (taken->carrier) {
            taken->carrier->clients = CarrierClients::outside;
            row.carried_by.push_back(*taken->carrier);
            if (!taken->verdict) why = explain_shadowing_rule(row, *taken->carrier, false);
        }
        return tell(row, why);
    }
    if (auto stop = trace.stopped_at_socket({address, *row.host_port}, true)) {
        row.verdict = *stop->verdict;
        tell(row, stop->why);
    }
}

api::PortRow host_socket_row(const api::Target& target, const HeldListener& held, bool tcp) {
    const auto& listener = held.listener;
    api::PortRow row;
    row.target = target.name;
    row.engine = target.runtime;
    row.protocol = tcp ? "tcp" : "udp";
    row.host_address = listener.address;
    row.host_port = row.container_port = listener.port;
    row.family = listener.address.family();
    row.carried_by.push_back({CarrierKind::host_network, CarrierClients::all, {}, {}, {}, {}, {}});
    row.to = api::Endpoint{listener.address, listener.port};
    row.listener = describe_listener(held);
    row.verdict = PortVerdict::works;
    return row;
}

/// Of a container on the host's network what its own processes listen on is known to be its.
api::PortRow told_if_paused(api::PortRow row, const api::Target& target) {
    if (row.verdict != PortVerdict::works || target.state != api::State::paused) return row;
    row.verdict = PortVerdict::paused;
    tell(row, explain_sleep({Sleep::Extent::all, target}));
    return row;
}

}  // namespace

api::PortRow judge_host_socket(const HostFacts& host, const api::Target& target, const HeldListener& held,
                               bool tcp) {
    auto row = host_socket_row(target, held, tcp);
    const auto& listener = held.listener;
    const auto& outside = host.outside(row.family).address;
    if (listener.address.is_loopback()) {
        row.carried_by.front().clients = CarrierClients::localhost;
        row.notes.emplace_back("it listens on a loopback address: only the host itself reaches it");
        return told_if_paused(std::move(row), target);
    }
    const auto address = listener.address.is_unspecified() ? outside : std::optional(listener.address);
    if (!address) return told_if_paused(std::move(row), target);
    const auto& clients = host.clients.of(row.family);
    std::vector<api::PortRow> judged(clients.named.size(), row);
    judge_way_to_host(host, target, *address, clients.anybody, row);
    for (std::size_t i = 0; i < judged.size(); ++i)
        judge_way_to_host(host, target, *address, clients.named[i], judged[i]);
    tell_named_clients(row, clients, judged);
    return told_if_paused(std::move(row), target);
}

}  // namespace netlab::operations
