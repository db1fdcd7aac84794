#include "common/api/route.hpp"

namespace netlab::api {

Result<void> check(const RouteRequest& request, Roles) {
    if (request.target.empty()) return Error{errc::bad_request, "target: which one?", "see `netlab ls`", {}};
    if (request.destination.empty())
        return Error{errc::bad_request, "destination: an address or a target is needed", {}, {}};
    const auto destination = IpAddress::parse(request.destination);
    if (destination && request.from && request.from->family() != destination->family())
        return different_families(*request.from, *destination);
    return {};
}

Error different_families(const IpAddress& from, const IpAddress& destination) {
    return {
        errc::bad_request,
        "from " + from.to_string() + " to " + destination.to_string() + ": the two are of different families",
        {},
        {}};
}

}  // namespace netlab::api
