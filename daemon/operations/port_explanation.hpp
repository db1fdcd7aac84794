#pragma once

#include "common/api/ports.hpp"
#include "daemon/kernel/packet_rule.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/port_judgement.hpp"

/// Why a published port cannot work, in words. Pure.
namespace netlab::operations {

/// "tcp 8080", "udp 53".
[[nodiscard]] std::string port_words(const api::PortRow& row, std::uint16_t port);

/// Nothing on the host leads there. `chains_gone`: nor has Docker a chain of its own any more.
[[nodiscard]] Explanation explain_not_carried(const api::PortRow& row, bool chains_gone);

/// The rule leads elsewhere: to its owner, to `nobody`, or to who is not known.
[[nodiscard]] Explanation explain_shadowing_rule(const api::PortRow& row, const api::PortCarrier& carrier,
                                                 bool nobody);

/// Another process has the port.
[[nodiscard]] Explanation explain_shadowing_process(const api::PortRow& row, const api::PortCarrier& carrier);

/// A proxy leads to an address that is not the container's.
[[nodiscard]] Explanation explain_stale_proxy(const api::PortRow& row, const api::PortCarrier& carrier);

/// Which packet is dropped, and where.
enum class BlockedPacket : std::uint8_t {
    on_host,    ///< from outside
    from_host,  ///< of a program of the host's, docker-proxy too
    in_container,
    answer_on_host,
    answer_in_container,
    answer_of_host,  ///< of a program of the host's
};
/// And whose it is.
struct PacketRole {
    BlockedPacket kind = BlockedPacket::on_host;
    bool later = false;  ///< not the first of its direction
    bool named = false;  ///< the client is one of those whom a rule names
};

/// What `decision` drops, as its rules see it: `packet`; with find_missed_chain()'s.
[[nodiscard]] Explanation explain_blocked(const api::PortRow& row, const api::Target& target,
                                          const PacketRole& role, const kernel::FilterDecision& decision,
                                          const kernel::PacketFacts& packet, const kernel::RuleChain* missed);

/// The host's routes or policy rules give that packet `route`, and it should leave by `output`; "": it is for
/// the host itself.
[[nodiscard]] Explanation explain_unrouted(const api::PortRow& row, const PacketRole& role,
                                           const kernel::PacketFacts& packet, const HostRoute& route,
                                           const std::string& output);

/// The host does not send on what comes in by that interface, as that sysctl says.
[[nodiscard]] Explanation explain_not_forwarded(const std::string& interface, const std::string& setting);

/// A rule redirects it to a port of the host's, which leads elsewhere: to what `carrier` says, or nowhere.
[[nodiscard]] Explanation explain_redirected(const api::NatRule& rule, std::uint16_t port,
                                             const std::optional<api::PortCarrier>& carrier);

/// The container's own rule sends it to somebody else.
[[nodiscard]] Explanation explain_sent_on(const api::Target& target, const api::NatRule& rule,
                                          const api::Endpoint& to);

/// A rule of the host's sends what its own process (docker-proxy) sends to the container somewhere else.
[[nodiscard]] Explanation explain_sent_elsewhere(const api::NatRule& rule, const api::Endpoint& to);

/// The container's answers to the outside have no route.
[[nodiscard]] Explanation explain_no_way_back(const api::PortRow& row, Family family);

/// Its kernel refuses to send to that client; `why`: the reason, and what mends it.
[[nodiscard]] Explanation explain_refused_back(const api::PortRow& row, const IpAddress& client,
                                               const Explanation& why);

/// The packet's next hop does not get it, or may not.
[[nodiscard]] Explanation explain_next_hop(const api::PortRow& row, const PacketRole& role,
                                           const kernel::PacketFacts& packet, const Hindrance& hop);

/// The container does not have the address that its engine gave it.
[[nodiscard]] Explanation explain_lost_address(const api::PortRow& row, const IpAddress& address);

/// The host's interface that has the container's subnet is down.
[[nodiscard]] Explanation explain_down(const api::PortRow& row, const std::string& interface);

/// Docker's and Podman's command that makes the rules of that port anew.
[[nodiscard]] std::string restore_rules(const api::PortRow& row);
/// The same without a remark.
[[nodiscard]] std::string restore_command(const api::PortRow& row);
/// The same where the engine's own chains, or the jumps to them, are gone: Docker makes those when it starts
/// alone. A container that is started before fails ("No chain/target/match by that name"), and stays stopped.
[[nodiscard]] std::string restore_chains(const api::PortRow& row);

}  // namespace netlab::operations
