#include "daemon/operations/host_rules.hpp"

#include "daemon/operations/host_command.hpp"

#include <algorithm>

#include <fcntl.h>
#include <linux/netfilter.h>
#include <unistd.h>

namespace netlab::operations {

namespace {

bool has_legacy_v6() {
    const UniqueFd file(::open("/proc/thread-self/net/ip6_tables_names", O_RDONLY | O_CLOEXEC));
    char byte = 0;
    return file && ::read(file.get(), &byte, 1) > 0;
}

}  // namespace

HostRules HostRules::ask() {
    return with(kernel::NftTables::ask_with_sets(NFPROTO_UNSPEC));
}

HostRules HostRules::ask_of_container() {
    return with(kernel::NftTables::ask(NFPROTO_UNSPEC));
}

HostRules HostRules::with(Result<kernel::NftTables> nft) {
    HostRules rules;
    rules.nft_ = std::move(nft);
    for (const auto* name : legacy_names)
        rules.legacy_.push_back(kernel::read_xt_table(name));
    rules.legacy_v6_ = has_legacy_v6();
    return rules;
}

RuleSet HostRules::read(const InterfaceNames& names) {
    RuleSet out;
    const auto nft = nft_ ? nft_->read() : Result<kernel::NftTables::Content>(nft_.error());
    if (nft) {
        out.v4.chains = kernel::rule_chains(*nft, Family::ipv4);
        out.v6.chains = kernel::rule_chains(*nft, Family::ipv6);
        out.v4.frames = kernel::frame_chains(*nft, Family::ipv4);
        out.v6.frames = kernel::frame_chains(*nft, Family::ipv6);
        out.v4.known = out.v6.known = nft->complete;
    }
    out.v6.known = out.v6.known && !legacy_v6_;
    for (std::size_t i = 0; i < legacy_.size(); ++i) {
        const auto& bytes = legacy_[i];
        if (bytes && !*bytes) continue;
        const auto table = bytes && !(*bytes)->too_large ? kernel::parse_xt_table(**bytes)
                                                         : std::optional<kernel::XtTable>();
        out.v4.known = out.v4.known && table;
        if (!table) continue;
        auto more = kernel::rule_chains(*table, legacy_names[i]);
        std::ranges::move(more, std::back_inserter(out.v4.chains));
    }
    const auto name = [&](std::uint32_t index) { return names.has(index) ? names[index] : std::string(); };
    for (auto* chains : {&out.v4.chains, &out.v4.frames, &out.v6.chains, &out.v6.frames})
        kernel::name_interfaces(*chains, name);
    return out;
}

api::NatRule describe_rule(const kernel::RuleChain& chain, const kernel::PacketRule& rule) {
    api::NatRule out;
    out.backend = chain.legacy ? "legacy" : "nft";
    const auto blank = chain.table.find(' ');
    out.family = chain.legacy ? "ip" : chain.table.substr(0, blank);
    out.table = chain.legacy ? chain.table : chain.table.substr(blank + 1);
    out.chain = chain.name;
    out.handle = rule.handle;
    out.number = rule.number;
    out.text = rule.to_string();
    out.packets = rule.packets;
    out.bytes = rule.bytes;
    out.owner_port = chain.owner;
    return out;
}

std::string place_of(const api::NatRule& rule) {
    const auto chain = rule.family + " " + rule.table + " " + rule.chain;
    if (rule.handle) return chain + " handle " + std::to_string(*rule.handle);
    if (!rule.number) return chain;
    return rule.table + " " + rule.chain + " rule " + std::to_string(*rule.number) + " (iptables-legacy)";
}

std::string ask_owner(std::optional<std::uint32_t> owner_port) {
    if (!owner_port) return {};
    const auto port = std::to_string(*owner_port);
    return "ps -p " + port + "  # the program with netlink port " + port +
           ", mostly its PID, owns the table: nobody else can change it";
}

std::string delete_command(const api::NatRule& rule) {
    if (rule.owner_port) return {};
    if (!is_plain_word(rule.family) || !is_plain_word(rule.table) || !is_plain_word(rule.chain)) return {};
    if (rule.handle) {
        return "nft delete rule " + rule.family + " " + rule.table + " " + rule.chain + " handle " +
               std::to_string(*rule.handle);
    }
    if (!rule.number) return {};
    return "iptables-legacy -t " + rule.table + " -D " + rule.chain + " " + std::to_string(*rule.number);
}

}  // namespace netlab::operations
