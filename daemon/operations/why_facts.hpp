#pragma once

#include "common/api/conntrack.hpp"
#include "common/api/context.hpp"
#include "common/api/nat.hpp"
#include "common/api/why.hpp"
#include "daemon/operations/decisive_route.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/listeners.hpp"
#include "daemon/operations/neighbour_stop.hpp"
#include "daemon/operations/residents.hpp"
#include "daemon/operations/route_refusal.hpp"
#include "daemon/operations/sightings.hpp"
#include "daemon/operations/source_nat.hpp"
#include "daemon/operations/why_probe.hpp"
#include "daemon/operations/why_trace.hpp"
#include "daemon/operations/why_way.hpp"
#include "daemon/operations/wrong_neighbour.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace netlab::operations {

/// A next hop whose link-layer address nobody has told.
struct SilentNeighbour {
    std::string target;  ///< who has asked
    std::string interface;
    IpAddress address;
    Port at{};                            ///< that interface
    std::optional<NeighbourStop> stop{};  ///< a rule that keeps it from being found, or may
};

/// A rule's counter of packets around the probe.
struct RuleCount {
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    friend bool operator==(const RuleCount&, const RuleCount&) = default;
};

/// A rule that gives a packet a zone of conntrack's.
struct ZoneRule {
    api::NatRule rule;
    std::optional<std::uint16_t> of_answers;  ///< kernel::FlowZone's; absent: not known, or not certain
};

/// What the host's rules decide of a packet, read as a table.
struct RulesDecision {
    bool known = false;                ///< all of its rules could be read
    std::optional<api::WhyRule> rule;  ///< that drops it
    bool legacy = false;               ///< that one is iptables-legacy's
    api::Endpoint destination;         ///< that the packet has where it meets that one
    std::string input;                 ///< interface that it has come in by there; "" none
    std::string output;                ///< that it is to leave by; "" none, or not known there
    std::string doubt;                 ///< a rule that is not understood may decide otherwise
    bool rejects = false;              ///< that one sends an error, too
    bool translation_in_doubt =
        false;                ///< a rule that is not understood may translate it, or keep it from that
    api::Endpoint source{};   ///< that the packet has where it meets that one
    std::string hook{};       ///< where that is: "forward", …
    bool of_no_flow = false;  ///< conntrack has not seen the packet there, or is kept from it
    /// Of a policy: programs to whose chains that hook's chain leads.
    std::vector<std::string> programs{};
    std::string missed{};                    ///< the same: find_missed_chain()'s
    std::optional<api::NatRule> untracks{};  ///< takes it from conntrack: no rule may translate it
    bool marks = false;                      ///< one sets its mark, or may, before it is routed
    /// Of iptables-legacy's: its place in the chain, from 1; absent of a policy.
    std::optional<std::uint32_t> number{};
    std::optional<RuleCount> count{};       ///< the same, where it has been looked at
    bool by_counter = false;                ///< not all of its conditions are understood: its counter tells
    std::optional<api::WhyRule> not_met{};  ///< reads as if it dropped it, and its counter has not risen
    bool legacy_doubt = false;              ///< the doubt's is iptables-legacy's, of which no trace tells
    bool engine_elsewhere = false;          ///< of Docker's chains only the other iptables has any
    std::optional<ZoneRule> zone{};
    std::optional<std::size_t> place{};  ///< whose it is, and what follows from it; absent: the host's
};

/// The same of those that it meets before it comes to IP's on the host, and behind them.
struct RulesAround {
    RulesDecision before;
    RulesDecision behind;
};

/// The source that a packet leaves the host with, as the host's rules read.
struct LeavingSource {
    SourceNat nat;
    std::optional<IpAddress> address;  ///< absent where MASQUERADE gives one that is not known
    bool is_hosts = false;             ///< the host has SourceNat::to
};

/// TO has no way to send its answer, as its kernel says.
struct NoWayBack {
    std::size_t place = 0;  ///< TO's
    IpAddress to;           ///< whom it would answer
    int error = 0;          ///< errno
    std::optional<RouteRefusal> refusing;
};

/// The answer leaves TO and does not come to FROM, as the kernels' tables have its way.
struct LostAnswer {
    std::size_t place = 0;                         ///< whose namespace has it last
    api::RouteStep step = api::RouteStep::leaves;  ///< what becomes of it there
    IpAddress to;                                  ///< whom it is for there
    std::string input;                             ///< interface that it came there by; "" it is made there
    std::string note;                              ///< what the kernel says
    std::optional<std::string> shut = {};          ///< a setting that keeps it from being sent on
    std::optional<RouteRefusal> refusing = {};
    std::optional<SilentNeighbour> silent = {};
    std::string led = {};  ///< where it is sent off: "eth1 (by the policy rule 5: from all lookup 100)"
};

/// What listens there takes nothing, and its kernel says so. Of a full queue it says nothing.
[[nodiscard]] inline bool refuses(const Judgement& listener) {
    return listener.verdict != ListenerVerdict::takes && listener.verdict != ListenerVerdict::full;
}

/// An interface on the way that is too small for the packet.
struct NarrowLink {
    /// What becomes of the packet there.
    enum class Word : std::uint8_t {
        unsure,    ///< what comes in by it may be larger all the same
        own,       ///< FROM's kernel does not send it, and says so (EMSGSIZE)
        icmp,      ///< who routes it there sends an ICMP error
        silently,  ///< a veth: it is gone without a word
    };
    std::string name;  ///< "eth0 of host"
    std::uint32_t mtu = 0;
    Word word = Word::unsure;
    std::size_t point = 0;  ///< of the way
};

/// Who stands behind a process of the engine's (docker-proxy) that takes a published port on the host.
struct BehindProxy {
    /// The connection of the process' own. That the process has taken the packet says nothing of it.
    enum class Leg : std::uint8_t {
        unseen,    ///< it was not looked for, or there was none
        waiting,   ///< its SYN has not been answered
        given_up,  ///< the process has given the packet's connection up
        there,     ///< it has come about
    };
    std::string target;
    api::Endpoint to;
    std::optional<Judgement> listener;  ///< what its sockets say; absent where they could not be asked
    std::optional<Sleep> asleep{};      ///< as WhyFacts::asleep
    Leg leg = Leg::unseen;
};

/// What the host's rules make of the connection of that process' own, and of its answer.
struct LegRules {
    RulesDecision there;
    RulesDecision back;
};

/// All that is known of one question.
struct WhyFacts {
    WhyFacts(const api::Context& its_context, const api::WhyRequest& its_request)
        : context(its_context), request(its_request) {}

    /// That the packet has behind whatever has translated it.
    [[nodiscard]] api::Endpoint destination() const {
        return translated.value_or(api::Endpoint{flow.remote, flow.remote_port});
    }

    const api::Context& context;
    const api::WhyRequest& request;
    Flow flow;                          ///< its remote end, too, where nothing was sent
    std::optional<std::string> target;  ///< whose address that is, where netlab knows
    Way way;
    bool probed = false;
    std::optional<ProbeEnd> end;  ///< what came of the packet; absent: nothing came
    std::vector<Sighting> sightings;
    bool saw_all = true;
    std::set<std::size_t> observed;  ///< places whose packets were seen
    std::vector<TracedStep> trace;
    bool traced = false;
    std::string untraced;  ///< why not
    /// The place where the way ends, and what its sockets say; absent where they could not be asked.
    std::optional<Judgement> listener;
    std::string final_target;
    /// Of where the way ends: its kernel answers, and the programs that would are a paused container's.
    std::optional<Sleep> asleep;
    bool ignores_echoes = false;              ///< of where the way ends: its kernel is told to answer none
    std::string host;                         ///< what the host is called; "" where it is not known
    std::optional<api::Endpoint> translated;  ///< its last destination, where that is not the first
    std::optional<BehindProxy> proxied;       ///< it came to the host's own socket of a published port
    std::optional<SilentNeighbour> silent;
    std::optional<WrongNeighbour> wrong;  ///< on the way there
    std::optional<WrongNeighbour> wrong_back;
    std::optional<NoWayBack> no_way_back;
    std::optional<LostAnswer> lost_answer;  ///< behind TO
    std::optional<NarrowLink> narrow;       ///< of a packet that was given a size: the first on the way there
    std::optional<StrayRoute> stray;
    std::optional<IpAddress> next_hop;        ///< FROM's, where that is not the destination itself
    std::optional<DecisiveRoute> route;       ///< FROM's, where its kernel tells
    std::optional<DecisiveRoute> route_back;  ///< the same of where the way ends, to whom it answers
    /// Interface by which the answer leaves there, as its kernel says, where the packet came in by another.
    std::optional<std::string> answers_by;
    std::optional<std::string> shut;       ///< a setting that keeps it from being sent on where the way ends
    std::optional<RouteRefusal> refusing;  ///< of where the way is lost
    std::string by_mark;       ///< the host's policy rule that asks for a mark which a rule sets; "" none
    std::string by_mark_back;  ///< the same of the answer's
    std::vector<std::string>
        ingress;  ///< the host's chains at an interface's ingress that may drop: "netdev t c"
    std::optional<RulesDecision> rules;       ///< absent where it does not pass the host's rules
    std::optional<RulesDecision> rules_back;  ///< the same of the answer, if it comes back that way
    std::optional<RulesAround> around;        ///< absent where FROM's source is not known
    /// The destination that TO's own rules give it; absent where they are not known.
    std::optional<api::Endpoint> inside;
    std::vector<std::string> unread;  ///< whose rules it meets that netlab has not read, or not as a whole
    std::optional<RulesAround> around_back;    ///< the same of the answer
    std::optional<LegRules> leg;               ///< where a process of the engine's may take it on the host
    std::optional<LeavingSource> leaving;      ///< absent where it does not leave the host, or is not known
    std::optional<api::ConntrackStale> stale;  ///< an old entry of the same service that leads elsewhere
    std::vector<std::string> notes;            ///< what is to be said whatever comes of it
    Explanation segment;                       ///< what is wrong with the links that FROM or TO hang on
    std::optional<bool> small_passes;          ///< with a size: whether an echo without it was answered
};

/// What the facts come to, without the words.
struct WhyDecision {
    api::WhyVerdict verdict = api::WhyVerdict::unknown;
    std::optional<api::WhyPlace> where;
    std::optional<api::WhyRule> rule;
    bool answer = false;    ///< it is the answer that does not arrive
    bool paused = false;    ///< it came to where no program runs that could take it
    bool leg = false;       ///< it is the packet, or the answer, of the engine's process' own connection
    bool by_table = false;  ///< the rule is the one that reads so, not one that the kernel has told of
    std::optional<std::size_t> last;  ///< point of the way where it was seen last
};

/// A rule certainly keeps WhyFacts::silent from being found.
[[nodiscard]] inline bool is_kept_silent(const WhyFacts& facts) {
    return facts.silent && facts.silent->stop && facts.silent->stop->certain;
}

/// IP's rules on the host that have decided so, or would; nullptr where they are not known, or the answer
/// takes another way than the packet.
[[nodiscard]] inline const RulesDecision* table_of(const WhyFacts& facts, bool answer, bool leg) {
    if (leg) return !facts.leg ? nullptr : answer ? &facts.leg->back : &facts.leg->there;
    if (answer && facts.answers_by) return nullptr;
    const auto& rules = answer ? facts.rules_back : facts.rules;
    return rules ? &*rules : nullptr;
}
/// With those around them, in the order of the way.
[[nodiscard]] std::vector<const RulesDecision*> tables_of(const WhyFacts& facts, bool answer, bool leg);
/// The one that the chain of `rule` decides; nullptr: none.
[[nodiscard]] const RulesDecision* table_with(const WhyFacts& facts, const api::WhyRule& rule, bool answer,
                                              bool leg);

}  // namespace netlab::operations
