#pragma once

#include "daemon/kernel/nftables.hpp"

#include <cstddef>
#include <optional>
#include <vector>

/// What rules load of an ARP header, by struct arphdr of <linux/if_arp.h> for IPv4 over Ethernet.
namespace netlab::kernel {

enum class ArpPart : std::uint8_t {
    other,
    format,  ///< what is the same in each of these frames: its bytes are known
    operation,
    sender,  ///< IP address
    target,  ///< the same
};

struct ArpLoad {
    ArpPart part = ArpPart::other;
    std::vector<std::byte> value{};  ///< of `format`
};

[[nodiscard]] ArpLoad arp_load(const NftPayload& load);

}  // namespace netlab::kernel
