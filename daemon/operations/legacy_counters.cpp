#include "daemon/operations/legacy_counters.hpp"

#include "daemon/kernel/netlink.hpp"

#include <array>
#include <memory>

namespace netlab::operations {

namespace {

constexpr std::array names{"raw", "mangle", "nat", "filter", "security"};

struct TableOrder {
    std::uint32_t name = 0;  ///< of `names`
    bool v4 = true;
};

/// What an answer begins with; the entries follow.
struct TableHead {
    std::array<std::uint32_t, 5> hook_entry{};
    std::uint32_t valid_hooks = 0;
};

struct Sockets {
    UniqueFd v4;
    UniqueFd v6;
};

/// Empty where that fails.
BesideProcess::Bytes carry_out(const Sockets& sockets, const TableOrder& order) {
    if (order.name >= names.size()) return {};
    const auto family = order.v4 ? Family::ipv4 : Family::ipv6;
    const auto table =
        kernel::read_xt_table((order.v4 ? sockets.v4 : sockets.v6).get(), names[order.name], family);
    if (!table || table->too_large) return {};
    const TableHead head{table->hook_entry, table->valid_hooks};
    const auto bytes = std::as_bytes(std::span(&head, 1));
    BesideProcess::Bytes out(bytes.begin(), bytes.end());
    out.insert(out.end(), table->entries.begin(), table->entries.end());
    return out;
}

Error unread(const char* table) {
    return {
        errc::operation_failed, "iptables-legacy's table " + std::string(table) + " cannot be read", {}, {}};
}

std::vector<std::uint32_t> tables_there(Family family) {
    std::vector<std::uint32_t> out;
    for (std::uint32_t i = 0; i < names.size(); ++i) {
        if (kernel::has_xt_table(names[i], family)) out.push_back(i);
    }
    return out;
}

}  // namespace

Result<std::optional<LegacyCounters>> LegacyCounters::start(Namespaces& namespaces, std::size_t place) {
    if (auto entered = namespaces.enter(place); !entered) return entered.error();
    LegacyCounters out;
    out.v4_ = tables_there(Family::ipv4);
    out.v6_ = tables_there(Family::ipv6);
    if (out.v4_.empty() && out.v6_.empty()) return std::optional<LegacyCounters>();
    const auto sockets = std::make_shared<Sockets>();
    for (auto* one : {&sockets->v4, &sockets->v6}) {
        auto socket = kernel::open_xt_socket(one == &sockets->v4 ? Family::ipv4 : Family::ipv6);
        // A kernel may be without IPv6; then nobody asks for its tables.
        if (socket) *one = std::move(*socket);
    }
    auto beside = BesideProcess::start(namespaces, [sockets](const BesideProcess::Order& order) {
        return carry_out(*sockets, from_order<TableOrder>(order));
    });
    if (!beside) return beside.error();
    out.beside_ = std::move(*beside);
    return std::optional(std::move(out));
}

void LegacyCounters::begin(Family family, Output& output) {
    family_ = family;
    before_.reset();
    if (auto tables = read(output)) before_ = std::move(*tables);
}

std::optional<RuleCounts> LegacyCounters::count(Output& output) {
    if (!before_) return std::nullopt;
    const auto after = read(output);
    return after ? RuleCounts::between(*before_, *after, family_) : std::nullopt;
}

Result<std::vector<LegacyTable>> LegacyCounters::read(Output& output) {
    std::vector<LegacyTable> out;
    const bool v4 = family_ == Family::ipv4;
    for (const auto name : v4 ? v4_ : v6_) {
        const auto answer = beside_->ask(to_order(TableOrder{name, v4}), output);
        if (!answer) return answer.error();
        TableHead head;
        if (!kernel::read(*answer, head)) return unread(names[name]);
        kernel::XtBytes bytes{head.hook_entry, head.valid_hooks, {}, false, family_};
        bytes.entries.assign(answer->begin() + sizeof head, answer->end());
        auto table = kernel::parse_xt_table(bytes);
        if (!table) return unread(names[name]);
        out.push_back({names[name], std::move(*table)});
    }
    return out;
}

}  // namespace netlab::operations
