#pragma once

#include "common/api/connect.hpp"
#include "common/api/ping.hpp"
#include "common/api/why.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace netlab::operations {

/// Whom a request wants to reach, from where: what `ping` and `connect` have in common.
struct ReachRequest {
    std::string from;  ///< a target
    std::string to;    ///< what a program in `from` would type, or another target's name, or "host"
    std::optional<Family> family;
    std::string interface;         ///< of `from`
    bool address = false;          ///< `to` is a target: its address is wanted, no resolver asked
    std::string command = "ping";  ///< the word of `netlab` that asks so
    std::string port;              ///< what follows the destination in that command: ":80"
    std::string options;           ///< and then: " --udp"

    ReachRequest() = default;
    // One of these is at hand wherever the common part is wanted.
    ReachRequest(const api::PingRequest& request)
        : from(request.from),
          to(request.to),
          family(request.family),
          interface(request.interface),
          address(request.address) {}
    ReachRequest(const api::ConnectRequest& request)
        : from(request.from),
          to(request.to),
          family(request.family),
          interface(request.interface),
          address(request.address),
          command("connect"),
          port(":" + std::to_string(request.port)),
          options(request.udp ? " --udp" : "") {}

    ReachRequest(const api::WhyRequest& request)
        : from(request.from),
          to(request.to),
          family(request.family),
          address(request.address),
          command("why"),
          port(request.port == 0 ? "" : ":" + std::to_string(request.port)),
          options(request.protocol == api::WhyProtocol::udp ? "/udp" : "") {}

    /// "netlab ping co1 co2 --address": the same with another destination or further options.
    [[nodiscard]] std::string again(std::string_view other, std::string_view more = {}) const {
        auto text = "netlab " + command + " " + from + " ";
        const bool brackets = !port.empty() && other.find(':') != other.npos && IpAddress::parse(other);
        text.append(brackets ? "[" : "")
            .append(other)
            .append(brackets ? "]" : "")
            .append(port)
            .append(options);
        if (!more.empty()) text.append(" ").append(more);
        return text;
    }
};

}  // namespace netlab::operations
