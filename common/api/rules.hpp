#pragma once

#include "common/address.hpp"
#include "common/api/inspection.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/rules: the policy rules of targets, as `ip rule` and `ip -6 rule` have them. A stream of RuleRow,
/// then an InspectionReport.
struct RulesRequest {
    std::vector<std::string> targets;
    bool all = false;
    std::optional<Family> family;  ///< only of this one
    friend bool operator==(const RulesRequest&, const RulesRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(RulesRequest, (), (targets, all, family))

struct RuleRow {
    static constexpr std::string_view type = "rule";
    std::string target;
    Family family = Family::ipv4;
    std::uint32_t priority = 0;     ///< the lowest is looked at first
    bool invert = false;            ///< `not`: for packets that do not fit
    std::string from;               ///< "all", "192.0.2.0/24", "192.0.2.7"
    std::optional<std::string> to;  ///< absent: all
    std::optional<std::string> iif;
    bool iif_detached = false;  ///< there is no interface of that name: the rule never fits
    std::optional<std::string> oif;
    bool oif_detached = false;
    std::optional<std::string> fwmark;  ///< "0x10"
    std::optional<std::string> fwmask;  ///< absent: all bits
    std::optional<std::string> tos;     ///< "0x10"
    std::optional<std::string> ipproto;
    std::optional<std::string> sport;  ///< "80", "1000-2000"
    std::optional<std::string> dport;
    std::optional<std::string> uidrange;  ///< "0-999"
    std::optional<std::uint64_t> tun_id;
    std::string action;                  ///< lookup, goto, nop, blackhole, unreachable, prohibit, l3mdev
    std::optional<std::string> table;    ///< of `lookup`
    std::optional<std::uint32_t> goto_;  ///< the priority of the rule to go on with
    bool unresolved = false;             ///< there is no rule of that priority
    std::optional<std::uint32_t> suppress_prefixlength;
    std::optional<std::uint32_t> suppress_ifgroup;
    std::optional<std::string> realms;
    std::string protocol;  ///< who made it: kernel, boot, static, …
};
BOOST_DESCRIBE_STRUCT(RuleRow, (),
                      (target, family, priority, invert, from, to, iif, iif_detached, oif, oif_detached,
                       fwmark, fwmask, tos, ipproto, sport, dport, uidrange, tun_id, action, table, goto_,
                       unresolved, suppress_prefixlength, suppress_ifgroup, realms, protocol))

}  // namespace netlab::api
