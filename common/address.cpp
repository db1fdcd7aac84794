#include "common/address.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace netlab {

namespace {

Error not_an_address(std::string_view text) {
    return {errc::bad_request, "'" + std::string(text.substr(0, 64)) + "' is not an IP address", {}, {}};
}

}  // namespace

IpAddress IpAddress::from_bytes(std::span<const std::uint8_t> bytes) {
    if (bytes.size() != 4 && bytes.size() != 16) throw std::invalid_argument("IpAddress: 4 or 16 bytes");
    IpAddress address;
    address.family_ = bytes.size() == 4 ? Family::ipv4 : Family::ipv6;
    std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
    return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
    char buffer[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof buffer || text.find('\0') != text.npos)
        return not_an_address(text);
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';
    IpAddress address;
    if (::inet_pton(AF_INET, buffer, address.bytes_.data()) == 1) return address;
    address.family_ = Family::ipv6;
    if (::inet_pton(AF_INET6, buffer, address.bytes_.data()) == 1) return address;
    return not_an_address(text);
}

Result<IpAddress> IpAddress::from_sockaddr(const sockaddr_storage& storage) {
    if (storage.ss_family == AF_INET) {
        sockaddr_in in;
        std::memcpy(&in, &storage, sizeof in);
        std::array<std::uint8_t, 4> bytes;
        std::memcpy(bytes.data(), &in.sin_addr, 4);
        return from_bytes(bytes);
    }
    if (storage.ss_family == AF_INET6) {
        sockaddr_in6 in6;
        std::memcpy(&in6, &storage, sizeof in6);
        return from_bytes(in6.sin6_addr.s6_addr);
    }
    return Error{errc::bad_request, "not an IP socket address", {}, {}};
}

std::span<const std::uint8_t> IpAddress::bytes() const noexcept {
    return {bytes_.data(), is_v4() ? std::size_t{4} : std::size_t{16}};
}

std::string IpAddress::to_string() const {
    char buffer[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), buffer, sizeof buffer);
    return buffer;
}

bool IpAddress::is_unspecified() const noexcept {
    return std::ranges::all_of(bytes(), [](std::uint8_t b) { return b == 0; });
}

bool IpAddress::is_loopback() const noexcept {
    if (is_v4()) return bytes_[0] == 127;
    return std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t b) { return b == 0; }) &&
           bytes_[15] == 1;
}

bool IpAddress::is_multicast() const noexcept {
    return is_v4() ? (bytes_[0] & 0xF0) == 0xE0 : bytes_[0] == 0xFF;
}

bool IpAddress::is_link_local() const noexcept {
    return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254 : bytes_[0] == 0xFE && (bytes_[1] & 0xC0) == 0x80;
}

socklen_t IpAddress::to_sockaddr(sockaddr_storage& out, std::uint16_t port,
                                 std::uint32_t scope_id) const noexcept {
    out = {};
    if (is_v4()) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        std::memcpy(&in.sin_addr, bytes_.data(), 4);
        std::memcpy(&out, &in, sizeof in);
        return sizeof in;
    }
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    in6.sin6_scope_id = scope_id;
    std::memcpy(&in6.sin6_addr, bytes_.data(), 16);
    std::memcpy(&out, &in6, sizeof in6);
    return sizeof in6;
}

Result<IpPrefix> IpPrefix::make(IpAddress address, unsigned length) {
    if (length > (address.is_v4() ? 32U : 128U)) {
        return Error{errc::bad_request, "prefix length " + std::to_string(length) + " is too long", {}, {}};
    }
    return IpPrefix(address, length);
}

Result<IpPrefix> IpPrefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return address.error();
    if (slash == text.npos) return make(*address, address->is_v4() ? 32 : 128);
    const auto digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
        return Error{errc::bad_request, "'" + std::string(text.substr(0, 64)) + "' is not a prefix", {}, {}};
    }
    return make(*address, length);
}

bool IpPrefix::contains(const IpAddress& other) const noexcept {
    if (other.family() != address_.family()) return false;
    const auto ours = address_.bytes();
    const auto theirs = other.bytes();
    const auto whole = length_ / 8;
    if (!std::equal(ours.begin(), ours.begin() + whole, theirs.begin())) return false;
    const auto rest = length_ % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xFF << (8 - rest));
    return (ours[whole] & mask) == (theirs[whole] & mask);
}

bool IpPrefix::is_broadcast(const IpAddress& other) const noexcept {
    if (!address_.is_v4() || length_ > 30 || !contains(other)) return false;
    const auto bytes = other.bytes();
    const auto value = static_cast<std::uint32_t>(bytes[0]) << 24 |
                       static_cast<std::uint32_t>(bytes[1]) << 16 |
                       static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
    const auto host_bits = length_ == 0 ? 0xFFFFFFFFU : (1U << (32 - length_)) - 1;
    return (value & host_bits) == host_bits;
}

std::string IpPrefix::to_string() const {
    return address_.to_string() + "/" + std::to_string(length_);
}

Result<MacAddress> MacAddress::parse(std::string_view text) {
    MacAddress mac;
    const Error error{
        errc::bad_request, "'" + std::string(text.substr(0, 64)) + "' is not a MAC address", {}, {}};
    if (text.size() != 17) return error;
    for (std::size_t i = 0; i < 6; ++i) {
        const char* at = text.data() + i * 3;
        const auto [end, ec] = std::from_chars(at, at + 2, mac.bytes[i], 16);
        if (ec != std::errc{} || end != at + 2 || (i < 5 && at[2] != ':')) return error;
    }
    return mac;
}

std::string MacAddress::to_string() const {
    char buffer[18];
    std::snprintf(buffer, sizeof buffer, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
                  bytes[3], bytes[4], bytes[5]);
    return buffer;
}

}  // namespace netlab
