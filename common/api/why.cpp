#include "common/api/why.hpp"

#include <algorithm>

namespace netlab::api {

namespace {

Error bad(std::string message, std::string hint = {}) {
    return {errc::bad_request, std::move(message), std::move(hint), {}};
}

Result<void> check_size(const WhyRequest& request) {
    if (request.size == 0) return {};
    constexpr std::uint32_t smallest = 68;  // RFC 791: what every link must carry, with room for our headers
    constexpr std::uint32_t largest = 65'535;
    if (request.protocol == WhyProtocol::tcp)
        return bad("size is of echoes and datagrams: a SYN has no payload",
                   "leave out the port, or add /udp");
    if (request.size < smallest || request.size > largest) return bad("size: from 68 to 65535 bytes");
    return {};
}

}  // namespace

Result<void> check(const WhyRequest& request, Roles roles) {
    if (request.from.empty()) return bad("from: a target is needed");
    if (request.to.empty()) return bad("to: a name, an address or a target is needed");
    if (request.protocol == WhyProtocol::icmp && request.port != 0)
        return bad("port: an echo has none", "TO:PORT/tcp or TO:PORT/udp");
    if (request.protocol != WhyProtocol::icmp && request.port == 0) return bad("port: from 1 to 65535");
    constexpr double longest_ms = 60'000;
    if (!(request.wait_ms > 0) || request.wait_ms > longest_ms)
        return bad("wait: more than 0, up to 60 seconds");
    if (auto size = check_size(request); !size) return size;
    if (request.probe && !roles.has(Role::probe))
        return Error{errc::permission_denied,
                     "to send a packet needs the role probe",
                     "--no-probe says what the kernels' tables say",
                     {}};
    return {};
}

std::uint32_t deadline_ms(const WhyRequest& request) {
    // As for a ping: what a resolver may take; then one packet.
    constexpr double resolving = 60'000;
    return static_cast<std::uint32_t>(resolving + 2 * request.wait_ms + 10'000);
}

}  // namespace netlab::api
