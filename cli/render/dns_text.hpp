#pragma once

#include "common/api/dns.hpp"

#include <string>

/// DNS in the words and the columns of dig(1), so that eyes and scripts that know it can read it: records as
/// in a zone file, all else behind ";;". Each text ends with a newline or is empty; what came from the daemon
/// is escaped.
namespace netlab::cli::dns_text {

/// "co2.			600	IN	A	172.18.0.3"
[[nodiscard]] std::string line(const api::DnsRecord& record);

/// One answer: who gave it, its records; `wide` adds the other sections, and the attempts that came to
/// nothing are always told.
[[nodiscard]] std::string block(const api::DnsAnswer& answer, bool wide);

/// As `dig +trace` has it.
[[nodiscard]] std::string block(const api::DnsReferral& referral);

/// As `dig +short`: the data alone.
[[nodiscard]] std::string data(const api::DnsAnswer& answer);

/// The explanations and the suggestion, behind `lead`.
[[nodiscard]] std::string explanations(const api::DnsReport& report, std::string_view lead);

}  // namespace netlab::cli::dns_text
