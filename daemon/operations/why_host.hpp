#pragma once

#include "daemon/operations/destination.hpp"
#include "daemon/operations/why_question.hpp"
#include "daemon/operations/why_translation.hpp"

#include <optional>
#include <string>

/// What netfilter on the host makes of the packet of one question, as its rules and conntrack's entries read.
/// For `run`.
namespace netlab::operations {

class WhyHost {
  public:
    /// All are borrowed, and the way, the flow and the sightings of `facts` asked for as they are by then.
    WhyHost(WhyHandles& handles, const api::Context& context, const Destination& destination,
            const Topology& topology, const WhyFacts& facts)
        : handles_(handles),
          context_(context),
          destination_(destination),
          topology_(topology),
          facts_(facts) {}

    /// nullopt where netlab does not know it.
    [[nodiscard]] std::optional<std::size_t> place() const;
    /// Takes its rules apart, once; before that there are none.
    void read();
    [[nodiscard]] const RuleSet& all_rules() const { return all_rules_; }
    /// Those of the flow's family.
    [[nodiscard]] const FamilyRules& rules() const { return rules_; }

    /// nullopt as passage_of().
    [[nodiscard]] std::optional<HostPassage> passage() const;
    /// Its own address on an interface, of the flow's family.
    [[nodiscard]] OwnAddress own_addresses() const;
    /// The source that the packet, which is for `to` by then, leaves the host with; nullopt where it does
    /// not, or that is not certain.
    [[nodiscard]] std::optional<LeavingSource> leaving_source(const HostPassage& passage,
                                                              const IpAddress& source,
                                                              const api::Endpoint& to) const;
    /// Whom TO answers; nullopt where that is not known.
    [[nodiscard]] std::optional<IpAddress> answered_address() const;
    /// An entry of conntrack's for the same service that outlived whom it leads to.
    [[nodiscard]] std::optional<api::ConntrackStale> stale_entry();

  private:
    [[nodiscard]] std::optional<IpAddress> own_address(const std::string& interface) const;

    WhyHandles& handles_;
    const api::Context& context_;
    const Destination& destination_;
    const Topology& topology_;
    const WhyFacts& facts_;
    RuleSet all_rules_;
    FamilyRules rules_;
};

}  // namespace netlab::operations
