#pragma once

#include <cstddef>

#include <linux/if_packet.h>

namespace netlab::operations {

/// What a packet of LINKTYPE_LINUX_SLL2 begins with (tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html).
inline constexpr std::size_t sll2_header_size = 20;

/// Writes the header of a packet that a cooked packet socket gave, with its sockaddr_ll. Returns the place
/// behind it.
std::byte* put_sll2_header(std::byte* out, const sockaddr_ll& link);

}  // namespace netlab::operations
