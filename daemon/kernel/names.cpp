#include "daemon/kernel/names.hpp"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

struct FlagName {
    std::uint32_t flag;
    const char* name;
};

template <std::size_t N>
std::vector<std::string> names_of(std::uint32_t flags, const FlagName (&table)[N]) {
    std::vector<std::string> names;
    for (const auto& entry : table) {
        if ((flags & entry.flag) != 0) names.emplace_back(entry.name);
    }
    return names;
}

}  // namespace

std::string scope_name(std::uint8_t scope) {
    switch (scope) {
        case RT_SCOPE_UNIVERSE:
            return "global";
        case RT_SCOPE_SITE:
            return "site";
        case RT_SCOPE_LINK:
            return "link";
        case RT_SCOPE_HOST:
            return "host";
        case RT_SCOPE_NOWHERE:
            return "nowhere";
        default:
            return std::to_string(scope);
    }
}

std::vector<std::string> address_flag_names(Family family, std::uint32_t flags) {
    // One bit with two meanings: RFC 8981's addresses are what IPv6 has of it.
    const char* secondary = family == Family::ipv4 ? "secondary" : "temporary";
    const FlagName table[] = {
        {IFA_F_SECONDARY, secondary},         {IFA_F_NODAD, "nodad"},
        {IFA_F_OPTIMISTIC, "optimistic"},     {IFA_F_DADFAILED, "dadfailed"},
        {IFA_F_HOMEADDRESS, "home"},          {IFA_F_DEPRECATED, "deprecated"},
        {IFA_F_TENTATIVE, "tentative"},       {IFA_F_PERMANENT, "permanent"},
        {IFA_F_MANAGETEMPADDR, "mngtmpaddr"}, {IFA_F_NOPREFIXROUTE, "noprefixroute"},
        {IFA_F_MCAUTOJOIN, "autojoin"},       {IFA_F_STABLE_PRIVACY, "stable-privacy"},
    };
    return names_of(flags, table);
}

}  // namespace netlab::kernel
