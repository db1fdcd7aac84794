#include "daemon/kernel/route_names.hpp"

#include <array>
#include <charconv>

#include <linux/icmpv6.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

struct Name {
    std::uint32_t number;
    const char* name;
};

template <std::size_t N>
std::string name_of(std::uint32_t number, const Name (&table)[N]) {
    for (const auto& entry : table) {
        if (entry.number == number) return entry.name;
    }
    return std::to_string(number);
}

}  // namespace

std::string table_name(std::uint32_t table) {
    static constexpr Name names[] = {
        {RT_TABLE_UNSPEC, "unspec"},
        {RT_TABLE_DEFAULT, "default"},
        {RT_TABLE_MAIN, "main"},
        {RT_TABLE_LOCAL, "local"},
    };
    return name_of(table, names);
}

std::string protocol_name(std::uint8_t protocol) {
    static constexpr Name names[] = {
        {0, "unspec"}, {1, "redirect"}, {2, "kernel"}, {3, "boot"},    {4, "static"},      {8, "gated"},
        {9, "ra"},     {10, "mrt"},     {11, "zebra"}, {12, "bird"},   {13, "dnrouted"},   {14, "xorp"},
        {15, "ntk"},   {16, "dhcp"},    {42, "babel"}, {99, "openr"},  {18, "keepalived"}, {186, "bgp"},
        {187, "isis"}, {188, "ospf"},   {189, "rip"},  {192, "eigrp"},
    };
    return name_of(protocol, names);
}

std::string route_kind_name(std::uint8_t kind) {
    static constexpr Name names[] = {
        {RTN_UNSPEC, "none"},
        {RTN_UNICAST, "unicast"},
        {RTN_LOCAL, "local"},
        {RTN_BROADCAST, "broadcast"},
        {RTN_ANYCAST, "anycast"},
        {RTN_MULTICAST, "multicast"},
        {RTN_BLACKHOLE, "blackhole"},
        {RTN_UNREACHABLE, "unreachable"},
        {RTN_PROHIBIT, "prohibit"},
        {RTN_THROW, "throw"},
        {RTN_NAT, "nat"},
        {RTN_XRESOLVE, "xresolve"},
    };
    return name_of(kind, names);
}

std::string encapsulation_name(std::uint16_t kind) {
    static constexpr Name names[] = {
        {0, "none"}, {1, "mpls"}, {2, "ip"},        {3, "ila"}, {4, "ip6"},
        {5, "seg6"}, {6, "bpf"},  {7, "seg6local"}, {8, "rpl"}, {9, "ioam6"},
    };
    return name_of(kind, names);
}

std::string preference_name(std::uint8_t preference) {
    static constexpr Name names[] = {
        {ICMPV6_ROUTER_PREF_LOW, "low"},
        {ICMPV6_ROUTER_PREF_MEDIUM, "medium"},
        {ICMPV6_ROUTER_PREF_HIGH, "high"},
    };
    return name_of(preference, names);
}

std::vector<std::string> route_flag_names(std::uint32_t flags) {
    static constexpr Name table[] = {
        {RTNH_F_DEAD, "dead"},
        {RTNH_F_ONLINK, "onlink"},
        {RTNH_F_PERVASIVE, "pervasive"},
        {RTNH_F_OFFLOAD, "offload"},
        {RTNH_F_TRAP, "trap"},
        {RTM_F_NOTIFY, "notify"},
        {RTNH_F_LINKDOWN, "linkdown"},
        {RTNH_F_UNRESOLVED, "unresolved"},
        {RTM_F_OFFLOAD, "rt_offload"},
        {RTM_F_TRAP, "rt_trap"},
        {RTM_F_OFFLOAD_FAILED, "rt_offload_failed"},
    };
    std::vector<std::string> names;
    for (const auto& entry : table) {
        if ((flags & entry.number) != 0) names.emplace_back(entry.name);
    }
    return names;
}

std::string hexadecimal(std::uint32_t number) {
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
    return "0x" + std::string(digits.data(), end);
}

}  // namespace netlab::kernel
