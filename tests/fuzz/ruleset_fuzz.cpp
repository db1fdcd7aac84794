#include "daemon/operations/chain_order.hpp"
#include "daemon/operations/rule_owner.hpp"
#include "daemon/operations/ruleset_text.hpp"
#include "daemon/operations/xtables_text.hpp"
#include "tests/fuzz/check.hpp"

#include <algorithm>

using namespace netlab;
using namespace netlab::fuzz;
using namespace netlab::operations;

namespace {

void look_at_rule(const std::vector<TableText>& tables, const TableText& table, const ChainText& chain,
                  const RuleText& rule) {
    (void)rule_owner(table, chain, rule);
    // Whoever reads the rule is told that it is not all of it.
    const bool told = rule.text.find("[not decoded]") != rule.text.npos;
    check(table.backend != RuleBackend::iptables_legacy || !rule.undecoded || told);
    // Of tables of the same name the first is meant, so that another's rule may not be there.
    const auto* found = find_rule(tables, table.family, table.name, chain.name, rule.handle);
    check(found == nullptr || found->handle == rule.handle);
}

void look_at(const std::vector<TableText>& tables) {
    for (const auto& place : order_chains(tables)) {
        const auto& table = *place.table;
        const auto& chain = *place.chain;
        (void)chain_owner(table, chain);
        // Of a rule that was only named by the kernel no more than the names is known.
        const auto owner = owner_by_names(table.name, chain.name);
        check(!owner.empty() || table_owner(table).empty() || chain.name == "DOCKER-USER");
        for (const auto& rule : chain.rules)
            look_at_rule(tables, table, chain, rule);
    }
}

}  // namespace

/// The first byte says what follows: libnftables' text, what it prints in one go, or a table of
/// iptables-legacy with its hooks' offsets in front.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] % 3 == 0) {
        if (const auto tables = parse_ruleset(text)) look_at(*tables);
        return 0;
    }
    if (data[0] % 3 == 1) {
        std::string out;
        append_printed(out, text);
        const auto breaks = [](std::string_view of) { return std::ranges::count(of, '\n'); };
        // What is printed in one go never has more lines than it had.
        check(breaks(out) <= breaks(text));
        return 0;
    }
    kernel::XtBytes table;
    table.family = data[0] % 2 == 0 ? Family::ipv4 : Family::ipv6;
    table.valid_hooks = 0x1F;
    const auto bytes = std::as_bytes(std::span(text));
    if (!kernel::read(bytes, table.hook_entry)) return 0;
    const auto entries = bytes.subspan(sizeof table.hook_entry);
    table.entries.assign(entries.begin(), entries.end());
    if (const auto parsed = kernel::parse_xt_table(table))
        look_at({legacy_table(*parsed, table.family, "nat")});
    return 0;
}
