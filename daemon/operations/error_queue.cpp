#include "daemon/operations/error_queue.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

#include <linux/errqueue.h>
#include <netinet/in.h>

namespace netlab::operations {

bool QueuedError::is_icmp() const {
    return origin == SO_EE_ORIGIN_ICMP || origin == SO_EE_ORIGIN_ICMP6;
}

std::optional<QueuedError> parse_queued_error(const cmsghdr& header) {
    const bool v4 = header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_RECVERR;
    const bool v6 = header.cmsg_level == IPPROTO_IPV6 && header.cmsg_type == IPV6_RECVERR;
    sock_extended_err error;
    if ((!v4 && !v6) || header.cmsg_len < CMSG_LEN(sizeof error)) return std::nullopt;
    std::memcpy(&error, CMSG_DATA(&header), sizeof error);
    QueuedError out;
    out.origin = error.ee_origin;
    out.type = error.ee_type;
    out.code = error.ee_code;
    out.info = error.ee_info;
    out.data = error.ee_data;
    out.error_number = static_cast<int>(error.ee_errno);
    // SO_EE_OFFENDER: the address follows.
    sockaddr_storage offender{};
    const auto size = header.cmsg_len - CMSG_LEN(sizeof error);
    std::memcpy(&offender, CMSG_DATA(&header) + sizeof error, std::min(size, sizeof offender));
    if (auto address = IpAddress::from_sockaddr(offender)) out.from = *address;
    return out;
}

bool ask_for_errors(int socket, Family family) {
    const int on = 1;
    if (family == Family::ipv4) return ::setsockopt(socket, IPPROTO_IP, IP_RECVERR, &on, sizeof on) == 0;
    return ::setsockopt(socket, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on) == 0;
}

std::optional<QueuedError> take_icmp_error(int socket) {
    std::optional<QueuedError> last;
    constexpr int most = 256;
    for (int i = 0; i < most; ++i) {
        std::array<char, 64> quoted;
        alignas(cmsghdr) std::array<char, 512> control{};
        iovec part{quoted.data(), quoted.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        if (::recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return last;
        for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr;
             header = CMSG_NXTHDR(&message, header)) {
            const auto error = parse_queued_error(*header);
            if (error && error->is_icmp()) last = error;
        }
    }
    return last;
}

}  // namespace netlab::operations
