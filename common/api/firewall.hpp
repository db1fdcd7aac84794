#pragma once

#include "common/address.hpp"
#include "common/api/inspection.hpp"
#include "common/api/role.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/firewall: the rules of a target's namespace as text. A stream in the order that packets meet
/// them: a FirewallChain, its FirewallRules, …; then FirewallObjects, FirewallNotes and an InspectionReport.
struct FirewallRequest {
    std::string target;
    std::optional<std::string> table;  ///< "filter", "ip filter"
    std::optional<std::string> chain;
    std::optional<std::string> hook;  ///< "input", …: chains on that hook, and those that they jump to
    std::optional<Family> family;     ///< what packets of this one meet: "inet" too
    friend bool operator==(const FirewallRequest&, const FirewallRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(FirewallRequest, (), (target, table, chain, hook, family))

/// errc::bad_request.
[[nodiscard]] Result<void> check(const FirewallRequest& request, Roles roles);

enum class RuleBackend : std::uint8_t {
    nft,
    iptables_nft,     ///< iptables writes it by nf_tables
    iptables_legacy,  ///< x_tables
};
BOOST_DESCRIBE_ENUM(RuleBackend, nft, iptables_nft, iptables_legacy)

struct FirewallChain {
    static constexpr std::string_view type = "chain";
    std::string target;
    RuleBackend backend = RuleBackend::nft;
    std::string family;  ///< "ip", "ip6", "inet", "arp", "bridge", "netdev"
    std::string table;
    std::vector<std::string> table_flags;  ///< "dormant": no packet meets it; "owner"
    std::string name;
    std::optional<std::uint64_t> handle;  ///< absent of iptables-legacy
    std::optional<std::string> kind;      ///< of a base chain: "filter", "nat", "route"
    std::optional<std::string> hook;
    std::optional<std::int32_t> priority;
    std::optional<std::string> priority_name;  ///< "filter - 10"
    std::optional<std::string> policy;
    std::vector<std::string> devices;      ///< of netdev's
    std::optional<std::uint64_t> packets;  ///< that its policy has decided: of iptables-legacy
    std::optional<std::uint64_t> bytes;
    std::vector<std::string> from;  ///< chains that jump to it; of one without a hook: none, it is unused
    std::optional<std::string> comment;
    std::string owner;  ///< "docker", "ufw", …; "" of an administrator, or not known
    std::uint64_t rules = 0;
    friend bool operator==(const FirewallChain&, const FirewallChain&) = default;
};
BOOST_DESCRIBE_STRUCT(FirewallChain, (),
                      (target, backend, family, table, table_flags, name, handle, kind, hook, priority,
                       priority_name, policy, devices, packets, bytes, from, comment, owner, rules))

struct FirewallRule {
    static constexpr std::string_view type = "rule";
    std::string target;
    RuleBackend backend = RuleBackend::nft;
    std::string family;
    std::string table;
    std::string chain;
    std::optional<std::string> hook;  ///< of its chain
    std::optional<std::int32_t> priority;
    std::optional<std::uint64_t> handle;  ///< absent of iptables-legacy
    std::uint32_t number = 0;             ///< its place in the chain, from 1
    std::string text;  ///< as nft writes it, or of iptables-legacy iptables-save; without its counter
    std::optional<std::uint64_t> packets;  ///< absent where it does not count
    std::optional<std::uint64_t> bytes;
    std::optional<std::string> comment;  ///< also in `text`
    bool undecoded = false;              ///< a part of it is only named in `text`, not said
    std::string owner;
    friend bool operator==(const FirewallRule&, const FirewallRule&) = default;
};
BOOST_DESCRIBE_STRUCT(FirewallRule, (),
                      (target, backend, family, table, chain, hook, priority, handle, number, text, packets,
                       bytes, comment, undecoded, owner))

/// A set, map, flowtable, named counter, … of nf_tables.
struct FirewallObject {
    static constexpr std::string_view type = "object";
    std::string target;
    std::string family;
    std::string table;
    std::string kind;  ///< "set", "map", "ct helper", …
    std::string name;
    std::optional<std::uint64_t> handle;
    std::string text;  ///< what nft writes between its braces, in lines
    std::string owner;
    friend bool operator==(const FirewallObject&, const FirewallObject&) = default;
};
BOOST_DESCRIBE_STRUCT(FirewallObject, (), (target, family, table, kind, name, handle, text, owner))

enum class FirewallNoteCode : std::uint8_t {
    both_backends,  ///< iptables-legacy has rules, and so has nf_tables: a packet meets both
    undecoded,      ///< parts of rules are named only
    unreadable,     ///< a table could not be read: what it does is not known
};
BOOST_DESCRIBE_ENUM(FirewallNoteCode, both_backends, undecoded, unreadable)

struct FirewallNote {
    static constexpr std::string_view type = "note";
    std::string target;
    FirewallNoteCode code = FirewallNoteCode::both_backends;
    std::string message;  ///< a sentence
    friend bool operator==(const FirewallNote&, const FirewallNote&) = default;
};
BOOST_DESCRIBE_STRUCT(FirewallNote, (), (target, code, message))

}  // namespace netlab::api
