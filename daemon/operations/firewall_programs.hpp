#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Commands of the programs that keep a host's firewall. A rule that is put beside theirs is gone when they
/// write them anew. Pure.
namespace netlab::operations {

/// A flow whose first packet their rules have stopped.
struct StoppedFlow {
    std::string input;     ///< interface
    std::string output;    ///< "": it is for the host itself
    std::string protocol;  ///< "tcp", "udp"; "" of an echo
    std::uint16_t port = 0;
    bool from_containers = false;  ///< `input` leads to them alone, and may be trusted
};

/// What lets it in, tried with ufw 0.36 and firewalld 1.3: "ufw prepend allow in on eth0 to any port 80 proto
/// tcp". `owner` as rule_owner() says it, `chain` that stopped it; "" where the owner has no such command, or
/// a name is more than a word.
[[nodiscard]] std::string permission_by(std::string_view owner, std::string_view chain,
                                        const StoppedFlow& flow);

}  // namespace netlab::operations
