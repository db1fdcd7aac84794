#pragma once

#include "common/api/target.hpp"

#include <algorithm>
#include <string>
#include <string_view>

/// Commands that a report suggests: root types them, so no word in them may be more than a word. Names of
/// interfaces, tables and chains are written by whoever is root in a container.
namespace netlab::operations {

/// A name without anything that a shell or nft(8) would look at twice.
[[nodiscard]] inline bool is_plain_word(std::string_view word) {
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '.' || c == '-' || c == ':' || c == '/' || c == '@';
    };
    return !word.empty() && word.front() != '-' && std::ranges::all_of(word, is_plain);
}

/// "ip " or "ip -6 ", of that address' family.
[[nodiscard]] inline std::string ip_command(const IpAddress& address) {
    return address.is_v4() ? "ip " : "ip -6 ";
}

/// The program whose rules are x_tables' own, of a family as nft(8) writes it: "ip" or "ip6".
[[nodiscard]] inline std::string legacy_program(std::string_view family) {
    return family == "ip6" ? "ip6tables-legacy" : "iptables-legacy";
}

/// "" where the interface's name is more than a word.
[[nodiscard]] inline std::string up_command(const std::string& interface) {
    return is_plain_word(interface) ? "ip link set " + interface + " up" : std::string();
}

/// A command for the target's network namespace as it is typed on the host; "" where that cannot be written.
[[nodiscard]] inline std::string command_in(const api::Target& target, const std::string& command) {
    if (command.empty() || target.runtime == api::Runtime::host) return command;
    if (target.runtime == api::Runtime::netns)
        return is_plain_word(target.name) ? "ip netns exec " + target.name + " " + command : std::string();
    if (target.pid <= 0) return {};
    return "nsenter --net=/proc/" + std::to_string(target.pid) + "/ns/net " + command;
}

}  // namespace netlab::operations
