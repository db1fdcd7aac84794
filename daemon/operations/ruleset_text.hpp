#pragma once

#include "common/api/firewall.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The rules of a namespace as `nft -a list ruleset` writes them, taken apart. Names, comments and prefixes
/// in it are written by whoever is root there.
namespace netlab::operations {

/// A rule of nf_tables, of iptables-nft too; or one of iptables-legacy, in iptables-save's form.
struct RuleText {
    std::uint64_t handle = 0;              ///< 0 of iptables-legacy, which has none
    std::uint32_t number = 0;              ///< its place in the chain, from 1
    std::string text;                      ///< without its counter
    std::optional<std::uint64_t> packets;  ///< absent where it does not count
    std::optional<std::uint64_t> bytes;
    std::string comment;     ///< also in `text`
    bool undecoded = false;  ///< a part of it is only named in `text`, not said
    friend bool operator==(const RuleText&, const RuleText&) = default;
};

/// Where packets come to a chain by themselves.
struct HookText {
    std::string type;  ///< "filter", "nat", "route"
    std::string hook;  ///< "input", …
    std::int32_t priority = 0;
    std::string priority_name;  ///< as nft writes it: "filter - 10", "-500"
    std::string policy;         ///< "accept", "drop"; "" where it has none (netdev of old, a custom target)
    std::vector<std::string> devices;  ///< of ingress and egress
    friend bool operator==(const HookText&, const HookText&) = default;
};

struct ChainText {
    std::string name;
    std::uint64_t handle = 0;
    std::optional<HookText> hook;          ///< of a base chain
    std::optional<std::uint64_t> packets;  ///< that its policy has decided: of iptables-legacy only
    std::optional<std::uint64_t> bytes;
    std::string comment;
    std::vector<RuleText> rules;
    friend bool operator==(const ChainText&, const ChainText&) = default;
};

/// A set, map, flowtable, counter, …: not taken apart.
struct ObjectText {
    std::string kind;  ///< "set", "map", "flowtable", "ct helper", …
    std::string name;
    std::uint64_t handle = 0;
    std::string text;  ///< what is between its braces, in lines without their indentation
    friend bool operator==(const ObjectText&, const ObjectText&) = default;
};

using api::RuleBackend;

struct TableText {
    RuleBackend backend = RuleBackend::nft;
    std::string family;  ///< "ip", "ip6", "inet", "arp", "bridge", "netdev"
    std::string name;
    std::uint64_t handle = 0;
    std::vector<std::string> flags;  ///< "dormant", "owner", "persist"
    std::string comment;
    std::vector<ChainText> chains;
    std::vector<ObjectText> objects;
    /// Netlink port of the program that alone may change it; 0 where the flag says that there is one, and not
    /// known which: name_owners() of rulesets.hpp.
    std::optional<std::uint32_t> owner_port{};
    friend bool operator==(const TableText&, const TableText&) = default;
};

/// Adds what libnftables prints in one go, so that what is inside a string stays inside it: a line break in
/// the middle becomes "\n", and between its outermost quotes a quote and a backslash are escaped.
void append_printed(std::string& text, std::string_view printed);

/// Whether a rule's text has these words outside of its strings and sets.
[[nodiscard]] bool says(std::string_view text, std::string_view words);

/// Of a text made by append_printed(). nullopt where it is not one.
[[nodiscard]] std::optional<std::vector<TableText>> parse_ruleset(std::string_view text);

/// nullptr where there is none.
[[nodiscard]] const TableText* find_table(const std::vector<TableText>& tables, std::string_view family,
                                          std::string_view name, bool legacy = false);
[[nodiscard]] const ChainText* find_chain(const TableText& table, std::string_view name);
[[nodiscard]] const RuleText* find_rule(const std::vector<TableText>& tables, std::string_view family,
                                        std::string_view table, std::string_view chain, std::uint64_t handle);

}  // namespace netlab::operations
