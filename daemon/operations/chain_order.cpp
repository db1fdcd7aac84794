#include "daemon/operations/chain_order.hpp"

#include "daemon/operations/rule_owner.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace netlab::operations {

namespace {

constexpr std::array hooks{"ingress", "prerouting", "input", "forward", "output", "postrouting", "egress"};
constexpr std::array families{"netdev", "bridge", "arp", "inet", "ip", "ip6"};

/// The last is what is not known.
template <std::size_t size>
std::size_t rank(const std::array<const char*, size>& names, const std::string& name) {
    return static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
}

/// The chains of one table and who jumps to whom, by place.
class TableJumps {
  public:
    explicit TableJumps(const TableText& table)
        : table_(table), jumps_(table.chains.size()), from_(table.chains.size()) {
        for (std::size_t i = 0; i < table.chains.size(); ++i)
            places_.emplace(table.chains[i].name, i);
        for (std::size_t i = 0; i < table.chains.size(); ++i) {
            for (const auto& rule : table.chains[i].rules)
                take_rule(i, rule.text);
        }
        for (const auto& object : table.objects)
            take_jumps(object.text, "@" + object.name, nullptr);
    }

    [[nodiscard]] const std::vector<std::size_t>& jumps(std::size_t chain) const { return jumps_[chain]; }
    [[nodiscard]] const std::vector<std::string>& from(std::size_t chain) const { return from_[chain]; }

  private:
    void take_rule(std::size_t chain, std::string_view text) {
        take_jumps(text, table_.chains[chain].name, &jumps_[chain]);
        for (const auto& object : table_.objects) {
            if (object.kind == "map" && text.find("@" + object.name) != text.npos)
                take_jumps(object.text, {}, &jumps_[chain]);
        }
    }

    void take_jumps(std::string_view text, const std::string& source, std::vector<std::size_t>* jumps) {
        for (const auto& name : jumps_of(table_.backend, text)) {
            const auto found = places_.find(name);
            if (found == places_.end()) continue;
            auto& from = from_[found->second];
            if (!source.empty() && std::ranges::count(from, source) == 0) from.push_back(source);
            if (jumps != nullptr && std::ranges::count(*jumps, found->second) == 0)
                jumps->push_back(found->second);
        }
    }

    const TableText& table_;
    std::map<std::string, std::size_t, std::less<>> places_;
    std::vector<std::vector<std::size_t>> jumps_;
    std::vector<std::vector<std::string>> from_;
};

class Order {
  public:
    explicit Order(const std::vector<TableText>& tables) : tables_(tables) {
        for (const auto& table : tables) {
            jumps_.emplace_back(table);
            met_.emplace_back(table.chains.size());
        }
    }

    std::vector<ChainPlace> order() {
        for (const auto& [table, chain] : base_chains())
            visit(table, chain, tables_[table].chains[chain].hook->hook);
        for (std::size_t table = 0; table < tables_.size(); ++table) {
            for (std::size_t chain = 0; chain < tables_[table].chains.size(); ++chain) {
                if (!met_[table][chain]) visit(table, chain, {});
            }
        }
        return std::move(out_);
    }

  private:
    using Place = std::pair<std::size_t, std::size_t>;

    [[nodiscard]] std::vector<Place> base_chains() const {
        std::vector<Place> out;
        for (std::size_t table = 0; table < tables_.size(); ++table) {
            for (std::size_t chain = 0; chain < tables_[table].chains.size(); ++chain) {
                if (tables_[table].chains[chain].hook) out.emplace_back(table, chain);
            }
        }
        // Of equal priority the one that was registered last is the first (nf_hook_entries_grow).
        std::ranges::reverse(out);
        std::ranges::stable_sort(out, {}, [&](const Place& place) {
            const auto& table = tables_[place.first];
            const auto& hook = *table.chains[place.second].hook;
            const auto of_ip = rank(families, "inet");
            return std::tuple(rank(hooks, hook.hook), hook.priority,
                              std::min(rank(families, table.family), of_ip));
        });
        return out;
    }

    /// The chains that are come to from there, too: without recursion, as a hostile table may be deep.
    void visit(std::size_t table, std::size_t first, const std::string& hook) {
        std::vector<std::size_t> left{first};
        std::vector<bool> seen(tables_[table].chains.size());
        while (!left.empty()) {
            const auto chain = left.back();
            left.pop_back();
            if (seen[chain]) continue;
            seen[chain] = true;
            auto& met = met_[table][chain];
            if (!met) {
                met = out_.size();
                out_.push_back(
                    {&tables_[table], &tables_[table].chains[chain], jumps_[table].from(chain), {}});
            }
            auto& of = out_[*met].hooks;
            if (!hook.empty() && std::ranges::count(of, hook) == 0) of.push_back(hook);
            const auto& jumps = jumps_[table].jumps(chain);
            left.insert(left.end(), jumps.rbegin(), jumps.rend());
        }
    }

    const std::vector<TableText>& tables_;
    std::vector<TableJumps> jumps_;
    std::vector<std::vector<std::optional<std::size_t>>> met_;
    std::vector<ChainPlace> out_;
};

}  // namespace

std::vector<ChainPlace> order_chains(const std::vector<TableText>& tables) {
    return Order(tables).order();
}

}  // namespace netlab::operations
