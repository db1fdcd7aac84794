#pragma once

#include "daemon/operations/why_host.hpp"
#include "daemon/operations/why_rules_around.hpp"

#include <map>

/// The rules of FROM and TO, and those of the host's that see frames, as one question meets them. For `run`.
namespace netlab::operations {

class WhyEnds {
  public:
    /// All are borrowed; `host` has read its rules before the first question.
    WhyEnds(WhyHandles& handles, const Topology& topology, const WhyHost& host, WhyFacts& facts)
        : handles_(handles), topology_(topology), host_(host), facts_(facts) {}

    /// Puts what they make of the packet from `source`, and of its answer, into the facts.
    void look(const IpAddress& source);
    /// The rules of the flow's family of those that are watched, but the host's, by their places.
    [[nodiscard]] const std::map<std::size_t, FamilyRules>& inside();

  private:
    [[nodiscard]] std::optional<WayEnd> end_at(std::size_t place);
    [[nodiscard]] std::optional<FramePassage> frames() const;
    /// Whose rules are met and not read.
    [[nodiscard]] std::vector<std::string> unread(const WayRules& rules) const;

    WhyHandles& handles_;
    const Topology& topology_;
    const WhyHost& host_;
    WhyFacts& facts_;
    std::optional<std::map<std::size_t, FamilyRules>> inside_;
};

}  // namespace netlab::operations
