#include "daemon/operations/listener_explanation.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/network_facts.hpp"

namespace netlab::operations {

namespace {

std::string listens(const ListenerQuestion& question) {
    return question.udp ? "takes datagrams" : "listens";
}

std::string port_text(const ListenerQuestion& question) {
    return (question.udp ? "UDP port " : "TCP port ") + std::to_string(question.port);
}

/// "; it listens on 22 and 8080"
std::string elsewhere(const ListenerQuestion& question) {
    if (question.other_ports.empty()) return {};
    constexpr std::size_t most = 8;
    std::vector<std::string> ports;
    for (const auto other : question.other_ports) {
        if (ports.size() < most) ports.push_back(std::to_string(other));
    }
    if (question.other_ports.size() > most) ports.emplace_back("others");
    return "; it " + listens(question) + " on " + list_and(ports);
}

/// "in co2 only 127.0.0.1:80 listens"
std::string only(const ListenerQuestion& question, const api::Listener& listener) {
    return "in " + question.to + " only " + endpoint_text(listener.address, listener.port) + " " +
           listens(question);
}

std::string any_address(const IpAddress& like) {
    return like.is_v4() ? "0.0.0.0" : "[::]";
}

Explanation other_address(const ListenerQuestion& question, const api::Listener& listener) {
    const bool same_family = listener.address.family() == question.destination.family();
    return {
        only(question, listener) + " on " + port_text(question) + ", not " + question.destination.to_string(),
        same_family ? question.request.again(listener.address.to_string()) : std::string()};
}

Explanation one_family(const ListenerQuestion& question, const api::Listener& listener,
                       const std::string& family, std::string_view option) {
    auto text = only(question, listener) + ", which takes " + family + " alone";
    // Two answers that point at each other help nobody.
    if (!question.other_family.value_or(true))
        return {text + ", and " + question.to + " has no address of that family", {}};
    auto again = question.request;
    again.family.reset();
    return {std::move(text), again.again(again.to, option)};
}

Explanation bound_to_interface(const ListenerQuestion& question, const api::Listener& listener) {
    const auto what = question.udp ? "the datagram" : "the SYN";
    auto text = only(question, listener) + ", on interface " + listener.interface.value_or("") + " alone";
    text += question.came_by.empty() ? std::string("; which one ") + what + " came in by is not known"
                                     : std::string("; ") + what + " came in by " + list_and(question.came_by);
    return {std::move(text), {}};
}

}  // namespace

std::string accept_queue_is_full(const ListenerQuestion& question, const api::Listener& listener) {
    return "the accept queue of " + endpoint_text(listener.address, listener.port) + " in " + question.to +
           " is full: " + std::to_string(listener.waiting.value_or(0)) +
           " connections wait and its backlog is " + std::to_string(listener.backlog.value_or(0)) +
           ", so its program does not accept them";
}

Explanation explain_listeners(const ListenerQuestion& question, const Judgement& judgement) {
    const auto& [verdict, listener] = judgement;
    switch (verdict) {
        case ListenerVerdict::none:
            return {"nothing in " + question.to + " " + listens(question) + " on " + port_text(question) +
                        elsewhere(question),
                    "let a program in " + question.to +
                        (question.udp ? " take datagrams on " : " listen on ") +
                        any_address(question.destination) + ":" + std::to_string(question.port)};
        case ListenerVerdict::loopback_only:
            return {
                only(question, listener) + ": a loopback address, which nobody outside of " + question.to +
                    " reaches",
                "let it bind to " + any_address(question.destination) + ":" + std::to_string(listener.port) +
                    // An engine's proxy is bound as the port is published, whatever listens in the container.
                    (question.to == "host"
                         ? "; if a container publishes it there, publish it again without the address"
                         : "")};
        case ListenerVerdict::other_address:
            return other_address(question, listener);
        case ListenerVerdict::ipv6_only:
            return one_family(question, listener, "IPv6", "-6");
        case ListenerVerdict::ipv4_only:
            return one_family(question, listener, "IPv4", "-4");
        case ListenerVerdict::interface:
            return bound_to_interface(question, listener);
        case ListenerVerdict::full:
            return {accept_queue_is_full(question, listener), "netlab sockets " + question.to + " -tl"};
        case ListenerVerdict::takes:
            break;
    }
    return {};
}

}  // namespace netlab::operations
