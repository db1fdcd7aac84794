#include "common/api/routes.hpp"

#include "daemon/operations/inspection.hpp"
#include "daemon/operations/route_row.hpp"

/// `netlab routes`: RTM_GETROUTE of each target.
namespace netlab::operations::routes {

namespace {

using Handles = std::vector<Result<UniqueFd>>;

Result<Handles> prepare(Namespaces& namespaces, const api::RoutesRequest&, const api::Context& context) {
    return open_route_sockets(namespaces, context);
}

Result<void> run(Handles& handles, const api::RoutesRequest& request, const api::Context& context,
                 Output& output) {
    const auto table = api::parse_table(request.table);
    if (!table) return table.error();
    return inspect_each(context, output, [&](std::size_t i, Rows& rows) -> Result<void> {
        if (!handles[i]) return handles[i].error();
        const int socket = handles[i]->get();
        // Routes first: an interface that comes in between is then known by its name.
        const auto routes = kernel::dump_routes(socket, *table);
        if (!routes) return routes.error();
        const auto names = InterfaceNames::read(socket);
        if (!names) return names.error();
        rows.note(routes->consistent && names->consistent());
        for (const auto& route : routes->rows) {
            api::RouteRow row{route_entry(context.targets[i].name, route, *names)};
            if (!request.family || row.family == *request.family) rows.add(row);
        }
        return {};
    });
}

const Registration<api::RoutesRequest> registered{
    operation<prepare, run>({.address_space = large_tables, .descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::routes
