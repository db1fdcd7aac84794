#pragma once

#include "common/api/context.hpp"
#include "daemon/operations/dns_lookup.hpp"
#include "daemon/operations/name_explanation.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What an explanation of DNS answers goes by, and what it comes to.
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
    /// Why the servers behind Docker's resolver are not reached. Empty where it is not known, or was not
    /// looked at.
    Explanation upstreams{};
};

struct DnsExplanation {
    std::vector<std::string> sentences;  ///< without a full stop, the most important first
    std::string suggestion;

    /// One more sentence, if it is none that is empty; the first suggestion stays.
    void say(std::string sentence, std::string suggested = {});
};

/// The facts, and every attempt that was made, of all types and servers.
struct DnsEvidence {
    explicit DnsEvidence(const DnsFacts& all);

    const DnsFacts& facts;
    std::vector<api::DnsAttempt> attempts;
    bool unreached = false;  ///< lo is down, and a server there was asked

    [[nodiscard]] const std::string& from() const { return facts.request.from; }
    [[nodiscard]] const Resolution& resolution() const { return facts.lookup.resolution; }
    /// lo is down, or Docker's resolver is broken.
    [[nodiscard]] bool reason_is_known() const { return unreached || !facts.embedded.explanation.empty(); }
    /// `netlab dns FROM NAME TYPE …`: the same question.
    [[nodiscard]] std::string again(const std::string& more) const;
};

[[nodiscard]] std::string quoted(std::string_view name);

}  // namespace netlab::operations
