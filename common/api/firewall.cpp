#include "common/api/firewall.hpp"

#include "common/text.hpp"

#include <algorithm>
#include <array>

namespace netlab::api {

Result<void> check(const FirewallRequest& request, Roles /*roles*/) {
    if (request.target.empty()) return Error{errc::bad_request, "target: which one?", "see `netlab ls`", {}};
    constexpr std::array hooks{"ingress", "prerouting",  "input", "forward",
                               "output",  "postrouting", "egress"};
    if (!request.hook || std::ranges::count(hooks, *request.hook) > 0) return {};
    return Error{errc::bad_request,
                 "no hook is called " + quoted(*request.hook),
                 "ingress, prerouting, input, forward, output, postrouting or egress",
                 {}};
}

}  // namespace netlab::api
