#pragma once

#include "common/error.hpp"
#include "common/unique_fd.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <linux/netlink.h>

namespace netlab::kernel {

/// A dump is tried again while the kernel says that it changed underneath, for this long.
inline constexpr std::chrono::milliseconds dump_deadline{2000};

/// Rows of one dump, in the kernel's order.
template <class Row>
struct Dump {
    std::vector<Row> rows;
    bool consistent =
        true;  ///< false: it was interrupted by changes until the deadline; rows may be missing or double
    bool notified =
        false;  ///< a multicast message came in between and was dropped: something may have changed since
};

/// A bound, non-blocking NETLINK_ROUTE socket in the calling thread's network namespace, with strict checking
/// and error texts. `multicast_groups`: RTMGRP_ bits of <linux/rtnetlink.h>. errc::operation_failed.
[[nodiscard]] Result<UniqueFd> open_route_socket(std::uint32_t multicast_groups = 0);

/// One dump as bytes: `rows` are its messages one after another, without NLMSG_DONE.
/// `message` is a whole request: nlmsghdr (type; the rest is filled in) and what follows it. One dump per
/// socket at a time. errc::operation_failed with the kernel's own words; errc::timed_out where not even one
/// dump came to its end in time.
[[nodiscard]] Result<Dump<std::byte>> dump(int socket, std::span<std::byte> message,
                                           std::chrono::milliseconds deadline = dump_deadline);

/// The kernel's answer to one request that is no dump.
struct Answer {
    int error = 0;                   ///< the errno that the kernel refused it with, 0 where it did not
    std::vector<std::byte> message;  ///< one whole message
};

/// Sends `message` (see dump()) and waits for its one answer. errc::operation_failed; errc::timed_out where
/// none comes before dump_deadline.
[[nodiscard]] Result<Answer> ask(int socket, std::span<std::byte> message);

/// How a streamed dump ended.
struct DumpEnd {
    bool consistent = true;  ///< false: it was interrupted by changes, or the kernel stopped in the middle
    bool supported = true;   ///< false: this kernel has no such table
};

/// One dump, handed to `take` datagram by datagram as whole messages one after another, without NLMSG_DONE:
/// for tables that are too long to be kept. What has been taken cannot be taken back, so it is not tried
/// again where it was interrupted. dump_deadline is for each datagram, so that whoever takes them may take
/// his time. errc as dump().
[[nodiscard]] Result<DumpEnd> stream_dump(int socket, std::span<std::byte> message,
                                          const std::function<void(std::span<const std::byte>)>& take);

/// The two halves of stream_dump(), for a request whose sender must be privileged while its reader need not
/// be. send_dump() returns the sequence number that read_dump() wants. errc as dump().
[[nodiscard]] Result<std::uint32_t> send_dump(int socket, std::span<std::byte> message);
[[nodiscard]] Result<DumpEnd> read_dump(int socket, std::uint32_t sequence,
                                        const std::function<void(std::span<const std::byte>)>& take);

/// A bound, non-blocking NETLINK_SOCK_DIAG socket in the calling thread's network namespace.
/// errc::operation_failed.
[[nodiscard]] Result<UniqueFd> open_sock_diag_socket();

/// The same of NETLINK_NETFILTER. What is asked on it takes CAP_NET_ADMIN, what is read does not.
/// `multicast_groups`: 1 << (NFNLGRP_ - 1), which take it too.
[[nodiscard]] Result<UniqueFd> open_netfilter_socket(std::uint32_t multicast_groups = 0);

/// Throws away what has been received: multicast messages that only say that something changed, and the rest
/// of a dump that came late. False where there was nothing; an overrun (ENOBUFS) counts as something.
[[nodiscard]] bool drain(int socket);

/// The requests that begin with `Header` (ifinfomsg, ifaddrmsg, rtmsg), ready for dump().
template <class Header>
struct DumpRequest {
    nlmsghdr message{};
    Header header{};

    explicit DumpRequest(std::uint16_t type) {
        message.nlmsg_len = sizeof *this;
        message.nlmsg_type = type;
    }
    [[nodiscard]] std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(this, 1)); }
};

/// A fixed-size value at the start of `bytes`; false where they are too few. What follows it is ignored: the
/// kernel may append.
template <class T>
[[nodiscard]] bool read(std::span<const std::byte> bytes, T& out) {
    if (bytes.size() < sizeof out) return false;
    std::memcpy(&out, bytes.data(), sizeof out);
    return true;
}

/// A string attribute: up to its first zero.
[[nodiscard]] inline std::string text(std::span<const std::byte> bytes) {
    const auto* begin = reinterpret_cast<const char*>(bytes.data());
    return {begin, ::strnlen(begin, bytes.size())};
}

/// Calls `each(type, payload)` for every whole message in `bytes`; stops at the first that is not.
template <class Each>
void for_each_message(std::span<const std::byte> bytes, Each each) {
    nlmsghdr header;
    while (read(bytes, header)) {
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size()) return;
        each(header.nlmsg_type, bytes.subspan(sizeof header, header.nlmsg_len - sizeof header));
        bytes = bytes.subspan(std::min(bytes.size(), (std::size_t{header.nlmsg_len} + 3) & ~std::size_t{3}));
    }
}

/// Calls `each(type, payload)` for every whole attribute in `bytes`, without the flags of its type; stops at
/// the first that is not.
template <class Each>
void for_each_attribute(std::span<const std::byte> bytes, Each each) {
    nlattr header;
    while (read(bytes, header)) {
        if (header.nla_len < sizeof header || header.nla_len > bytes.size()) return;
        each(header.nla_type & NLA_TYPE_MASK, bytes.subspan(sizeof header, header.nla_len - sizeof header));
        bytes = bytes.subspan(std::min(bytes.size(), (std::size_t{header.nla_len} + 3) & ~std::size_t{3}));
    }
}

}  // namespace netlab::kernel
