#include "daemon/operations/reverse_path.hpp"

namespace netlab::operations {

bool is_path_filtered(const kernel::RouteQuery& query, const Result<kernel::InterfaceSettings>& settings,
                      const Result<kernel::RouteReply>& back) {
    constexpr int strict = 1;
    const auto filter = settings ? settings->rp_filter.value_or(0) : 0;
    if (!query.destination.is_v4() || !query.from || query.input == 0 || filter == 0 || !back) return false;
    if (back->error != 0) return true;
    // What is of one's own is martian, whatever the filter is.
    return filter == strict && back->route && back->route->kind == RTN_UNICAST &&
           back->route->hop.index != query.input;
}

kernel::RouteQuery way_back(const kernel::RouteQuery& query) {
    kernel::RouteQuery back;
    back.destination = *query.from;
    back.protocol = query.protocol;
    back.source_port = query.destination_port;
    back.destination_port = query.source_port;
    return back;
}

}  // namespace netlab::operations
