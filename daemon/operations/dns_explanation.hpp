#pragma once

#include "common/api/context.hpp"
#include "daemon/operations/dns_lookup.hpp"
#include "daemon/operations/name_explanation.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

/// What an answer of DNS does not say of itself: why a name is none in FROM, whose answer it is, what a
/// program would have made of it. Only what follows from the engines' words (the context) and from what was
/// seen is said.
namespace netlab::operations {

struct DnsFacts {
    const api::Context& context;
    const api::DnsRequest& request;
    const DnsPlan& plan;
    const DnsLookup& lookup;
    std::vector<std::string> remarks;   ///< on the way to the servers, to be said first
    std::vector<std::string> in_hosts;  ///< what FROM's hosts file has for the name, which was not asked
    std::optional<DnsServerAnswers>
        as_is;  ///< of the name without the search list, where that list changed it
    /// What is wrong with the embedded resolver of the engine at 127.0.0.11, as its rules and sockets show
    /// it; a sentence and what to do. Empty where nothing is wrong, or was not looked at.
    Explanation embedded;
    bool default_server = false;  ///< FROM's resolv.conf names none: 127.0.0.1 is asked
    bool loopback_down = false;   ///< lo is down in FROM
};

struct DnsExplanation {
    std::vector<std::string> sentences;  ///< without a full stop, the most important first
    std::string suggestion;
};

[[nodiscard]] DnsExplanation explain_dns(const DnsFacts& facts);

/// What a server's answers to all types come to, for a comparison: "NXDOMAIN", "172.18.0.3", "no answer".
[[nodiscard]] std::string what_it_says(const DnsServerAnswers& answers);

/// How many of the servers did not answer one of their questions.
[[nodiscard]] std::size_t silent_servers(std::span<const DnsServerAnswers> answers);

/// Docker's resolver knows the name, and none of the servers behind it does: it has answered itself. (It
/// passes on what it does not know, and makes nothing up.)
[[nodiscard]] bool is_docker_name(std::span<const DnsServerAnswers> answers);

/// Whether all servers that answered say the same: response codes and records, but for their order and their
/// TTL.
[[nodiscard]] bool agree(std::span<const DnsServerAnswers> answers);

}  // namespace netlab::operations
