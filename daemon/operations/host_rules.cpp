#include "daemon/operations/host_rules.hpp"

#include "daemon/operations/host_command.hpp"

#include <algorithm>

#include <linux/netfilter.h>

namespace netlab::operations {

HostRules HostRules::ask() {
    return with(kernel::NftTables::ask_with_sets(NFPROTO_UNSPEC));
}

HostRules HostRules::ask_of_container() {
    return with(kernel::NftTables::ask(NFPROTO_UNSPEC));
}

HostRules HostRules::with(Result<kernel::NftTables> nft) {
    HostRules rules;
    rules.nft_ = std::move(nft);
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        for (const auto* name : {"raw", "mangle", "nat", "filter", "security"})
            rules.legacy_.push_back({name, family, kernel::read_xt_table(name, family)});
    }
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
        out.v4.arp = kernel::arp_chains(*nft);
        out.v4.known = out.v6.known = nft->complete;
    }
    for (const auto& [table_name, family, bytes] : legacy_) {
        if (bytes && !*bytes) continue;
        auto& rules = family == Family::ipv4 ? out.v4 : out.v6;
        const auto table = bytes && !(*bytes)->too_large ? kernel::parse_xt_table(**bytes)
                                                         : std::optional<kernel::XtTable>();
        rules.known = rules.known && table;
        if (!table) continue;
        auto more = kernel::rule_chains(*table, table_name, family);
        std::ranges::move(more, std::back_inserter(rules.chains));
    }
    const auto name = [&](std::uint32_t index) { return names.has(index) ? names[index] : std::string(); };
    for (auto* chains : {&out.v4.chains, &out.v4.frames, &out.v4.arp.own, &out.v4.arp.frames, &out.v6.chains,
                         &out.v6.frames})
        kernel::name_interfaces(*chains, name);
    return out;
}

api::NatRule describe_rule(const kernel::RuleChain& chain, const kernel::PacketRule& rule) {
    api::NatRule out;
    out.backend = chain.legacy ? "legacy" : "nft";
    const auto blank = chain.table.find(' ');
    out.family = chain.table.substr(0, blank);
    out.table = chain.table.substr(blank + 1);
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
    return chain + " rule " + std::to_string(*rule.number) + " (" + legacy_program(rule.family) + ")";
}

std::string ask_owner(std::optional<std::uint32_t> owner_port, const api::Target* target) {
    if (owner_port.value_or(0) == 0) return {};
    const auto port = std::to_string(*owner_port);
    const auto who = "  # the program with netlink port " + port +
                     ", mostly its PID, owns the table: nobody else can change it";
    if (target == nullptr || target->runtime == api::Runtime::host) return "ps -p " + port + who;
    // A program has the number that it has in its own PID namespace.
    return is_plain_word(target->name) ? "netlab ps " + target->name + who : std::string();
}

std::string delete_command(const api::NatRule& rule) {
    if (rule.owner_port) return {};
    if (!is_plain_word(rule.family) || !is_plain_word(rule.table) || !is_plain_word(rule.chain)) return {};
    if (rule.handle) {
        return "nft delete rule " + rule.family + " " + rule.table + " " + rule.chain + " handle " +
               std::to_string(*rule.handle);
    }
    if (!rule.number) return {};
    return legacy_program(rule.family) + " -t " + rule.table + " -D " + rule.chain + " " +
           std::to_string(*rule.number);
}

std::string removal_of(const api::NatRule& rule, const api::Target* target) {
    if (rule.owner_port) return ask_owner(rule.owner_port, target);
    const auto command = delete_command(rule);
    return target == nullptr ? command : command_in(*target, command);
}

}  // namespace netlab::operations
