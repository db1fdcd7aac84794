#include "cli/render/capture_text.hpp"

#include "cli/render/escape.hpp"
#include "cli/render/local_time.hpp"

#include <array>
#include <cstdio>

namespace netlab::cli::capture_text {

namespace {

std::string decimal(const char* pattern, double value) {
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), pattern, value);
    return buffer.data();
}

std::string_view word(api::CaptureDirection direction) {
    switch (direction) {
        case api::CaptureDirection::in:
            return "In ";
        case api::CaptureDirection::out:
            return "Out";
        case api::CaptureDirection::inout:
            break;
    }
    return "?  ";
}

std::string end_of(const api::PacketAddress& end, Names names) {
    auto text = escape(names == Names::yes && end.name ? *end.name : end.address);
    if (end.port) text += "." + std::to_string(*end.port);
    return text;
}

/// Empty where the ends are MAC addresses.
std::string_view network_of(const api::PacketRow& packet) {
    const auto& address = packet.source.address;
    if (const auto ip = IpAddress::parse(address)) return ip->is_v4() ? "IP" : "IP6";
    return {};
}

std::string point_of(const api::PacketRow& packet) {
    return escape(packet.point) + (packet.interface ? "(" + escape(*packet.interface) + ")" : "");
}

std::string counted(const std::string& name, const api::CaptureCounts& counts) {
    return name + ": " + packets(counts.delivered) + " captured, " + std::to_string(counts.received) +
           " received by filter, " + std::to_string(counts.dropped) + " dropped" +
           (counts.ended ? "; ended early: " + escape(*counts.ended) : "") + "\n";
}

}  // namespace

std::string line(const api::PacketRow& packet, Names names) {
    std::string text =
        local_time(packet.time) + " " + point_of(packet) + " " + std::string(word(packet.direction)) + " ";
    const auto info = escape(packet.info);
    if (packet.protocol == "ARP") return text + "ARP, " + info + "\n";
    const auto ends = end_of(packet.source, names) + " > " + end_of(packet.destination, names);
    const auto network = network_of(packet);
    if (network.empty()) return text + ends + ", " + info + "\n";
    return text + std::string(network) + " " + ends + ": " + info + "\n";
}

std::string counts(std::span<const api::CaptureCounts> points) {
    std::string text;
    api::CaptureCounts all;
    for (const auto& point : points) {
        text += counted(escape(point.point), point);
        all.received += point.received;
        all.delivered += point.delivered;
        all.dropped += point.dropped;
    }
    return points.size() == 1 ? text : text + counted("all", all);
}

std::string line(const Progress& progress) {
    std::string text = packets(progress.packets) + ", " + size(progress.bytes);
    if (progress.dropped) text += ", " + std::to_string(*progress.dropped) + " dropped";
    return text + ", " + decimal("%.0f packets/s", progress.packets_per_second);
}

std::string size(std::uint64_t bytes) {
    constexpr std::array units{"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < units.size(); ++unit)
        value /= 1024;
    return decimal("%.1f ", value) + units[unit];
}

std::string packets(std::uint64_t number) {
    return std::to_string(number) + (number == 1 ? " packet" : " packets");
}

}  // namespace netlab::cli::capture_text
