#include "daemon/operations/port_listener.hpp"

#include "common/endpoint.hpp"
#include "common/text.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/port_explanation.hpp"

namespace netlab::operations {

using api::PortVerdict;

namespace {

std::string any_address(Family family) {
    return family == Family::ipv4 ? "0.0.0.0" : "[::]";
}

std::string numbers(const std::vector<std::uint16_t>& ports) {
    constexpr std::size_t most = 8;
    std::vector<std::string> words;
    for (const auto port : ports) {
        if (words.size() < most) words.push_back(std::to_string(port));
    }
    if (ports.size() > most) words.emplace_back("others");
    return list_and(words);
}

std::string takes(const api::PortRow& row) {
    return row.protocol == "udp" ? "takes datagrams" : "listens";
}

std::uint16_t wanted_port(const api::PortRow& row) {
    return row.to ? row.to->port : row.container_port;
}

/// "in co1 only 127.0.0.1:80 (httpd, PID 7) listens"
std::string only(const api::PortRow& row) {
    const auto& listener = *row.listener;
    auto text = "in " + row.target + " only " + endpoint_text(listener.address, listener.port);
    if (listener.process && listener.pid)
        text += " (" + *listener.process + ", PID " + std::to_string(*listener.pid) + ")";
    return text + " " + takes(row);
}

}  // namespace

Explanation explain_listener(const api::PortRow& row, std::vector<std::string> residents) {
    const auto port = wanted_port(row);
    residents.insert(residents.begin(), row.target);
    const auto nothing = "nothing in " + join_or(residents) +
                         (residents.size() > 1 ? ", which share a network namespace, " : " ") + takes(row) +
                         " on " + port_words(row, port);
    const auto bind = "let it bind to " + any_address(row.to ? row.to->address.family() : row.family) + ":" +
                      std::to_string(port);
    switch (row.verdict) {
        case PortVerdict::no_listener:
            return {nothing, "netlab sockets " + row.target + " -l  # shows what listens there"};
        case PortVerdict::other_port: {
            const auto& other = row.listening.front();
            return {nothing + ": it " + takes(row) + " on " + numbers(row.listening),
                    "publish the port that listens: -p " + std::to_string(row.host_port.value_or(0)) + ":" +
                        std::to_string(other) + (row.protocol == "udp" ? "/udp" : "")};
        }
        case PortVerdict::loopback_only:
            return {only(row) + ": a loopback address, which nobody outside of " + row.target + " reaches",
                    bind};
        case PortVerdict::other_address:
            if (row.listener->interface)
                return {only(row) + ", on interface " + *row.listener->interface + " alone", bind};
            return {only(row) + ", and packets come to " + (row.to ? row.to->address.to_string() : "another"),
                    bind};
        case PortVerdict::other_family: {
            const bool v4 = row.listener->address.is_v4();
            return {
                only(row) + ", which takes " + (v4 ? "IPv4" : "IPv6") + " alone, and packets come by " +
                    (v4 ? "IPv6" : "IPv4"),
                v4 ? "let it bind to [::]:" + std::to_string(port) + ", or publish on an IPv4 address only"
                   : bind};
        }
        case PortVerdict::queue_full:
            return {"the accept queue of " + endpoint_text(row.listener->address, row.listener->port) +
                        " in " + row.target + " is full: its program does not accept connections",
                    "netlab sockets " + row.target + " -tl"};
        default:
            return {};
    }
}

Explanation explain_sleep(const Sleep& sleep) {
    const auto& target = sleep.target;
    const auto command = engine_command(target.runtime) + " unpause " + target.name;
    switch (sleep.extent) {
        case Sleep::Extent::some:
            return {target.name +
                        " is paused, and of the sockets that share the port it has one: who comes to "
                        "that gets no answer",
                    command};
        case Sleep::Extent::unknown:
            return {
                target.name + " is paused, and whether it is its program that listens netlab does not know",
                {}};
        case Sleep::Extent::all:
            break;
    }
    return {target.name + " is paused: its kernel takes the packets, its program does not run", command};
}

}  // namespace netlab::operations
