#pragma once

#include "daemon/kernel/nftables.hpp"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

/// How nf_tables writes its attributes; for those that take its messages apart.
namespace netlab::kernel::nft_attributes {

using Bytes = std::span<const std::byte>;

/// nf_tables' numbers are big-endian. 0 where there are too few bytes.
template <class Number>
[[nodiscard]] Number big_endian(Bytes value) {
    if (value.size() < sizeof(Number)) return 0;
    std::uint64_t number = 0;
    for (const auto byte : value.first(sizeof(Number)))
        number = number << 8 | std::to_integer<std::uint64_t>(byte);
    return static_cast<Number>(number);
}
[[nodiscard]] inline std::uint32_t number(Bytes value) {
    return big_endian<std::uint32_t>(value);
}

/// NFTA_DATA_VALUE of a nested NFTA_..._DATA, not longer than the kernel allows a value to be.
[[nodiscard]] std::vector<std::byte> data_value(Bytes value);

/// NFTA_DATA_VERDICT.
[[nodiscard]] NftVerdict parse_verdict(Bytes data);

/// Calls `each(family, attributes)` for the messages of one type.
template <class Each>
void for_each_object(Bytes bytes, std::uint16_t wanted, Each each) {
    for_each_message(bytes, [&](std::uint16_t type, Bytes message) {
        nfgenmsg header;
        if (type != (NFNL_SUBSYS_NFTABLES << 8 | wanted) || !read(message, header)) return;
        each(header.nfgen_family,
             message.subspan(std::min(message.size(), std::size_t{NLMSG_ALIGN(sizeof header)})));
    });
}

}  // namespace netlab::kernel::nft_attributes
