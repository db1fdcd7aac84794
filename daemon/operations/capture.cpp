#include "common/api/capture.hpp"

#include "common/pcapng.hpp"
#include "daemon/operations/capture_loop.hpp"
#include "daemon/operations/sll2.hpp"

#include <algorithm>
#include <cstring>

#include <sys/utsname.h>

/// `netlab capture -w`: packets of many interfaces as one pcapng.
namespace netlab::operations::capture {

namespace {

using api::CaptureRequest;
using api::Context;
using pcapng::LinkType;

constexpr std::chrono::milliseconds batch{100};
constexpr std::uint32_t vlan_tag = 4;

/// How much longer a packet may be in the file than in the kernel: no reader takes one over its snap length.
constexpr std::uint32_t added_to(LinkType type) {
    if (type == LinkType::linux_sll2) return sll2_header_size;
    return type == LinkType::ethernet ? vlan_tag : 0;
}

struct Handles {
    CaptureHandles capture;
    std::string os;
};

Result<Handles> prepare(Namespaces& namespaces, const CaptureRequest& request, const Context& context) {
    auto capture = open_capture(namespaces, request, context, batch);
    if (!capture) return capture.error();
    Handles handles{std::move(*capture), {}};
    utsname system{};
    if (::uname(&system) == 0) handles.os = std::string(system.sysname) + " " + system.release;
    return handles;
}

/// Writes packet blocks into one piece of memory, which is sent when it is full, or when no more packets are
/// there for now.
class BlockSink final : public CaptureSink {
  public:
    BlockSink(const std::vector<CaptureSource>& sources, Output& output)
        : sources_(sources), output_(output), memory_(size) {}

    bool take(std::size_t source, const RingPacket& packet) override {
        const auto type = sources_[source].place.link_type;
        const bool tagged = packet.vlan && type == LinkType::ethernet && packet.bytes.size() >= mac_addresses;
        std::uint32_t added = 0;
        if (tagged) added = vlan_tag;
        if (type == LinkType::linux_sll2) added = sll2_header_size;
        const pcapng::PacketHead head{static_cast<std::uint32_t>(source), packet.time_ns,
                                      static_cast<std::uint32_t>(packet.bytes.size()) + added,
                                      packet.length + added,
                                      packet.outgoing ? pcapng::Direction::out : pcapng::Direction::in};
        const auto block = pcapng::packet_block_size(head.captured);
        if (sending_ || used_ + block > memory_.size()) return false;
        auto* at = memory_.data() + used_;
        auto* to = pcapng::begin_packet(at, head);
        if (tagged) {
            put_tagged(to, packet);
        } else {
            if (added > 0) to = put_sll2_header(to, *packet.link);
            std::memcpy(to, packet.bytes.data(), packet.bytes.size());
        }
        pcapng::end_packet(at, head);
        used_ += block;
        return true;
    }

    void flush() override {
        if (!sending_) {
            sending_ = used_ > 0;
            rest_ = std::span(memory_).first(used_);
        }
        while (!output_.owes() && !rest_.empty()) {
            const auto piece = rest_.first(std::min(rest_.size(), frame::largest));
            rest_ = rest_.subspan(piece.size());
            output_.offer(piece);
        }
        if (sending_ && rest_.empty() && !output_.owes()) {
            sending_ = false;
            used_ = 0;
        }
    }

    [[nodiscard]] bool idle() const override { return !sending_; }

  private:
    /// More than the longest block: that of a packet as long as a block of the kernel's ring.
    static constexpr std::size_t size = 1280UL * 1024;
    static constexpr std::size_t mac_addresses = 12;

    /// The tag as it was on the wire, behind the addresses.
    static void put_tagged(std::byte* to, const RingPacket& packet) {
        std::memcpy(to, packet.bytes.data(), mac_addresses);
        for (std::size_t i = 0; i < vlan_tag; ++i)
            to[mac_addresses + i] = static_cast<std::byte>(*packet.vlan >> (8 * (vlan_tag - 1 - i)));
        const auto rest = packet.bytes.subspan(mac_addresses);
        std::memcpy(to + mac_addresses + vlan_tag, rest.data(), rest.size());
    }

    const std::vector<CaptureSource>& sources_;
    Output& output_;
    std::vector<std::byte> memory_;
    std::size_t used_ = 0;             ///< of memory_: whole blocks
    bool sending_ = false;             ///< these are being sent: nothing is added
    std::span<const std::byte> rest_;  ///< of these, what has not been offered yet
};

/// What a file needs to be read: everything but the packets.
pcapng::Bytes beginning(const Handles& handles, const CaptureRequest& request, const Context& context,
                        const std::string& filter) {
    pcapng::Bytes out;
    pcapng::append_section(out, handles.os, "netlabd " NETLAB_VERSION);
    const auto snap = request.snap_length == 0 ? api::CaptureLimits::snap : request.snap_length;
    for (const auto& source : handles.capture.sources) {
        const auto& place = source.place;
        pcapng::append_interface(
            out, {place.point, place.description, filter, place.link_type, snap + added_to(place.link_type)});
    }
    // Of several names of one address Wireshark would show the last.
    auto names = context.names;
    std::ranges::stable_sort(names, {}, &api::NamedAddress::address);
    const auto same = [](const auto& one, const auto& other) { return one.address == other.address; };
    names.erase(std::unique(names.begin(), names.end(), same), names.end());
    pcapng::append_names(out, names);
    return out;
}

Result<void> run(Handles& handles, const CaptureRequest& request, const Context& context, Output& output) {
    output.finish_on_hangup();
    const auto filter = admit_packets(handles.capture, request, context);
    if (!filter) return filter.error();
    output.data(beginning(handles, request, context, *filter));
    BlockSink sink(handles.capture.sources, output);
    run_capture(handles.capture, request, sink, output);
    pcapng::Bytes end;
    for (std::uint32_t i = 0; const auto& source : handles.capture.sources) {
        pcapng::append_statistics(
            end, {i++, source.started_ns, source.ended_ns, source.delivered + source.dropped, source.dropped,
                  source.delivered, source.ended});
    }
    output.data(end);
    return {};
}

const Registration<CaptureRequest> registered{operation<prepare, run>({.net_raw = true,
                                                                       .start_times = true,
                                                                       .cpu_seconds = 0,
                                                                       .address_space = capture_memory,
                                                                       .descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::capture
