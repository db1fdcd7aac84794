#pragma once

#include "daemon/kernel/nftables.hpp"
#include "daemon/kernel/xtables.hpp"
#include "daemon/operations/beside_process.hpp"
#include "daemon/operations/ruleset_text.hpp"

/// The rules of namespaces as text, for an operation whose `run` may not ask for them.
namespace netlab::operations {

struct Ruleset {
    std::vector<TableText> tables;
    /// False: they changed while they were read, or were more than is looked at, or somebody made names that
    /// make libnftables' text say something else than what the kernel has.
    bool consistent = true;
    std::vector<std::string> unreadable;  ///< sentences: what iptables-legacy has that could not be read
};

/// Whether the text has the chains and rules of the kernel's own list, each by its handle and in their order.
[[nodiscard]] bool agree(const std::vector<TableText>& tables, const kernel::NftTables::Content& content);

/// Names in the texts of iptables-nft's rules the matches and targets that are not among `translated`, as
/// libnftables leaves them out: "xt match recent", in front, where the order of conditions says nothing.
void name_untranslated(std::vector<TableText>& tables, const kernel::NftTables::Content& content,
                       const std::vector<std::string>& translated);

/// Says whose the tables with the owner flag are: libnftables has the name of a program there, which it looks
/// up in a file system that is gone.
void name_owners(std::vector<TableText>& tables, const kernel::NftTables::Content& content);

/// The rules of one namespace. It has a process beside the operation's, in that namespace: libnftables sends
/// its requests, and asks for the names of interfaces, itself.
class RulesetProcess {
  public:
    /// For `prepare`, with Needs::net_admin; before anything else is opened, as a BesideProcess. Enters the
    /// namespace. errc::target_gone, errc::operation_failed.
    [[nodiscard]] static Result<RulesetProcess> start(Namespaces& namespaces, std::size_t place);

    /// For `run`: as they are now; those of iptables-legacy as they were in `prepare`.
    /// errc::operation_failed.
    [[nodiscard]] Result<Ruleset> read(Output& output);

  private:
    struct LegacyTable {
        std::string name;
        Family family = Family::ipv4;
        Result<std::optional<kernel::XtBytes>> bytes;
    };

    RulesetProcess(BesideProcess process, Result<kernel::NftTables> structure)
        : process_(std::move(process)), structure_(std::move(structure)) {}
    void read_legacy();
    void add_legacy(Ruleset& ruleset) const;

    BesideProcess process_;
    std::vector<std::string> translated_;
    /// As it was in `prepare`; held against the first text.
    std::optional<Result<kernel::NftTables>> structure_;
    kernel::NftTables::Content content_;  ///< what was read of it
    std::vector<LegacyTable> legacy_;     ///< as they were in `prepare`
};

}  // namespace netlab::operations
