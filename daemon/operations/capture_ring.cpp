#include "daemon/operations/capture_ring.hpp"

#include "daemon/operations/read_only.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <memory>
#include <utility>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <sys/mman.h>
#include <sys/socket.h>

namespace netlab::operations {

namespace {

constexpr sock_filter nothing{BPF_RET | BPF_K, 0, 0, 0};

template <class T>
bool set_option(int socket, int option, const T& value) {
    return ::setsockopt(socket, SOL_PACKET, option, &value, sizeof value) == 0;
}

bool attach(int socket, std::span<const sock_filter> program) {
    const sock_fprog whole{static_cast<unsigned short>(program.size()),
                           const_cast<sock_filter*>(program.data())};
    return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &whole, sizeof whole) == 0;
}

Error failed(std::string_view what) {
    return system_error(errc::operation_failed, what, errno);
}

/// Large enough for what segmentation offload makes of a packet, small enough that several are in the ring.
std::uint32_t block_size_of(std::uint32_t buffer) {
    constexpr std::uint32_t smallest = 128 * 1024;
    constexpr std::uint32_t largest = 1024 * 1024;
    return std::clamp(std::bit_floor(buffer / 8), smallest, largest);
}

}  // namespace

Result<CaptureRing> CaptureRing::open(const RingSetting& setting) {
    const bool whole_frame = setting.link_type == pcapng::LinkType::ethernet;
    // Protocol 0: it receives nothing before bind().
    const UniqueFd socket(
        ::socket(AF_PACKET, (whole_frame ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return failed("open a packet socket");
    auto reader = read_only(socket);
    if (!reader) return reader.error();
    CaptureRing ring(std::move(*reader));
    if (auto mapped = ring.map(setting); !mapped) return mapped.error();
    if (!attach(ring.descriptor(), std::span(&nothing, 1))) return failed("attach a filter");
    if (auto bound = ring.bind(setting); !bound) return bound.error();
    return ring;
}

Result<void> CaptureRing::map(const RingSetting& setting) {
    constexpr int version = TPACKET_V3;
    if (!set_option(descriptor(), PACKET_VERSION, version)) return failed("ask for TPACKET_V3");
    constexpr std::uint32_t frame = 2048;  // only its number counts: packets are as long as they are
    const auto buffer = setting.buffer_kib * 1024;
    block_size_ = block_size_of(buffer);
    blocks_ = std::max<std::uint32_t>(2, buffer / block_size_);
    tpacket_req3 request{};
    request.tp_block_size = block_size_;
    request.tp_block_nr = blocks_;
    request.tp_frame_size = frame;
    request.tp_frame_nr = block_size_ / frame * blocks_;
    request.tp_retire_blk_tov = setting.batch_ms;
    if (!set_option(descriptor(), PACKET_RX_RING, request)) {
        auto error = failed("get a buffer of " + std::to_string(setting.buffer_kib) + " KiB from the kernel");
        error.hint = "a smaller one: -B";
        return error;
    }
    const auto size = std::size_t{block_size_} * blocks_;
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor(), 0);
    if (memory == MAP_FAILED) return failed("map the packet buffer");
    memory_ = {static_cast<std::byte*>(memory), size};
    return {};
}

Result<void> CaptureRing::bind(const RingSetting& setting) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(setting.interface);
    if (::bind(descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int error = errno;
        return system_error(
            error == ENODEV || error == ENXIO ? errc::no_such_interface : errc::operation_failed,
            "bind to the interface", error);
    }
    // One that is down is bound to all the same, and says so once.
    began_down_ = condition() != Condition::fine;
    if (!setting.promiscuous || setting.interface == 0) return {};
    packet_mreq membership{};
    membership.mr_ifindex = static_cast<int>(setting.interface);
    membership.mr_type = PACKET_MR_PROMISC;
    if (!set_option(descriptor(), PACKET_ADD_MEMBERSHIP, membership))
        return failed("ask for promiscuous mode");
    return {};
}

CaptureRing::CaptureRing(CaptureRing&& other) noexcept
    : socket_(std::move(other.socket_)),
      began_down_(other.began_down_),
      memory_(std::exchange(other.memory_, {})),
      block_size_(other.block_size_),
      blocks_(other.blocks_),
      current_(other.current_),
      left_(std::exchange(other.left_, 0)),
      header_(other.header_),
      packet_(other.packet_),
      counts_(other.counts_) {}

CaptureRing& CaptureRing::operator=(CaptureRing&& other) noexcept {
    if (this == &other) return *this;
    std::destroy_at(this);
    std::construct_at(this, std::move(other));
    return *this;
}

CaptureRing::~CaptureRing() {
    if (!memory_.empty()) ::munmap(memory_.data(), memory_.size());
}

Result<void> CaptureRing::admit(std::span<const sock_filter> program) {
    if (attach(descriptor(), program)) return {};
    const int error = errno;
    return Error{
        errc::bad_request,
        "the kernel refuses the filter: " + system_error(errc::bad_request, "attach it", error).message,
        "a shorter one",
        {}};
}

void CaptureRing::stop() {
    attach(descriptor(), std::span(&nothing, 1));
}

tpacket_block_desc& CaptureRing::block(std::uint32_t number) const {
    return *reinterpret_cast<tpacket_block_desc*>(memory_.data() + std::size_t{number} * block_size_);
}

const RingPacket* CaptureRing::front() {
    return left_ > 0 || next_block() ? &packet_ : nullptr;
}

bool CaptureRing::next_block() {
    for (;;) {
        auto& header = block(current_).hdr.bh1;
        // The kernel writes the status last (af_packet.c, prb_close_block).
        const std::atomic_ref status(header.block_status);
        if ((status.load(std::memory_order_acquire) & TP_STATUS_USER) == 0) return false;
        left_ = header.num_pkts;
        if (left_ > 0) {
            header_ = reinterpret_cast<std::byte*>(&block(current_)) + header.offset_to_first_pkt;
            read_packet();
            return true;
        }
        status.store(TP_STATUS_KERNEL, std::memory_order_release);
        current_ = (current_ + 1) % blocks_;
    }
}

void CaptureRing::read_packet() {
    const auto& header = *reinterpret_cast<const tpacket3_hdr*>(header_);
    constexpr std::uint64_t second = 1'000'000'000;
    packet_.time_ns = header.tp_sec * second + header.tp_nsec;
    packet_.bytes = {header_ + header.tp_mac, header.tp_snaplen};
    packet_.length = header.tp_len;
    packet_.link = reinterpret_cast<const sockaddr_ll*>(header_ + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
    packet_.outgoing = packet_.link->sll_pkttype == PACKET_OUTGOING;
    packet_.vlan.reset();
    if ((header.tp_status & TP_STATUS_VLAN_VALID) == 0) return;
    const bool protocol_known = (header.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
    const std::uint32_t protocol = protocol_known ? header.hv1.tp_vlan_tpid : ETH_P_8021Q;
    packet_.vlan = protocol << 16 | (header.hv1.tp_vlan_tci & 0xFFFFU);
}

void CaptureRing::pop() {
    if (--left_ > 0) {
        header_ += reinterpret_cast<const tpacket3_hdr*>(header_)->tp_next_offset;
        read_packet();
        return;
    }
    std::atomic_ref(block(current_).hdr.bh1.block_status).store(TP_STATUS_KERNEL, std::memory_order_release);
    current_ = (current_ + 1) % blocks_;
}

bool CaptureRing::empty_now() const {
    auto& header = block(current_).hdr.bh1;
    // The kernel counts a block's packets while it fills it (prb_fill_curr_block).
    return left_ == 0 && std::atomic_ref(header.num_pkts).load(std::memory_order_acquire) == 0 &&
           (std::atomic_ref(header.block_status).load(std::memory_order_acquire) & TP_STATUS_USER) == 0;
}

CaptureRing::Counts CaptureRing::counts() {
    tpacket_stats_v3 now{};
    socklen_t size = sizeof now;
    // Reading sets the kernel's to zero.
    if (::getsockopt(descriptor(), SOL_PACKET, PACKET_STATISTICS, &now, &size) == 0) {
        counts_.received += now.tp_packets;
        counts_.dropped += now.tp_drops;
    }
    return counts_;
}

CaptureRing::Condition CaptureRing::condition() {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
    sockaddr_ll address{};
    socklen_t length = sizeof address;
    const bool known = ::getsockname(descriptor(), reinterpret_cast<sockaddr*>(&address), &length) == 0;
    // packet_notifier() leaves -1 where the interface is no more, and binds it again where it comes up.
    if (known && address.sll_ifindex < 0) return Condition::removed;
    return error == ENETDOWN ? Condition::down : Condition::fine;
}

}  // namespace netlab::operations
