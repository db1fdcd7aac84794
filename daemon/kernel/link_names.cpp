#include "daemon/kernel/link_details.hpp"

#include <array>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>

namespace netlab::kernel {

std::string operational_state_name(std::uint8_t state) {
    // iproute2's oper_states, in the order of IF_OPER_.
    static constexpr std::array names{"UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN",
                                      "TESTING", "DORMANT",    "UP"};
    return state < names.size() ? names[state] : std::to_string(state);
}

std::vector<std::string> link_flag_names(std::uint32_t flags) {
    struct Name {
        std::uint32_t flag;
        const char* name;
    };
    // In the order of iproute2's print_link_flags.
    static constexpr Name table[] = {
        {IFF_LOOPBACK, "LOOPBACK"},   {IFF_BROADCAST, "BROADCAST"},   {IFF_POINTOPOINT, "POINTOPOINT"},
        {IFF_MULTICAST, "MULTICAST"}, {IFF_NOARP, "NOARP"},           {IFF_ALLMULTI, "ALLMULTI"},
        {IFF_PROMISC, "PROMISC"},     {IFF_MASTER, "MASTER"},         {IFF_SLAVE, "SLAVE"},
        {IFF_DEBUG, "DEBUG"},         {IFF_DYNAMIC, "DYNAMIC"},       {IFF_AUTOMEDIA, "AUTOMEDIA"},
        {IFF_PORTSEL, "PORTSEL"},     {IFF_NOTRAILERS, "NOTRAILERS"}, {IFF_UP, "UP"},
        {IFF_LOWER_UP, "LOWER_UP"},   {IFF_DORMANT, "DORMANT"},       {IFF_ECHO, "ECHO"},
    };
    std::vector<std::string> names;
    // ip says what is missing, not that it runs.
    if ((flags & IFF_UP) != 0 && (flags & IFF_RUNNING) == 0) names.emplace_back("NO-CARRIER");
    for (const auto& entry : table) {
        if ((flags & entry.flag) != 0) names.emplace_back(entry.name);
    }
    return names;
}

std::string link_type_name(std::uint16_t type) {
    switch (type) {
        case ARPHRD_ETHER:
            return "ether";
        case ARPHRD_LOOPBACK:
            return "loopback";
        case ARPHRD_PPP:
            return "ppp";
        case ARPHRD_TUNNEL:
            return "ipip";
        case ARPHRD_TUNNEL6:
            return "tunnel6";
        case ARPHRD_SIT:
            return "sit";
        case ARPHRD_IPGRE:
            return "gre";
        case ARPHRD_IP6GRE:
            return "gre6";
        case ARPHRD_INFINIBAND:
            return "infiniband";
        case ARPHRD_NONE:
            return "none";
        default:
            return "[" + std::to_string(type) + "]";
    }
}

std::string port_state_name(std::uint8_t state) {
    static constexpr std::array names{"disabled", "listening", "learning", "forwarding", "blocking"};
    return state < names.size() ? names[state] : std::to_string(state);
}

}  // namespace netlab::kernel
