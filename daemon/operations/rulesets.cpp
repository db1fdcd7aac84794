#include "daemon/operations/rulesets.hpp"

#include "daemon/kernel/rule_parts.hpp"
#include "daemon/operations/ruleset_reader.hpp"
#include "daemon/operations/xtables_text.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include <linux/netfilter.h>

namespace netlab::operations {

namespace {

constexpr std::byte text_follows{0};
constexpr std::byte error_follows{1};

BesideProcess::Bytes answer(std::byte kind, std::string_view text) {
    BesideProcess::Bytes out{kind};
    const auto bytes = std::as_bytes(std::span(text));
    out.insert(out.end(), bytes.begin(), bytes.end());
    return out;
}

std::uint8_t family_number(std::string_view name) {
    struct Family {
        std::string_view name;
        std::uint8_t number;
    };
    constexpr std::array families{Family{"ip", NFPROTO_IPV4},       Family{"ip6", NFPROTO_IPV6},
                                  Family{"inet", NFPROTO_INET},     Family{"arp", NFPROTO_ARP},
                                  Family{"bridge", NFPROTO_BRIDGE}, Family{"netdev", NFPROTO_NETDEV}};
    const auto found = std::ranges::find(families, name, &Family::name);
    return found == families.end() ? std::uint8_t{NFPROTO_UNSPEC} : found->number;
}

/// Family, table, chain.
using ChainKey = std::tuple<std::uint8_t, std::string_view, std::string_view>;

struct ChainShape {
    std::uint64_t handle = 0;
    std::optional<std::int32_t> priority;
    std::vector<std::uint64_t> rules;
    friend bool operator==(const ChainShape&, const ChainShape&) = default;
};

using Shape = std::map<ChainKey, ChainShape>;

Shape shape_of(const std::vector<TableText>& tables) {
    Shape shape;
    for (const auto& table : tables) {
        if (table.backend == RuleBackend::iptables_legacy) continue;
        for (const auto& chain : table.chains) {
            auto& out = shape[{family_number(table.family), table.name, chain.name}];
            out.handle = chain.handle;
            if (chain.hook) out.priority = chain.hook->priority;
            for (const auto& rule : chain.rules)
                out.rules.push_back(rule.handle);
        }
    }
    return shape;
}

Shape shape_of(const kernel::NftTables::Content& content) {
    Shape shape;
    for (const auto& chain : content.chains) {
        auto& out = shape[{chain.family, chain.table, chain.name}];
        out.handle = chain.handle;
        if (chain.hook) out.priority = chain.hook->priority;
    }
    for (const auto& rule : content.rules)
        shape[{rule.family, rule.table, rule.chain}].rules.push_back(rule.handle);
    return shape;
}

/// iptables' own, in its match: libnftables shows nothing of it.
std::string comment_of(const kernel::NftRule& rule) {
    for (const auto& expression : rule.expressions) {
        const auto* match = std::get_if<kernel::NftMatch>(&expression);
        if (match == nullptr || match->name != "comment") continue;
        return kernel::rule_parts::comment_of(match->info);
    }
    return {};
}

/// What nft(8) says of iptables' target REJECT (ip6t_reject_with, ipt_reject_with); nullopt: not known.
std::optional<std::string> reject_text(const kernel::NftTarget& target, std::uint8_t family) {
    constexpr std::array names4{"icmp net-unreachable",
                                "icmp host-unreachable",
                                "icmp prot-unreachable",
                                "",
                                "",
                                "icmp net-prohibited",
                                "icmp host-prohibited",
                                "tcp reset",
                                "icmp admin-prohibited"};
    constexpr std::array names6{
        "icmpv6 no-route",    "icmpv6 admin-prohibited", "", "icmpv6 addr-unreachable", "", "", "tcp reset",
        "icmpv6 policy-fail", "icmpv6 reject-route"};
    constexpr std::uint32_t default4 = 3;
    constexpr std::uint32_t default6 = 4;
    std::uint32_t with = 0;
    if (!kernel::read(target.info, with) || with >= names4.size()) return std::nullopt;
    const bool v6 = family == NFPROTO_IPV6;
    const std::string name = (v6 ? names6 : names4)[with];
    if (!name.empty()) return "reject with " + name;
    return with == (v6 ? default6 : default4) ? std::optional<std::string>("reject") : std::nullopt;
}

/// libxtables goes by the name alone, so that of two families one has the other's REJECT: its words are
/// missing or wrong.
std::string with_reject(std::string text, const std::string& right) {
    const auto at = text.rfind("reject");
    const auto tail = at == text.npos ? std::string() : text.substr(at);
    if (tail == "reject" || tail.starts_with("reject with ")) text.erase(at);
    while (text.ends_with(' '))
        text.pop_back();
    return text + (text.empty() ? "" : " ") + right;
}

/// The rule's text with what libnftables left out of it.
std::string completed(const kernel::NftRule& rule, std::string text,
                      const std::vector<std::string>& translated) {
    const auto is_missing = [&](const std::string& kind, const std::string& name) {
        // It is named where libnftables still found the extension, in quotes by some versions.
        return std::ranges::count(translated, name) == 0 && !says(text, kind + name) &&
               !says(text, kind + "\"" + name);
    };
    std::string matches;
    std::string targets;
    for (const auto& expression : rule.expressions) {
        if (const auto* match = std::get_if<kernel::NftMatch>(&expression)) {
            if (match->name == "comment") continue;
            if (is_missing("xt match ", match->name)) matches += "xt match " + match->name + " ";
        } else if (const auto* target = std::get_if<kernel::NftTarget>(&expression)) {
            const bool rejects =
                target->name == "REJECT" && std::ranges::count(translated, target->name) != 0;
            if (const auto right = rejects ? reject_text(*target, rule.family) : std::nullopt)
                text = with_reject(std::move(text), *right);
            if (is_missing("xt target ", target->name)) targets += " xt target " + target->name;
        }
    }
    return matches + text + targets;
}

}  // namespace

bool agree(const std::vector<TableText>& tables, const kernel::NftTables::Content& content) {
    return shape_of(tables) == shape_of(content);
}

void name_untranslated(std::vector<TableText>& tables, const kernel::NftTables::Content& content,
                       const std::vector<std::string>& translated) {
    std::map<std::tuple<std::uint8_t, std::string_view, std::uint64_t>, const kernel::NftRule*> rules;
    for (const auto& rule : content.rules)
        rules.emplace(std::tuple(rule.family, std::string_view(rule.table), rule.handle), &rule);
    for (auto& table : tables) {
        if (table.backend == RuleBackend::iptables_legacy) continue;
        const auto family = family_number(table.family);
        for (auto& chain : table.chains) {
            for (auto& rule : chain.rules) {
                const auto known = rules.find({family, table.name, rule.handle});
                if (known == rules.end()) continue;
                if (auto text = completed(*known->second, rule.text, translated); text != rule.text) {
                    rule.text = std::move(text);
                    rule.undecoded = rule.undecoded || says(rule.text, "xt");
                }
                if (auto comment = comment_of(*known->second); !comment.empty() && rule.comment.empty()) {
                    rule.text += kernel::rule_parts::comment_text(comment);
                    rule.comment = std::move(comment);
                }
            }
        }
    }
}

void name_owners(std::vector<TableText>& tables, const kernel::NftTables::Content& content) {
    for (auto& table : tables) {
        if (!table.owner_port) continue;
        const auto family = family_number(table.family);
        const auto known = std::ranges::find_if(content.tables, [&](const kernel::NftTable& one) {
            return one.family == family && one.name == table.name;
        });
        if (known != content.tables.end() && known->owner) table.owner_port = known->owner;
    }
}

Result<RulesetProcess> RulesetProcess::start(Namespaces& namespaces, std::size_t place) {
    if (!namespaces[place].net)
        return Error{
            errc::target_gone, "its network namespace is gone", "see `netlab ls`: it may have stopped", {}};
    if (auto entered = namespaces.enter(place); !entered) return entered.error();
    auto reader = RulesetReader::open();
    if (!reader) return reader.error();
    const auto shared = std::make_shared<RulesetReader>(std::move(*reader));
    auto process = BesideProcess::start(namespaces, [shared](const BesideProcess::Order&) {
        auto text = shared->read();
        return text ? answer(text_follows, *text) : answer(error_follows, text.error().message);
    });
    if (!process) return process.error();
    RulesetProcess out(std::move(*process), kernel::NftTables::ask(NFPROTO_UNSPEC));
    out.translated_ = shared->translated();
    out.read_legacy();
    return out;
}

void RulesetProcess::read_legacy() {
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        for (const auto* name : {"raw", "mangle", "nat", "filter", "security"}) {
            auto bytes = kernel::read_xt_table(name, family);
            if (!bytes || *bytes) legacy_.push_back({name, family, std::move(bytes)});
        }
    }
}

void RulesetProcess::add_legacy(Ruleset& ruleset) const {
    for (const auto& table : legacy_) {
        const auto called =
            "iptables-legacy's table " + table.name + (table.family == Family::ipv4 ? "" : " of IPv6");
        if (!table.bytes) {
            ruleset.unreadable.push_back(called + ": " + table.bytes.error().message);
            continue;
        }
        const auto& bytes = **table.bytes;
        const auto parsed = bytes.too_large ? std::nullopt : kernel::parse_xt_table(bytes);
        if (parsed) {
            ruleset.tables.push_back(legacy_table(*parsed, table.family, table.name));
        } else {
            ruleset.unreadable.push_back(called + (bytes.too_large ? " is too large" : " is not understood"));
        }
    }
}

Result<Ruleset> RulesetProcess::read(Output& output) {
    const auto bytes = process_.ask({}, output);
    if (!bytes) return bytes.error();
    const std::string_view said(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    if (bytes->empty() || bytes->front() == error_follows)
        return Error{
            errc::operation_failed, std::string(said.substr(std::min<std::size_t>(said.size(), 1))), {}, {}};
    auto tables = parse_ruleset(said.substr(1));
    if (!tables)
        return Error{errc::operation_failed,
                     "libnftables' text of the rules is not understood",
                     "nft list ruleset in that namespace shows it",
                     {}};
    Ruleset ruleset{std::move(*tables), true, {}};
    if (structure_) {
        if (!*structure_) return structure_->error();
        auto content = (**structure_).read();
        structure_.reset();
        if (!content) return content.error();
        content_ = std::move(*content);
        ruleset.consistent = content_.complete && agree(ruleset.tables, content_);
    }
    name_untranslated(ruleset.tables, content_, translated_);
    name_owners(ruleset.tables, content_);
    add_legacy(ruleset);
    return ruleset;
}

}  // namespace netlab::operations
