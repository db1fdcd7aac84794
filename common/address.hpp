#pragma once

#include "common/error.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace netlab {

enum class Family : std::uint8_t { ipv4, ipv6 };
BOOST_DESCRIBE_ENUM(Family, ipv4, ipv6)

/// An IPv4 or IPv6 address, in network byte order, without a zone.
class IpAddress {
  public:
    IpAddress() = default;  ///< 0.0.0.0

    /// Exactly 4 or 16 bytes in network order; anything else is a broken invariant.
    [[nodiscard]] static IpAddress from_bytes(std::span<const std::uint8_t> bytes);
    /// The numeric forms of inet_pton(3) only; errc::bad_request for the rest.
    [[nodiscard]] static Result<IpAddress> parse(std::string_view text);
    /// Of an AF_INET or AF_INET6 socket address; errc::bad_request for another family.
    [[nodiscard]] static Result<IpAddress> from_sockaddr(const sockaddr_storage& address);

    [[nodiscard]] Family family() const noexcept { return family_; }
    [[nodiscard]] bool is_v4() const noexcept { return family_ == Family::ipv4; }
    [[nodiscard]] bool is_v6() const noexcept { return family_ == Family::ipv6; }
    [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept;
    [[nodiscard]] std::string to_string() const;

    [[nodiscard]] bool is_unspecified() const noexcept;
    [[nodiscard]] bool is_loopback() const noexcept;    ///< 127.0.0.0/8, ::1
    [[nodiscard]] bool is_multicast() const noexcept;   ///< 224.0.0.0/4, ff00::/8
    [[nodiscard]] bool is_link_local() const noexcept;  ///< 169.254.0.0/16, fe80::/10

    /// For the socket calls; returns the length used. `scope_id` is an interface index (IPv6 link-local).
    socklen_t to_sockaddr(sockaddr_storage& out, std::uint16_t port,
                          std::uint32_t scope_id = 0) const noexcept;

    friend bool operator==(const IpAddress&, const IpAddress&) = default;
    friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

  private:
    Family family_ = Family::ipv4;
    std::array<std::uint8_t, 16> bytes_{};
};

/// An address with the length of its network's prefix, as in 172.18.0.2/16. Host bits are kept.
class IpPrefix {
  public:
    IpPrefix() = default;  ///< 0.0.0.0/0

    /// errc::bad_request where `length` is over 32 or 128.
    [[nodiscard]] static Result<IpPrefix> make(IpAddress address, unsigned length);
    /// "ADDRESS/LENGTH"; a bare address is a host prefix.
    [[nodiscard]] static Result<IpPrefix> parse(std::string_view text);

    [[nodiscard]] const IpAddress& address() const noexcept { return address_; }
    [[nodiscard]] unsigned length() const noexcept { return length_; }
    [[nodiscard]] bool contains(const IpAddress& other) const noexcept;
    /// The directed broadcast address of an IPv4 network of /30 or shorter; false for the rest.
    [[nodiscard]] bool is_broadcast(const IpAddress& other) const noexcept;
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const IpPrefix&, const IpPrefix&) = default;

  private:
    IpPrefix(IpAddress address, unsigned length) : address_(address), length_(length) {}

    IpAddress address_;
    unsigned length_ = 0;
};

/// A 48-bit Ethernet address.
struct MacAddress {
    std::array<std::uint8_t, 6> bytes{};

    [[nodiscard]] static Result<MacAddress> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const MacAddress&, const MacAddress&) = default;
};

}  // namespace netlab
