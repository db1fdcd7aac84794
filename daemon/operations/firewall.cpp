#include "common/api/firewall.hpp"

#include "daemon/operations/chain_order.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/rule_owner.hpp"
#include "daemon/operations/rulesets.hpp"

#include <algorithm>

/// `netlab firewall`: the rules of a namespace as text.
namespace netlab::operations::firewall {

namespace {

using api::FirewallNoteCode;
using api::RuleBackend;

Result<RulesetProcess> prepare(Namespaces& namespaces, const api::FirewallRequest&, const api::Context&) {
    return RulesetProcess::start(namespaces, 0);
}

std::optional<std::string> unless_empty(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

std::optional<std::uint64_t> handle_of(RuleBackend backend, std::uint64_t handle) {
    return backend == RuleBackend::iptables_legacy ? std::nullopt : std::optional(handle);
}

api::FirewallChain chain_row(const std::string& target, const ChainPlace& place) {
    const auto& [table, chain] = std::tie(*place.table, *place.chain);
    api::FirewallChain row;
    row.target = target;
    row.backend = table.backend;
    row.family = table.family;
    row.table = table.name;
    row.table_flags = table.flags;
    row.name = chain.name;
    row.handle = handle_of(table.backend, chain.handle);
    if (chain.hook) {
        row.kind = unless_empty(chain.hook->type);
        row.hook = chain.hook->hook;
        row.priority = chain.hook->priority;
        row.priority_name = chain.hook->priority_name;
        row.policy = unless_empty(chain.hook->policy);
        row.devices = chain.hook->devices;
    }
    row.packets = chain.packets;
    row.bytes = chain.bytes;
    row.from = place.from;
    row.comment = unless_empty(chain.comment);
    row.owner = chain_owner(table, chain);
    row.rules = chain.rules.size();
    return row;
}

api::FirewallRule rule_row(const std::string& target, const ChainPlace& place, const RuleText& rule) {
    const auto& [table, chain] = std::tie(*place.table, *place.chain);
    api::FirewallRule row;
    row.target = target;
    row.backend = table.backend;
    row.family = table.family;
    row.table = table.name;
    row.chain = chain.name;
    if (chain.hook) {
        row.hook = chain.hook->hook;
        row.priority = chain.hook->priority;
    }
    row.handle = handle_of(table.backend, rule.handle);
    row.number = rule.number;
    row.text = rule.text;
    row.packets = rule.packets;
    row.bytes = rule.bytes;
    row.comment = unless_empty(rule.comment);
    row.undecoded = rule.undecoded;
    row.owner = rule_owner(table, chain, rule);
    return row;
}

bool is_wanted(const api::FirewallRequest& request, const TableText& table) {
    if (request.table && *request.table != table.name && *request.table != table.family + " " + table.name)
        return false;
    if (!request.family) return true;
    return table.family != (*request.family == Family::ipv4 ? "ip6" : "ip") && table.family != "arp";
}

bool is_wanted(const api::FirewallRequest& request, const ChainPlace& place) {
    if (!is_wanted(request, *place.table)) return false;
    if (request.chain && *request.chain != place.chain->name) return false;
    return !request.hook || std::ranges::count(place.hooks, *request.hook) > 0;
}

/// Chains of hooks that have rules or drop by themselves.
bool does_something(const std::vector<TableText>& tables, bool legacy) {
    return std::ranges::any_of(tables, [&](const TableText& table) {
        if ((table.backend == RuleBackend::iptables_legacy) != legacy) return false;
        return std::ranges::any_of(table.chains, [](const ChainText& chain) {
            return chain.hook && (!chain.rules.empty() || chain.hook->policy == "drop");
        });
    });
}

class Telling {
  public:
    Telling(const std::string& target, const api::FirewallRequest& request, Rows& rows)
        : target_(target), request_(request), rows_(rows) {}

    Result<void> tell(const Ruleset& ruleset) {
        rows_.note(ruleset.consistent);
        for (const auto& place : order_chains(ruleset.tables)) {
            if (is_wanted(request_, place)) chain(place);
        }
        if (chains_ == 0 && (request_.table || request_.chain)) return unknown(ruleset);
        if (!request_.chain && !request_.hook) objects(ruleset);
        if (does_something(ruleset.tables, true) && does_something(ruleset.tables, false)) {
            note(FirewallNoteCode::both_backends,
                 "iptables-legacy has rules here, and so has nf_tables: a packet meets both, and what one of "
                 "them accepts the other may still drop");
        }
        if (undecoded_ > 0) {
            note(FirewallNoteCode::undecoded,
                 (undecoded_ == 1 ? "1 rule has" : std::to_string(undecoded_) + " rules have") +
                     " parts that are named but not said; iptables-save shows them");
        }
        for (const auto& what : ruleset.unreadable)
            note(FirewallNoteCode::unreadable, what);
        return {};
    }

  private:
    void chain(const ChainPlace& place) {
        ++chains_;
        rows_.add(chain_row(target_, place));
        for (const auto& rule : place.chain->rules) {
            rows_.add(rule_row(target_, place, rule));
            if (rule.undecoded) ++undecoded_;
        }
    }

    void objects(const Ruleset& ruleset) {
        for (const auto& table : ruleset.tables) {
            if (!is_wanted(request_, table)) continue;
            for (const auto& object : table.objects) {
                rows_.add(
                    api::FirewallObject{target_, table.family, table.name, object.kind, object.name,
                                        object.handle == 0 ? std::nullopt : std::optional(object.handle),
                                        object.text, table_owner(table)});
            }
        }
    }

    [[nodiscard]] Error unknown(const Ruleset& ruleset) const {
        std::string names;
        for (const auto& table : ruleset.tables)
            names += (names.empty() ? "" : ", ") + table.family + " " + table.name;
        return {errc::bad_request,
                "no such table or chain in " + target_,
                names.empty() ? "it has no rules" : "its tables are " + names,
                {}};
    }

    void note(FirewallNoteCode code, std::string message) {
        rows_.add(api::FirewallNote{target_, code, std::move(message)});
    }

    const std::string& target_;
    const api::FirewallRequest& request_;
    Rows& rows_;
    std::size_t chains_ = 0;
    std::size_t undecoded_ = 0;
};

Result<void> run(RulesetProcess& process, const api::FirewallRequest& request, const api::Context& context,
                 Output& output) {
    return inspect_each(context, output, [&](std::size_t i, Rows& rows) -> Result<void> {
        const auto ruleset = process.read(output);
        if (!ruleset) return ruleset.error();
        return Telling(context.targets[i].name, request, rows).tell(*ruleset);
    });
}

const Registration<api::FirewallRequest> registered{operation<prepare, run>({.net_admin = true})};

}  // namespace

}  // namespace netlab::operations::firewall
