#pragma once

#include "common/address.hpp"
#include "common/api/dns.hpp"
#include "daemon/operations/dns_name.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// DNS messages (RFC 1035, 4.1) as plain structs. The C library takes names and records apart
/// (ns_initparse(3) and its kin): it follows at most as many compression pointers as the message is long and
/// writes no name of more than 255 bytes. c-ares 1.18 has no parser for most types, and its
/// ares_expand_name() writes names of any length.
namespace netlab::operations {

/// The numbers that netlab decides by.
namespace dns_type {
inline constexpr std::uint16_t a = 1;
inline constexpr std::uint16_t ns = 2;
inline constexpr std::uint16_t cname = 5;
inline constexpr std::uint16_t soa = 6;
inline constexpr std::uint16_t ptr = 12;
inline constexpr std::uint16_t aaaa = 28;
inline constexpr std::uint16_t any = 255;
}  // namespace dns_type

namespace dns_rcode {
inline constexpr unsigned no_error = 0;
inline constexpr unsigned format_error = 1;
inline constexpr unsigned server_failure = 2;
inline constexpr unsigned no_such_name = 3;
inline constexpr unsigned not_implemented = 4;
inline constexpr unsigned refused = 5;
}  // namespace dns_rcode

/// "A", "TYPE65280" (RFC 3597).
[[nodiscard]] std::string dns_type_name(std::uint16_t type);
/// "NXDOMAIN", "RCODE12".
[[nodiscard]] std::string dns_rcode_name(unsigned rcode);

namespace dns_class {
inline constexpr std::uint16_t in = 1;
}

/// "IN", "CH", "CLASS32" (RFC 3597).
[[nodiscard]] std::string dns_class_name(std::uint16_t record_class);

struct DnsResource {
    std::string name;  ///< with a dot at its end; what is no plain character as \DDD
    std::uint16_t type = 0;
    std::uint32_t ttl = 0;
    std::string data;                  ///< as in a zone file
    std::optional<IpAddress> address;  ///< of an A or AAAA record of class IN
    std::uint16_t record_class = dns_class::in;
    friend bool operator==(const DnsResource&, const DnsResource&) = default;
};

struct DnsMessage {
    /// A message of 64 KiB can have 5,000 records, each with a name that takes thousands of steps to read.
    static constexpr std::size_t most_records = 512;

    std::uint16_t id = 0;
    bool response = false;
    api::DnsFlags flags;
    unsigned rcode = 0;
    std::string question;  ///< its name; "" where there is none
    std::uint16_t question_type = 0;
    std::vector<DnsResource> answers;
    std::vector<DnsResource> authority;
    std::vector<DnsResource> additional;  ///< without OPT
    std::uint32_t more_records = 0;       ///< beyond those kept
    std::size_t size = 0;                 ///< in bytes, with those behind its end
    std::size_t extra_bytes = 0;          ///< behind its end
    friend bool operator==(const DnsMessage&, const DnsMessage&) = default;
};

/// A question (RFC 1035, 4.1) of class IN. `name` as dns_wire_name() has it.
[[nodiscard]] std::vector<std::uint8_t> dns_query(std::uint16_t id, std::string_view name, std::uint16_t type,
                                                  bool recursion);

/// Any bytes will do. What follows a whole message does not count, as to programs. errc::protocol_error,
/// saying what is wrong, where they are no whole message.
[[nodiscard]] Result<DnsMessage> parse_dns_message(std::span<const std::uint8_t> bytes);

/// Of the answers to `name` those of `type`, through its aliases (CNAME), and the aliases; all where `type`
/// is ANY. Those of another class than IN are none. Names compare as same_dns_name() does.
[[nodiscard]] std::vector<DnsResource> records_of(const DnsMessage& message, std::string_view name,
                                                  std::uint16_t type);

/// As it is shown.
[[nodiscard]] api::DnsRecord shown_record(const DnsResource& record);
[[nodiscard]] std::vector<api::DnsRecord> shown_records(std::span<const DnsResource> records);

/// "4.3.2.1.in-addr.arpa" (RFC 1035, 3.5), or in ip6.arpa (RFC 3596, 2.5).
[[nodiscard]] std::string reverse_dns_name(const IpAddress& address);

}  // namespace netlab::operations
