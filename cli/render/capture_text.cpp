#include "cli/render/capture_text.hpp"

#include "cli/render/escape.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace netlab::cli::capture_text {

namespace {

std::string decimal(const char* pattern, double value) {
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), pattern, value);
    return buffer.data();
}

/// The decimal number at a place of `text`; nullopt where it is none.
std::optional<int> number(std::string_view text, std::size_t at, std::size_t length) {
    if (text.size() < at + length) return std::nullopt;
    int value = 0;
    const auto* begin = text.data() + at;
    const auto [end, error] = std::from_chars(begin, begin + length, value);
    if (error != std::errc{} || end != begin + length) return std::nullopt;
    return value;
}

/// "12:00:01.123456" in local time of "2026-11-26T11:00:01.123456789Z"; what is no such time as it is.
std::string local_time(std::string_view text) {
    const auto year = number(text, 0, 4);
    const auto month = number(text, 5, 2);
    const auto day = number(text, 8, 2);
    const auto hour = number(text, 11, 2);
    const auto minute = number(text, 14, 2);
    const auto second = number(text, 17, 2);
    if (!year || !month || !day || !hour || !minute || !second || !text.ends_with('Z')) return escape(text);
    std::tm utc{};
    utc.tm_year = *year - 1900;
    utc.tm_mon = *month - 1;
    utc.tm_mday = *day;
    utc.tm_hour = *hour;
    utc.tm_min = *minute;
    utc.tm_sec = *second;
    const auto seconds = ::timegm(&utc);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    auto fraction = std::string(text.size() > 20 && text[19] == '.' ? text.substr(20, text.size() - 21) : "");
    fraction.resize(6, '0');
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%02d:%02d:%02d.", local.tm_hour, local.tm_min, local.tm_sec);
    return buffer.data() + escape(fraction);
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
