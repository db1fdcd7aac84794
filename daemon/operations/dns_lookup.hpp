#pragma once

#include "daemon/operations/dns_client.hpp"
#include "daemon/operations/resolver.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace netlab::operations {

/// What is asked for, of whom, and how.
struct DnsPlan {
    /// resolv.conf may have 30,000 of them, and each is a question.
    static constexpr std::size_t most_searched = 32;

    std::string name;  ///< as the user wrote it
    std::vector<std::uint16_t> types;
    ResolvConf conf;   ///< its servers are asked in their order; its search list, cut, is gone through
    bool all = false;  ///< every server is asked, not the next one only where one fails
    std::vector<NameServer> behind;  ///< with `all`: those that Docker's 127.0.0.11 passes questions on to
    api::DnsTransport transport = api::DnsTransport::udp;
    Output::Clock::time_point until{};
};

/// What one server made of the deciding name.
struct DnsServerAnswers {
    NameServer server;
    bool behind = false;                 ///< one of DnsPlan::behind
    std::vector<DnsExchange> exchanges;  ///< one for each type; `attempts` are all that were made for it
};

struct DnsLookup {
    std::string name;  ///< that decided: the last of `resolution.candidates`, "" for the root
    std::vector<DnsServerAnswers> answers;  ///< of one server; with DnsPlan::all of each, those behind last
    Resolution resolution;                  ///< what it came to, in a resolver's terms
    std::string not_asked;  ///< the candidate that would have been next, but the time was over; "" none
};

/// Sockets, time and listener, all borrowed.
struct DnsSetting {
    DnsClient& client;
    const TargetWatch& watch;
    Output& output;
};

/// Asks as glibc's resolver does (the names of the search list, the servers one after the other, as often as
/// the configuration says), with these differences: all types at once; what is silent is asked once more when
/// half of its time is over, and heard all the same if it answers the first question; a server gets a share
/// of the time that is left where resolv.conf would give it more, so that the servers behind it and the name
/// itself have their turn too. errc::target_gone, errc::operation_failed.
[[nodiscard]] Result<DnsLookup> look_up(const DnsPlan& plan, const DnsSetting& setting);

/// A name of the search list was answered before the name itself was asked for: what that would have given at
/// the same server, within a second. Nothing where it is not so. errc as look_up().
[[nodiscard]] Result<std::optional<DnsServerAnswers>> ask_as_is(const DnsPlan& plan, const DnsLookup& lookup,
                                                                const DnsSetting& setting);

/// How long one server may take: what resolv.conf says, at most its share of what is left for `servers`.
[[nodiscard]] Output::Clock::duration share_of(Output::Clock::duration left, std::chrono::seconds configured,
                                               std::size_t servers);

}  // namespace netlab::operations
