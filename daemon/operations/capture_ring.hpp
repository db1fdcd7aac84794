#pragma once

#include "common/error.hpp"
#include "common/pcapng.hpp"
#include "common/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <linux/filter.h>
#include <linux/if_packet.h>

/// The kernel's ring of a packet socket, TPACKET_V3 (Documentation/networking/packet_mmap.rst). libpcap,
/// which compiles the filters, reads such a ring too, but does not say of an Ethernet packet whether it came
/// or went, and hands out a block's packets before it is told which of them a new filter admits.
namespace netlab::operations {

/// What a packet socket is to be bound to, and how.
struct RingSetting {
    std::uint32_t interface = 0;  ///< index; 0: all of the namespace
    pcapng::LinkType link_type = pcapng::LinkType::ethernet;
    bool promiscuous = false;
    std::uint32_t buffer_kib = 2048;
    std::uint32_t batch_ms = 100;  ///< how long a block is kept open for more packets
};

/// One packet, in the ring's own memory.
struct RingPacket {
    std::uint64_t time_ns = 0;          ///< since 1970
    std::span<const std::byte> bytes;   ///< as far as it was kept
    std::uint32_t length = 0;           ///< on the wire
    bool outgoing = false;              ///< from the namespace that the socket is in
    const sockaddr_ll* link = nullptr;  ///< where it came from and what it is
    std::optional<std::uint32_t> vlan;  ///< TPID and TCI of a tag that the kernel has taken out
};

class CaptureRing {
  public:
    /// For `prepare`, in the namespace, with CAP_NET_RAW. It holds nothing before admit().
    /// errc::no_such_interface, errc::operation_failed (no memory for the buffer).
    [[nodiscard]] static Result<CaptureRing> open(const RingSetting& setting);

    CaptureRing(CaptureRing&&) noexcept;
    CaptureRing& operator=(CaptureRing&&) noexcept;
    ~CaptureRing();

    [[nodiscard]] int descriptor() const { return socket_.get(); }
    [[nodiscard]] bool began_down() const { return began_down_; }

    /// From now on the packets that `program` returns a length for. errc::bad_request where the kernel
    /// refuses it.
    [[nodiscard]] Result<void> admit(std::span<const sock_filter> program);
    /// From now on nothing. What is there already is still to be read.
    void stop();

    /// The packet that is next, nullptr where the kernel has not given any more.
    [[nodiscard]] const RingPacket* front();
    /// Done with it: its memory is the kernel's again.
    void pop();

    /// The kernel has begun no block with packets that front() does not show: whatever comes later is later.
    [[nodiscard]] bool empty_now() const;

    struct Counts {
        std::uint64_t received = 0;  ///< that the filter admitted, with those dropped
        std::uint64_t dropped = 0;   ///< for want of room in the ring
    };
    /// Since admit(). It is a question to the kernel.
    [[nodiscard]] Counts counts();

    enum class Condition : std::uint8_t { fine, down, removed };
    /// After poll(2) has said POLLERR: what has become of the interface. The kernel says that it went down,
    /// and not that it was removed after that: whoever has heard of the one must go on asking.
    [[nodiscard]] Condition condition();

  private:
    explicit CaptureRing(UniqueFd socket) : socket_(std::move(socket)) {}
    Result<void> map(const RingSetting& setting);
    Result<void> bind(const RingSetting& setting);
    [[nodiscard]] tpacket_block_desc& block(std::uint32_t number) const;
    bool next_block();
    void read_packet();

    UniqueFd socket_;
    bool began_down_ = false;
    std::span<std::byte> memory_;
    std::uint32_t block_size_ = 0;
    std::uint32_t blocks_ = 0;
    std::uint32_t current_ = 0;    ///< the block that is read, or the one that will be
    std::uint32_t left_ = 0;       ///< packets of it, with `packet_`
    std::byte* header_ = nullptr;  ///< of `packet_`
    RingPacket packet_;
    Counts counts_;
};

}  // namespace netlab::operations
