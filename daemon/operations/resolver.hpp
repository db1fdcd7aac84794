#pragma once

#include "daemon/operations/dns_client.hpp"
#include "daemon/operations/operation.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace netlab::operations {

/// A server that was asked for the deciding candidate, and what it said last.
struct AskedServer {
    std::string server;
    NameOutcome outcome = NameOutcome::timed_out;
    std::string reason{};  ///< reason_of() its last exchange of that outcome
    friend bool operator==(const AskedServer&, const AskedServer&) = default;
};

/// What became of a name.
struct Resolution {
    NameOutcome outcome = NameOutcome::invalid_name;
    std::vector<IpAddress> addresses;  ///< not empty where `outcome` is resolved
    std::string zone;                  ///< of a numeric address
    std::string name;                  ///< the candidate that was answered: "co2.example.net"
    std::string
        resolved_by;  ///< "127.0.0.11", "/etc/hosts", "numeric", "localhost"; empty where it was not resolved
    std::vector<AskedServer> asked;       ///< in the order of resolv.conf
    std::vector<std::string> candidates;  ///< the names that were asked for, in their order
};

/// Resolves names as a program in the target would: numeric forms, the target's hosts file, then DNS as its
/// resolv.conf says (`hosts: files dns`; its nsswitch.conf, its host name's domain and the environment are
/// not looked at).
class Resolver {
  public:
    /// No name takes longer, whatever resolv.conf asks for.
    static constexpr std::chrono::seconds longest{30};

    /// For `prepare`: takes the target's files; `name` is what a person calls it. errc::operation_failed.
    [[nodiscard]] static Result<Resolver> open(TargetHandle& target, std::string name);

    /// For `run`, in the target's namespace. Any name will do. With less `patience` than a program has each
    /// server gets its share of it in every attempt. errc::target_gone, errc::operation_failed (where its
    /// resolv.conf cannot be read, too); that a name does not resolve is no error.
    [[nodiscard]] Result<Resolution> resolve(std::string_view name, std::optional<Family> family,
                                             const TargetWatch& watch, Output& output,
                                             std::chrono::milliseconds patience = longest);

  private:
    explicit Resolver(DnsClient dns) : dns_(std::move(dns)) {}
    [[nodiscard]] Result<Resolution> ask_dns(std::string_view name, std::optional<Family> family,
                                             const TargetWatch& watch, Output& output,
                                             std::chrono::milliseconds patience);

    DnsClient dns_;
    std::string target_;
    UniqueFd resolv_conf_;
    ResolverFile resolv_conf_file_;
    UniqueFd hosts_;
};

}  // namespace netlab::operations
