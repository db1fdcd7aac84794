#include "daemon/kernel/packet_rule.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

using namespace netlab;
using namespace netlab::kernel;

namespace {

/// What would be told of rules, and which of them a question to Docker's resolver meets.
void follow(const std::vector<RuleChain>& chains) {
    for (const int protocol : {IPPROTO_UDP, IPPROTO_TCP}) {
        constexpr std::uint16_t port = 40000;
        (void)find_nat(chains, NF_INET_LOCAL_OUT,
                       {*IpAddress::parse("127.0.0.1"), *IpAddress::parse("127.0.0.11"),
                        static_cast<std::uint8_t>(protocol), port, 53});
        (void)find_drop(chains, NF_INET_FORWARD,
                        {*IpAddress::parse("203.0.113.1"), *IpAddress::parse("172.17.0.2"),
                         static_cast<std::uint8_t>(protocol), port, 53});
    }
    for (const auto& chain : chains) {
        for (const auto& rule : chain.rules)
            (void)rule.to_string();
    }
}

}  // namespace

/// The rules of a namespace are written by whoever is root in it. The first byte says whose bytes follow: a
/// dump of nf_tables (chains and rules in one), or a table of iptables-legacy with its hooks' offsets in
/// front.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    if (data[0] % 2 == 0) {
        const NftTables::Content content{parse_nft_chains(bytes), parse_nft_rules(bytes), true, true};
        follow(rule_chains(content));
        follow(rule_chains(content, Family::ipv6));
        return 0;
    }
    XtBytes table;
    table.valid_hooks = 0x1B;  // the nat table's
    if (!read(bytes, table.hook_entry)) return 0;
    const auto entries = bytes.subspan(sizeof table.hook_entry);
    table.entries.assign(entries.begin(), entries.end());
    if (const auto parsed = parse_xt_table(table)) follow(rule_chains(*parsed, "nat"));
    return 0;
}
