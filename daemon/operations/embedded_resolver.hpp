#pragma once

#include "common/api/resolv.hpp"
#include "daemon/kernel/packet_rule.hpp"
#include "daemon/kernel/processes.hpp"
#include "daemon/kernel/xtables.hpp"

#include <optional>
#include <vector>

namespace netlab::operations {

/// The chains that translate addresses in a namespace.
struct KnownRules {
    std::vector<kernel::RuleChain> chains;
    bool known = false;  ///< false: there may be others that could not be read
};
[[nodiscard]] KnownRules known_rules(const Result<kernel::NftTables::Content>& nft,
                                     const Result<std::optional<kernel::XtBytes>>& legacy);

/// The way from 127.0.0.11:53 to Docker's resolver in one container: the rules of its namespace (nf_tables
/// and iptables-legacy) and the sockets that they lead to.
class EmbeddedResolver {
  public:
    /// For `prepare` with Needs::net_admin, in the container's namespace. errc::operation_failed.
    [[nodiscard]] static Result<EmbeddedResolver> open();

    /// For `run`, once. `holders` are settled, and may be those of one process only. Rules that cannot be
    /// read are unknown; errc as dump_inet_sockets().
    [[nodiscard]] Result<api::EmbeddedResolverRow> read(const kernel::SocketHolders& holders);

  private:
    EmbeddedResolver(Result<kernel::NftTables> nft, Result<std::optional<kernel::XtBytes>> legacy,
                     UniqueFd diag)
        : nft_(std::move(nft)), legacy_(std::move(legacy)), diag_(std::move(diag)) {}

    Result<kernel::NftTables> nft_;
    Result<std::optional<kernel::XtBytes>> legacy_;
    UniqueFd diag_;
};

}  // namespace netlab::operations
