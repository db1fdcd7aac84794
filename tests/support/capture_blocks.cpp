#include "tests/support/capture_blocks.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace netlab::support {

namespace {

template <class T>
T number(std::string_view bytes, std::size_t at) {
    if (at + sizeof(T) > bytes.size()) throw std::runtime_error("a block that is too short");
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

constexpr std::size_t padded(std::size_t size) {
    return (size + 3) / 4 * 4;
}

std::map<std::uint16_t, std::string> options(std::string_view bytes) {
    std::map<std::uint16_t, std::string> out;
    for (std::size_t at = 0; at + 4 <= bytes.size();) {
        const auto code = number<std::uint16_t>(bytes, at);
        const auto length = number<std::uint16_t>(bytes, at + 2);
        if (code == 0) return out;
        if (at + 4 + length > bytes.size()) throw std::runtime_error("an option that is too long");
        out[code] = std::string(bytes.substr(at + 4, length));
        at += 4 + padded(length);
    }
    if (!bytes.empty()) throw std::runtime_error("options without an end");
    return out;
}

void read_names(SeenCapture& out, std::string_view body) {
    for (std::size_t at = 0;;) {
        const auto type = number<std::uint16_t>(body, at);
        const auto length = number<std::uint16_t>(body, at + 2);
        if (type == 0) return;
        const auto record = body.substr(at + 4, length);
        const std::size_t address = type == 1 ? 4 : 16;
        out.names.emplace(std::string(record.substr(0, address)), std::string(record.substr(address).data()));
        at += 4 + padded(length);
    }
}

void read_packet(SeenCapture& out, std::string_view body) {
    SeenPacket packet;
    packet.interface = number<std::uint32_t>(body, 0);
    packet.time_ns = std::uint64_t{number<std::uint32_t>(body, 4)} << 32 | number<std::uint32_t>(body, 8);
    const auto captured = number<std::uint32_t>(body, 12);
    packet.length = number<std::uint32_t>(body, 16);
    if (packet.interface >= out.interfaces.size() || 20 + padded(captured) > body.size())
        throw std::runtime_error("a packet block that is wrong");
    packet.bytes = body.substr(20, captured);
    const auto all = options(body.substr(20 + padded(captured)));
    if (const auto flags = all.find(2); flags != all.end())
        packet.flags = number<std::uint32_t>(flags->second, 0);
    out.packets.push_back(std::move(packet));
}

}  // namespace

std::uint64_t SeenStatistics::count(std::uint16_t option) const {
    return number<std::uint64_t>(options.at(option), 0);
}

std::string SeenStatistics::comment() const {
    const auto found = options.find(1);
    return found == options.end() ? std::string() : found->second;
}

std::chrono::system_clock::time_point SeenStatistics::end() const {
    const auto& time = options.at(3);
    const auto ns = std::uint64_t{number<std::uint32_t>(time, 0)} << 32 | number<std::uint32_t>(time, 4);
    return std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(ns)));
}

std::vector<SeenPacket> SeenCapture::of(std::uint32_t interface) const {
    std::vector<SeenPacket> out;
    for (const auto& packet : packets) {
        if (packet.interface == interface) out.push_back(packet);
    }
    return out;
}

std::size_t add_blocks(SeenCapture& out, std::string_view bytes) {
    const auto all = bytes.size();
    while (bytes.size() >= 12) {
        const auto type = number<std::uint32_t>(bytes, 0);
        const auto length = number<std::uint32_t>(bytes, 4);
        if (length < 12 || length % 4 != 0) throw std::runtime_error("a block of a wrong length");
        if (length > bytes.size()) break;
        if (number<std::uint32_t>(bytes, length - 4) != length)
            throw std::runtime_error("a block that ends with another length");
        const auto body = bytes.substr(8, length - 12);
        if (type == 1) {
            out.interfaces.push_back(
                {number<std::uint16_t>(body, 0), number<std::uint32_t>(body, 4), options(body.substr(8))});
        } else if (type == 4) {
            read_names(out, body);
        } else if (type == 5) {
            out.statistics.push_back({number<std::uint32_t>(body, 0), options(body.substr(12))});
        } else if (type == 6) {
            read_packet(out, body);
        } else if (type != 0x0A0D0D0A) {
            throw std::runtime_error("a block of an unknown type");
        }
        bytes.remove_prefix(length);
    }
    return all - bytes.size();
}

SeenCapture read_pcapng(std::string_view bytes) {
    SeenCapture out;
    out.whole = add_blocks(out, bytes) == bytes.size();
    return out;
}

std::vector<SeenPacket> read_pcap(std::string_view bytes) {
    std::vector<SeenPacket> out;
    constexpr std::size_t file_header = 24;
    constexpr std::size_t packet_header = 16;
    const bool nanoseconds = number<std::uint32_t>(bytes, 0) == 0xA1B23C4D;
    for (std::size_t at = file_header; at + packet_header <= bytes.size();) {
        SeenPacket packet;
        packet.time_ns = number<std::uint32_t>(bytes, at) * std::uint64_t{1'000'000'000} +
                         number<std::uint32_t>(bytes, at + 4) * std::uint64_t{nanoseconds ? 1U : 1000U};
        const auto captured = number<std::uint32_t>(bytes, at + 8);
        packet.length = number<std::uint32_t>(bytes, at + 12);
        packet.bytes = bytes.substr(at + packet_header, captured);
        at += packet_header + captured;
        out.push_back(std::move(packet));
    }
    return out;
}

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<SeenPacket> meanwhile(const std::vector<SeenPacket>& seen,
                                  const std::vector<SeenPacket>& others) {
    const auto same = [](const SeenPacket& one, const SeenPacket& other) { return one.bytes == other.bytes; };
    const auto found = std::search(seen.begin(), seen.end(), others.begin(), others.end(), same);
    if (found == seen.end()) return {};
    return {found, found + static_cast<std::ptrdiff_t>(others.size())};
}

std::vector<std::string> bytes_of(const std::vector<SeenPacket>& packets) {
    std::vector<std::string> out;
    for (const auto& packet : packets)
        out.push_back(packet.bytes);
    return out;
}

}  // namespace netlab::support
