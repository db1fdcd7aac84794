#include "common/api/conntrack.hpp"

#include "daemon/operations/conntrack_place.hpp"
#include "daemon/operations/conntrack_staleness.hpp"
#include "daemon/operations/embedded_resolver.hpp"
#include "daemon/operations/inspection.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>

/// `netlab conntrack`: the table of connection tracking, asked for in `prepare` and read in `run`.
namespace netlab::operations::conntrack {

namespace {

/// What the host's entries are held against.
struct Around {
    UniqueFd route;
    Result<kernel::NftTables> nft;
    Result<std::optional<kernel::XtBytes>> legacy;
};

struct Handles {
    ConntrackPlace place;
    kernel::ConntrackTable table;
    std::optional<Around> around;  ///< of the host's table
};

Result<Handles> prepare(Namespaces& namespaces, const api::ConntrackRequest& request,
                        const api::Context& context) {
    auto place = enter_conntrack_place(namespaces, request, context);
    if (!place) return place.error();
    ::tzset();  // for TimeText
    std::optional<Around> around;
    if (place->host) {
        auto route = kernel::open_route_socket();
        if (!route) return route.error();
        around =
            Around{std::move(*route), kernel::NftTables::ask(NFPROTO_UNSPEC), kernel::read_xt_table("nat")};
    }
    auto table = kernel::ConntrackTable::ask(request.family);
    if (!table) return table.error();
    return Handles{std::move(*place), std::move(*table), std::move(around)};
}

/// What cannot be read of the surroundings is no reason to show nothing: nothing is called stale then.
std::optional<ConntrackSurroundings> read_around(Around& around) {
    auto read = read_surroundings(around.route.get());
    if (!read) return std::nullopt;
    auto rules = known_rules(around.nft ? around.nft->read() : around.nft.error(), around.legacy);
    if (rules.known) read->chains = std::move(rules.chains);
    return std::move(*read);
}

Result<void> run(Handles& handles, const api::ConntrackRequest& request, const api::Context& context,
                 Output& output) {
    ConntrackFilter filter(request);
    const AddressNames names(context.names);
    ConntrackRows to_row(names);
    return inspect_each(context, output, [&](std::size_t, Rows& rows) -> Result<void> {
        if (auto limited = limit_to_target(handles.place, context, filter); !limited) return limited;
        std::optional<ConntrackSurroundings> around;
        if (handles.around && context.names_complete) around = read_around(*handles.around);
        const auto end = handles.table.read([&](kernel::ConntrackChange, const kernel::Conntrack& entry) {
            if (!filter.admits(entry)) return;
            auto& row = to_row.row_of(entry);
            if (around) row.stale = find_stale(entry, *around, names);
            rows.add(row);
            if (row.stale) rows.finding();
        });
        if (!end) return end.error();
        if (!end->supported) return no_conntrack();
        rows.note(end->consistent && end->left_out == 0);
        auto table = table_row(handles.place.target, handles.table.statistics());
        table.stale_checked = around.has_value();
        output.row(table);
        if (table.finding) rows.finding();
        return {};
    });
}

const Registration<api::ConntrackRequest> registered{
    operation<prepare, run>({.net_admin = true, .cpu_seconds = 60})};

}  // namespace

}  // namespace netlab::operations::conntrack
