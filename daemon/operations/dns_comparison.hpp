#pragma once

#include "daemon/operations/dns_lookup.hpp"

#include <span>
#include <string>

/// What several servers say to one question, held against each other. Pure.
namespace netlab::operations {

/// What a server's answers to all types come to: "NXDOMAIN", "172.18.0.3", "nothing".
[[nodiscard]] std::string what_it_says(const DnsServerAnswers& answers);

/// It answered each of its questions, with whatever.
[[nodiscard]] bool answers_all(const DnsServerAnswers& answers);
/// It has records of one type at least.
[[nodiscard]] bool has_records(const DnsServerAnswers& answers);

/// How many of the servers did not answer one of their questions.
[[nodiscard]] std::size_t silent_servers(std::span<const DnsServerAnswers> answers);

/// Docker's resolver alone has records: the name is one of its own, which no other server can know. False
/// where no servers behind it were asked.
[[nodiscard]] bool is_docker_name(std::span<const DnsServerAnswers> answers);

/// The servers that answered say the same to each type: the same response code and the same records, whatever
/// their order, their TTLs and the capitals of their names. Where Docker's resolver alone has records, those
/// behind it are left out.
[[nodiscard]] bool agree(std::span<const DnsServerAnswers> answers);

}  // namespace netlab::operations
