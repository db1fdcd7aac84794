#pragma once

#include "daemon/operations/why_rules.hpp"

#include <functional>
#include <optional>
#include <string>

/// Which destination the host has given a packet, and where. Pure.
namespace netlab::operations {

/// The host's own address on an interface, of the flow's family: where a redirection leads.
using OwnAddress = std::function<std::optional<IpAddress>(const std::string& interface)>;

/// The destination that the rules give a packet which comes to the host, or is made there.
[[nodiscard]] std::optional<api::Endpoint> destination_by_rules(const FamilyRules& rules,
                                                                const HostPassage& passage, const Flow& flow,
                                                                const IpAddress& source,
                                                                const OwnAddress& own);

/// The source that they give it, and so whom its answer is for; nullopt where that is not known.
/// `destination`: what it has behind the rules that translate that.
[[nodiscard]] std::optional<IpAddress> source_by_rules(const FamilyRules& rules, const HostPassage& passage,
                                                       const Flow& flow, const IpAddress& source,
                                                       const api::Endpoint& destination,
                                                       const OwnAddress& own);

/// The rule that gives it another source where it leaves the host, or would; nullopt where it does not leave,
/// or that is not certain. Of rules that could not be read as a whole it is one that is there.
[[nodiscard]] std::optional<SourceNat> source_nat_by_rules(const FamilyRules& rules,
                                                           const HostPassage& passage, const Flow& flow,
                                                           const IpAddress& source,
                                                           const api::Endpoint& destination);

/// The destination that the rules which the packet has met on the host gave it; marks the steps that did.
/// `host` is the host's place.
[[nodiscard]] std::optional<api::Endpoint> destination_by_trace(std::vector<TracedStep>& trace,
                                                                const FamilyRules& rules, std::size_t host,
                                                                const Flow& flow, const OwnAddress& own);

/// The host, as far as it is known, how the packet passes it, and the packet's source.
struct TranslationAtHost {
    std::optional<std::size_t> place;
    std::optional<HostPassage> passage;
    std::optional<IpAddress> source;
};
/// As it was seen, as the rules that it met say, or as the host's rules read.
[[nodiscard]] std::optional<api::Endpoint> find_translation(WhyFacts& facts, const FamilyRules& rules,
                                                            const TranslationAtHost& host,
                                                            const OwnAddress& own);

/// Where the destination became WhyFacts::translated, which must be there: on the host, unless it left FROM
/// with that one, or never came to the host.
[[nodiscard]] std::optional<std::size_t> translating_place(const WhyFacts& facts,
                                                           std::optional<std::size_t> host);

}  // namespace netlab::operations
