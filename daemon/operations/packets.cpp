#include "common/api/capture.hpp"
#include "common/text.hpp"
#include "daemon/operations/capture_loop.hpp"
#include "daemon/operations/interface_names.hpp"
#include "daemon/operations/packet_text.hpp"
#include "daemon/operations/sll2.hpp"
#include "daemon/operations/time_text.hpp"

#include <algorithm>
#include <ctime>
#include <unordered_map>

/// `netlab capture`: packets of many interfaces as lines, as soon as they come. They are decoded here, where
/// nothing is left to be won by a packet that takes the decoder over.
namespace netlab::operations::packets {

namespace {

using api::Context;
using api::PacketsRequest;
using Clock = Output::Clock;

/// The kernel's shortest: whoever looks on sees a packet within two of its ticks.
constexpr std::chrono::milliseconds batch{1};

struct Handles {
    CaptureHandles capture;
    std::vector<std::optional<InterfaceNames>> names;  ///< by the place of the namespace; of points `any`
};

Result<Handles> prepare(Namespaces& namespaces, const PacketsRequest& request, const Context& context) {
    auto capture = open_capture(namespaces, request, context, batch);
    if (!capture) return capture.error();
    ::tzset();  // for TimeText
    Handles handles{std::move(*capture), {}};
    handles.names.resize(context.targets.size());
    for (const auto& source : handles.capture.sources) {
        auto& names = handles.names[source.place.place];
        if (source.place.index != 0 || names) continue;
        if (auto entered = namespaces.enter(source.place.place); !entered) return entered.error();
        const auto socket = kernel::open_route_socket();
        if (!socket) return socket.error();
        auto read = InterfaceNames::read(socket->get());
        if (!read) return read.error();
        names = std::move(*read);
    }
    return handles;
}

class RowSink final : public CaptureSink {
  public:
    RowSink(const Handles& handles, const Context& context, Output& output)
        : handles_(handles), output_(output) {
        for (const auto& [address, name] : context.names)
            names_.emplace(address.to_string(), name);
    }

    bool take(std::size_t source, const RingPacket& packet) override {
        const auto& place = handles_.capture.sources[source].place;
        const auto text = text_of(packet, place.link_type);
        api::PacketRow row;
        row.time = time_(packet.time_ns);
        row.point = place.point;
        row.direction = packet.outgoing ? api::CaptureDirection::out : api::CaptureDirection::in;
        if (place.index == 0) {
            row.interface =
                (*handles_.names[place.place])[static_cast<std::uint32_t>(packet.link->sll_ifindex)];
        }
        row.source = named(text.source);
        row.destination = named(text.destination);
        row.protocol = text.protocol;
        row.info = text.info;
        row.length = packet.length;
        row.captured = static_cast<std::uint32_t>(packet.bytes.size());
        output_.row(row);
        return true;
    }

    void flush() override { output_.flush(); }
    [[nodiscard]] bool idle() const override { return true; }

  private:
    /// The ring's memory has no link-layer header where the interface has none that could be told.
    PacketText text_of(const RingPacket& packet, pcapng::LinkType link_type) {
        if (link_type != pcapng::LinkType::linux_sll2)
            return packet_text(packet.bytes, packet.length, link_type);
        bytes_.resize(sll2_header_size + packet.bytes.size());
        std::ranges::copy(packet.bytes, put_sll2_header(bytes_.data(), *packet.link));
        return packet_text(bytes_, packet.length + sll2_header_size, link_type);
    }

    [[nodiscard]] api::PacketAddress named(const PacketEnd& end) const {
        api::PacketAddress out{end.address, end.port, std::nullopt};
        if (const auto found = names_.find(end.address); found != names_.end()) out.name = found->second;
        return out;
    }

    const Handles& handles_;
    Output& output_;
    std::unordered_map<std::string, std::string> names_;
    TimeText time_;
    std::vector<std::byte> bytes_;
};

api::PacketsStart start_of(const Handles& handles, std::string filter) {
    api::PacketsStart start;
    for (const auto& source : handles.capture.sources) {
        const auto& place = source.place;
        start.sources.push_back({place.point, place.target, valid_utf8(place.interface),
                                 std::string(pcapng::name_of(place.link_type)), place.description});
    }
    start.filter = std::move(filter);
    return start;
}

Result<void> run(Handles& handles, const PacketsRequest& request, const Context& context, Output& output) {
    output.finish_on_hangup();
    auto filter = admit_packets(handles.capture, request, context);
    if (!filter) return filter.error();
    output.event(start_of(handles, std::move(*filter)));
    const auto begin = Clock::now();
    RowSink sink(handles, context, output);
    api::PacketsReport report;
    report.end = run_capture(handles.capture, request, sink, output);
    report.elapsed_ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    for (const auto& source : handles.capture.sources) {
        report.packets += source.delivered;
        report.bytes += source.bytes;
        report.dropped += source.dropped;
        api::CaptureCounts counts{source.place.point, source.delivered + source.dropped, source.delivered,
                                  source.dropped, std::nullopt};
        if (!source.ended.empty()) counts.ended = source.ended;
        report.points.push_back(std::move(counts));
    }
    output.event(report);
    return {};
}

const Registration<PacketsRequest> registered{operation<prepare, run>({.net_raw = true,
                                                                       .start_times = true,
                                                                       .cpu_seconds = 0,
                                                                       .address_space = capture_memory,
                                                                       .descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::packets
