#pragma once

#include "common/api/resolv.hpp"
#include "daemon/operations/dns_lookup.hpp"

#include <string>
#include <string_view>
#include <vector>

/// What a request for `netlab dns` comes to, before anybody is asked. Pure.
namespace netlab::operations {

/// The types of the request by their numbers, as far as it says: resolv.conf may take AAAA away.
[[nodiscard]] std::vector<std::uint16_t> requested_types(const api::DnsRequest& request);

/// `conf` is FROM's; `begin` is when the request's time began. errc::bad_request.
[[nodiscard]] Result<DnsPlan> make_dns_plan(const api::DnsRequest& request, const ResolvConf& conf,
                                            Output::Clock::time_point begin);

/// The servers behind Docker's resolver that can be asked from FROM, and a sentence on those that cannot.
struct ServersBehind {
    std::vector<NameServer> servers;
    std::vector<std::string> remarks;
};
[[nodiscard]] ServersBehind servers_behind(const api::EmbeddedResolverRow& docker, const std::string& from);

/// What FROM's files have for the types of a plan.
struct DnsFileAnswers {
    std::vector<api::DnsAnswer> answers;  ///< one for each type
    std::vector<std::string> in_hosts;    ///< the data of its hosts file
    bool decide = false;                  ///< programs in FROM look no further, and so was asked
};
[[nodiscard]] DnsFileAnswers answers_of_files(const api::DnsRequest& request, const DnsPlan& plan,
                                              std::string_view hosts);

/// An exchange as it is told. `name` is without a dot at its end; `note`: what else is known of the server.
[[nodiscard]] api::DnsAnswer answer_event(std::string_view from, const std::string& name, std::uint16_t type,
                                          const NameServer& server, const DnsExchange& exchange,
                                          std::string note = {});

[[nodiscard]] api::DnsOutcome dns_outcome(NameOutcome outcome);

}  // namespace netlab::operations
