#pragma once

#include "daemon/operations/explanation.hpp"
#include "daemon/operations/flow_tracking.hpp"
#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/port_judgement.hpp"

/// What becomes of a container's packets to the outside, and of what answers them. Pure.
namespace netlab::operations {

/// The way of a packet that came to the host from one of its bridges.
struct WayOut {
    IpAddress source;
    IpAddress destination;                    ///< anybody outside
    std::string bridge;                       ///< the host's interface that it comes in by
    std::string output;                       ///< that it leaves by; "" where the host has no route
    std::optional<IpAddress> host_address{};  ///< that MASQUERADE gives there
    std::optional<bool> forwards{};           ///< the host sends on what comes in by the bridge
    std::string forwarding{};                 ///< the sysctl that says so
    std::optional<bool> forwards_answers{};   ///< and what comes in by `output`
    std::string answers_forwarding{};
    std::optional<Explanation> refused{};  ///< by its routes or policy rules
    std::string by_mark{};                 ///< a policy rule that would decide by a mark
    bool down = false;                     ///< the bridge is not up

    /// The interface that it comes in by is a bridge, whose frames rules see; a veth or a bond is none.
    bool bridged = false;
    /// Of the bridge or bond: behind it is the container. "": there is none, or, of any of a network, it is
    /// not known, and what is at single ports is not looked at.
    std::string port{};
    api::Runtime engine = api::Runtime::docker;  ///< whose rules would let it pass
    std::optional<IpPrefix> network{};           ///< that the source is of
    const api::Target* target = nullptr;         ///< whose packet it is; nullptr: of any of a network
    std::string interface {};                    ///< of the target
    const FamilyRules* own_rules = nullptr;      ///< the target's; nullptr: of any of a network
    std::optional<Hindrance> hop{};              ///< the host's next hop does not get it, or may not
    HostRoute back{};                            ///< what the host makes of the answer, translated back
    std::optional<Hindrance> undiscovered{};     ///< neighbours on the way do not find each other, or may not
};

/// The first packet of a connection to a web server that goes that way.
[[nodiscard]] kernel::PacketFacts packet_out(const WayOut& way);
/// The first that answers it, behind what translates it back.
[[nodiscard]] kernel::PacketFacts answer_back(const WayOut& way);

/// What keeps those packets from where they go, or may.
struct WayStop {
    Explanation why;
    std::optional<api::NatRule> rule{};  ///< absent: it is a policy's, or no rule's
    bool certain = true;                 ///< false: it may
    bool answer = false;                 ///< it is the answer that does not get there
    bool of_no_flow = false;             ///< that conntrack takes the packets for none of one flow is why
    friend bool operator==(const WayStop&, const WayStop&) = default;
};

/// One connection, to that port outside.
class NatTrace {
  public:
    /// All are borrowed. `rules` are the host's.
    NatTrace(const FamilyRules& rules, const WayOut& way, std::uint16_t service)
        : rules_(rules), way_(way), service_(service) {}

    /// Of the first packet, up to the rules that translate its source: the first thing that stops it for
    /// certain, or else the first that may.
    [[nodiscard]] std::optional<WayStop> leaving() const;
    /// Of what comes then, with the source that it leaves with: the rest of its way, its answer, and what
    /// follows either. nullopt: it is translated, to which address is not known.
    [[nodiscard]] std::optional<WayStop> answered(const std::optional<IpAddress>& as) const;

  private:
    using Stop = std::optional<WayStop>;
    /// Which packet it is, and in whose namespace.
    struct Leg {
        bool answer = false;
        bool later = false;   ///< not the first of its direction
        bool inside = false;  ///< in the container
    };

    [[nodiscard]] kernel::PacketFacts packet(Leg leg) const;
    [[nodiscard]] std::string words(Leg leg) const;
    [[nodiscard]] const FamilyRules& rules_of(Leg leg) const { return leg.inside ? *way_.own_rules : rules_; }
    [[nodiscard]] Stop doubt(const kernel::RuleChain* chain, const kernel::PacketRule* rule, Leg leg) const;
    [[nodiscard]] Stop stop_of(const kernel::FilterDecision& decision, const kernel::PacketFacts& facts,
                               Leg leg) const;
    [[nodiscard]] Stop stop_at(std::uint32_t hook, kernel::PacketFacts& facts, Leg leg,
                               kernel::HookPart part = kernel::HookPart::whole) const;
    [[nodiscard]] Stop stop_at(const kernel::FramePoint& point, kernel::PacketFacts& facts, Leg leg) const;
    [[nodiscard]] Stop stop_by_nat(std::uint32_t hook, const kernel::PacketFacts& facts, Leg leg) const;
    [[nodiscard]] Stop stop_by_route(const kernel::PacketFacts& back, Leg leg) const;
    [[nodiscard]] Stop not_led_back(const std::optional<IpAddress>& as) const;
    [[nodiscard]] Tracked tracked_on_host(const std::optional<IpAddress>& as) const;
    [[nodiscard]] Tracked tracked_inside() const;

    void leave_container(bool later, Stop& stops) const;
    /// The packet as the host's rules leave it.
    kernel::PacketFacts cross_host(Leg leg, Tracking tracking, Stop& stops) const;
    void cross_bridge(kernel::PacketFacts& facts, Leg leg, Stop& stops) const;
    void leave_host(const std::optional<IpAddress>& as, Leg leg, Tracking tracking, Stop& stops) const;
    void come_back(const std::optional<IpAddress>& as, Leg leg, Tracking tracking, Stop& stops) const;
    void enter_container(bool later, Stop& stops) const;
    [[nodiscard]] Stop answered(const std::optional<IpAddress>& as, Tracking tracking) const;

    const FamilyRules& rules_;
    const WayOut& way_;
    std::uint16_t service_;
};

}  // namespace netlab::operations
