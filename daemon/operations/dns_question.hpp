#pragma once

#include "common/address.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// The smallest part of DNS (RFC 1035, section 4): one question, and whether what comes is an answer to it.
/// The records of answers are c-ares' business.
namespace netlab::operations {

struct DnsQuestion {
    std::string name;  ///< absolute, without a dot at its end; "" is the root
    std::uint16_t type = 0;

    /// ". NS", "2.0.18.172.in-addr.arpa PTR"
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const DnsQuestion&, const DnsQuestion&) = default;
};

inline constexpr std::uint16_t dns_type_ns = 2;
inline constexpr std::uint16_t dns_type_ptr = 12;

/// "2.0.18.172.in-addr.arpa", "….ip6.arpa": what an address is called in DNS.
[[nodiscard]] std::string reverse_name(const IpAddress& address);

/// A query with recursion desired. The name must be one that DNS can be asked for (is_dns_name()) or "".
[[nodiscard]] std::vector<std::byte> dns_query(std::uint16_t id, const DnsQuestion& question);

/// The rcode of a message that is an answer to that query: a response with its ID and its question, names
/// compared without regard to case. A server that does not take the query at all may leave the question out.
[[nodiscard]] std::optional<std::uint8_t> dns_answer_rcode(std::span<const std::byte> message,
                                                           std::uint16_t id, const DnsQuestion& question);

/// "NOERROR", "SERVFAIL", …; "RCODE11" of one without a name.
[[nodiscard]] std::string rcode_name(std::uint8_t rcode);

}  // namespace netlab::operations
