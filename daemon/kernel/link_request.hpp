#pragma once

#include "daemon/kernel/netlink.hpp"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

/// RTM_GETLINK with its one attribute, ready for dump(), and with an index for ask().
struct LinkRequest {
    nlmsghdr message{};
    ifinfomsg header{};
    nlattr attribute{};
    std::uint32_t filter;

    /// RTEXT_FILTER_ bits. Without any, the kernel takes every link to fit into a few KiB, and ends the dump
    /// at the first that does not without a word (rtnetlink.c, rtnl_calcit): there must be one.
    explicit LinkRequest(std::uint32_t filter_bits) : filter(filter_bits) {
        message.nlmsg_type = RTM_GETLINK;
        attribute.nla_type = IFLA_EXT_MASK;
        attribute.nla_len = sizeof attribute + sizeof filter;
    }
    [[nodiscard]] std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(this, 1)); }
};

}  // namespace netlab::kernel
