#pragma once

#include "common/api/why.hpp"
#include "daemon/kernel/nft_trace.hpp"
#include "daemon/operations/flow_view.hpp"
#include "daemon/operations/ruleset_text.hpp"
#include "daemon/operations/sightings.hpp"
#include "daemon/operations/why_way.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// A flow's way through the rules, from what the kernel told of it. Pure.
namespace netlab::operations {

/// The name of the table by which a process has a flow traced.
[[nodiscard]] std::string trace_table_name(std::uint32_t process);

/// Commands for nft(8) that have the kernel tell of a flow's packets in one namespace: a table that vanishes
/// with whoever made it, with a chain before all others for what comes in and for what is made there. They
/// go by the protocol and the flow's own port or identifier: behind an address translation nothing else
/// need be left of it. Whatever else has that port is told of 100 times a second at most.
[[nodiscard]] std::string trace_commands(const std::string& table, api::WhyProtocol protocol, bool v4,
                                         std::uint16_t own);

/// What is known of one namespace on the way.
struct TracedNamespace {
    std::string target;
    std::vector<kernel::TraceEvent> events;
    std::map<std::uint32_t, std::string> interfaces;  ///< names by index
    std::optional<std::vector<TableText>> rules;      ///< absent where they could not be read
};

struct TracedStep {
    std::size_t place = 0;
    api::WhyStep step;
    bool drops = false;
    bool rejects = false;     ///< it drops, and sends an error
    bool translates = false;  ///< its rule gives the packet another destination (destination_by_trace())
    bool before_conntrack = false;  ///< conntrack has not seen the packet yet: rules there know of no flow
    friend bool operator==(const TracedStep&, const TracedStep&) = default;
};

/// Namespace by namespace, in the kernel's order; other flows' steps and those in netlab's own tables are
/// left out. What has the flow's port or identifier by chance is another's, as far as `mark` tells.
[[nodiscard]] std::vector<TracedStep> read_trace(const Flow& flow,
                                                 const std::map<std::size_t, TracedNamespace>& traced,
                                                 const FlowMark& mark = {});

/// The step that ends the packet's way, or its answer's; nullptr where none does.
[[nodiscard]] const TracedStep* ending_step(std::span<const TracedStep> steps);

/// The step that has handed the packet, or its answer, to a program (NFQUEUE) that has not given it back;
/// nullptr where none has.
[[nodiscard]] const TracedStep* queueing_step(std::span<const TracedStep> steps);

/// Chains at the ingress of the way's interfaces in that place whose rules may drop: no trace tells of what
/// they do, for they come before all others. "netdev own in".
[[nodiscard]] std::vector<std::string> ingress_drops(const std::vector<TableText>& tables, const Way& way,
                                                     std::size_t place);

/// The kernel has told of a packet of the flow being dropped: for whoever waits.
[[nodiscard]] bool tells_of_drop(const Flow& flow, std::span<const kernel::TraceEvent> events,
                                 const FlowMark& mark = {});

}  // namespace netlab::operations
