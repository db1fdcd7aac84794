#include "daemon/operations/why_explanation.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/network_family.hpp"
#include "daemon/operations/route_verdict.hpp"
#include "daemon/operations/rule_explanation.hpp"
#include "daemon/operations/why_asleep.hpp"
#include "daemon/operations/why_by_tables.hpp"
#include "daemon/operations/why_listener.hpp"
#include "daemon/operations/why_narrow.hpp"
#include "daemon/operations/why_source.hpp"
#include "daemon/operations/why_unreachable.hpp"

#include <algorithm>
#include <cerrno>

namespace netlab::operations {

namespace {

using api::RouteStep;
using api::WhyProtocol;
using api::WhyVerdict;

class Explainer {
  public:
    Explainer(const WhyFacts& facts, const WhyDecision& decision) : facts_(facts), decision_(decision) {}

    Explanation explain() {
        if (!facts_.probed) {
            if (auto only = by_tables(); !only.explanation.empty()) return only;
        }
        switch (decision_.verdict) {
            case WhyVerdict::delivered:
                return delivered();
            case WhyVerdict::refused:
                return refused();
            case WhyVerdict::dropped:
                return decision_.rule ? stopped() : local();
            case WhyVerdict::rejected:
                return decision_.rule ? stopped() : rejected_on_way();
            case WhyVerdict::unreachable:
                return or_by_mark(explain_unreachable(facts_));
            case WhyVerdict::lost:
                return or_by_mark(lost());
            default:
                return undecided();
        }
    }

  private:
    /// Where nothing that could be mended is known.
    [[nodiscard]] Explanation or_by_mark(Explanation found) const {
        const auto& points = facts_.way.points;
        const bool back = facts_.by_mark.empty();
        // What is not there has no answer.
        if (back && !decision_.answer && !(!points.empty() && points.back().hop.seen.value_or(false)))
            return found;
        const auto mark = explain_mark(facts_, back);
        if (mark.explanation.empty() || !found.suggestion.empty()) return found;
        return {found.explanation + (found.explanation.empty() ? "" : "; ") + mark.explanation,
                mark.suggestion};
    }

    [[nodiscard]] const api::Target& from() const { return facts_.context.targets.front(); }
    [[nodiscard]] std::string what() const {
        if (facts_.flow.protocol == WhyProtocol::icmp) return "the echo";
        return facts_.flow.protocol == WhyProtocol::tcp ? "the SYN" : "the datagram";
    }
    [[nodiscard]] Explanation delivered() const {
        if (facts_.stale) return stale();
        return paused();
    }

    [[nodiscard]] Explanation paused() const { return explain_paused(facts_.asleep); }

    /// It works for whoever begins now, and not for who goes on.
    [[nodiscard]] Explanation stale() const {
        return {"a new flow arrives, but an old conntrack entry still leads those who go on astray: " +
                    facts_.stale->explanation,
                facts_.stale->suggestion};
    }

    /// By which the packet was to leave on a stray route where the rule stopped it; "" where that is not
    /// known.
    [[nodiscard]] std::string output_of(const TracedStep* step) const {
        if (step != nullptr) return step->step.output;
        const bool is_packets = decision_.by_table && !decision_.answer && !decision_.leg && facts_.rules &&
                                facts_.rules->rule == decision_.rule;
        return is_packets && facts_.stray->address == facts_.destination().address ? facts_.rules->output
                                                                                   : std::string();
    }

    [[nodiscard]] Explanation stopped() const {
        // It met the rule because it was on the wrong way.
        const auto* step = ending_step(facts_.trace);
        if (step == nullptr && !decision_.by_table && queueing_step(facts_.trace) != nullptr) return queued();
        if (facts_.stray && !facts_.stray->output.empty() && output_of(step) == facts_.stray->output)
            return explain_stray(*facts_.stray);
        // A policy drops what should not have come there: by a veth, say, that is on no bridge.
        const bool is_policy =
            !decision_.rule->handle && !(decision_.by_table && decision_.rule->text != "policy drop");
        const bool is_hosts = decision_.rule->target == facts_.host;
        if (is_policy && is_hosts && !facts_.segment.explanation.empty()) return facts_.segment;
        auto out = explain_rule(facts_, *decision_.rule, decision_.answer, decision_.leg);
        if (!decision_.answer && !decision_.leg) out.explanation += behind_the_rule();
        return out;
    }

    /// Where letting it through is not enough: it has been translated to an address that nobody has.
    [[nodiscard]] std::string behind_the_rule() const {
        const auto end = facts_.way.end;
        const bool ends_there = end == RouteStep::unknown || end == RouteStep::routed;
        if (!ends_there || facts_.way.note.empty() || explain_dead_translation(facts_).explanation.empty())
            return {};
        return "; behind it the packet finds nobody: its destination has been translated to " +
               endpoint_text(facts_.translated->address, facts_.translated->port) + ", and " +
               facts_.way.note;
    }

    [[nodiscard]] Explanation refused() const {
        auto out = explain_listener(facts_);
        if (out.explanation.empty())
            out.explanation = facts_.end && facts_.end->from
                                  ? facts_.end->from->to_string() + " says that nothing has that port"
                                  : "the connection was refused";
        const auto& listener = facts_.proxied ? facts_.proxied->listener : facts_.listener;
        if (listener && listener->verdict == ListenerVerdict::loopback_only) {
            const auto port = std::to_string(
                (facts_.proxied ? facts_.proxied->to : facts_.inside.value_or(facts_.destination())).port);
            out.explanation += ": a program there must listen on 0.0.0.0:" + port + " to be reached";
        }
        return out;
    }

    /// FROM's kernel would not send, and no trace says why.
    [[nodiscard]] Explanation local() const {
        return {facts_.request.from + " does not send it: a rule of its own forbids it",
                "netlab firewall " + facts_.request.from};
    }

    /// A refusal that is not TO's, and no trace says whose.
    [[nodiscard]] Explanation rejected_on_way() const {
        if (!decision_.last)
            return {what() + " has not left " + from().name + ": a rule of its own rejects it",
                    "netlab firewall " + facts_.request.from};
        return {what() + " was refused, and has not come as far as " +
                    (facts_.final_target.empty() ? facts_.flow.remote.to_string() : facts_.final_target) +
                    ": a rule on the way there rejects it",
                facts_.host.empty() ? std::string() : "netlab firewall " + facts_.host};
    }

    /// Of the packet, or of its answer.
    [[nodiscard]] Explanation by_wrong_neighbour() const {
        const auto& wrong = decision_.answer ? facts_.wrong_back : facts_.wrong;
        if (!wrong) return {};
        return explain_wrong_neighbour(*wrong, target_at(facts_.context, wrong->at.place));
    }

    [[nodiscard]] Explanation lost() const {
        if (facts_.proxied) return explain_behind_proxy(facts_);
        if (decision_.paused) return paused();
        if (!facts_.segment.explanation.empty()) return facts_.segment;
        if (meets_stray_route(facts_)) return explain_stray(*facts_.stray);
        if (auto wrong = by_wrong_neighbour(); !wrong.explanation.empty()) return wrong;
        if (facts_.end && facts_.end->kind == ProbeEnd::Kind::answered)
            return {"something else answers for " + facts_.flow.remote.to_string() + ": " +
                        facts_.final_target + " has not seen the packet",
                    {}};
        if (facts_.small_passes.value_or(false)) return black_hole();
        if (decision_.answer && facts_.lost_answer) return explain_lost_answer(facts_);
        if (auto apart = explain_zones(facts_); decision_.answer && !apart.explanation.empty()) return apart;
        if (decision_.answer && facts_.rules_back && facts_.rules_back->untracks)
            return explain_untracked(
                "somebody has answered, and the answer is not led back to " + from().name + ": ",
                *facts_.rules_back->untracks);
        if (auto dead = explain_dead_translation(facts_); !dead.explanation.empty())
            return {what() + " leads nowhere" + dead.explanation, dead.suggestion};
        if (auto gateway = explain_gateway(facts_); !gateway.explanation.empty()) return gateway;
        auto listener = explain_listener(facts_);
        const auto* last = facts_.way.points.empty() ? nullptr : &facts_.way.points.back();
        if (last != nullptr && last->hop.seen.value_or(false) && !decision_.answer) {
            if (!listener.explanation.empty()) return listener;
            if (auto source = unanswerable_source(); !source.explanation.empty()) return source;
            if (facts_.no_way_back) return explain_no_way_back(facts_);
            if (facts_.ignores_echoes) return explain_ignored_echoes(facts_);
            const auto& silent = facts_.lost_answer ? facts_.lost_answer->silent : std::nullopt;
            if (silent && silent->target == facts_.final_target) return explain_lost_answer(facts_);
            return {what() + " came to " + facts_.final_target + ", and its kernel has not answered", {}};
        }
        const bool outside = last != nullptr && last->hop.kind == "outside";
        if (decision_.answer)
            return {(outside ? std::string("somebody outside") : facts_.final_target) +
                        " has answered, and the answer has come no further than " + place_text() +
                        by_ingress(),
                    ingress_command()};
        if (last != nullptr && !last->hop.seen) {
            if (auto source = explain_source(facts_); !source.explanation.empty()) return source;
            if (outside && left_host())
                return {what() + " left, and nothing has come back from outside of what netlab sees", {}};
        }
        return {what() + " went no further, and no rule that netlab sees has dropped it" + by_ingress() +
                    by_doubtful_rule(),
                ingress_command()};
    }

    /// TO cannot answer, and would not have to answer that address.
    [[nodiscard]] Explanation unanswerable_source() const {
        const bool knows_no_way = facts_.no_way_back || (facts_.lost_answer && facts_.lost_answer->silent);
        if (!knows_no_way) return {};
        auto source = explain_source(facts_);
        if (source.explanation.empty()) return {};
        const auto back = facts_.no_way_back ? explain_no_way_back(facts_) : explain_lost_answer(facts_);
        return {back.explanation + "; " + source.explanation, source.suggestion};
    }

    /// "veth12 and eth0 of host": between those.
    [[nodiscard]] std::string place_text() const {
        return decision_.where ? decision_.where->point.substr(0, decision_.where->point.find(' ')) + " of " +
                                     decision_.where->target
                               : std::string("the host");
    }

    /// The last point that could be looked at.
    [[nodiscard]] const WayPoint* last_inside() const {
        const auto& points = facts_.way.points;
        const auto found = std::find_if(points.rbegin(), points.rend(),
                                        [](const WayPoint& one) { return one.hop.seen.has_value(); });
        return found == points.rend() ? nullptr : &*found;
    }
    [[nodiscard]] bool left_host() const {
        const auto* inside = last_inside();
        return inside == nullptr || inside->hop.seen.value_or(true);
    }

    /// Of nf_tables' the trace would have told.
    [[nodiscard]] std::string by_doubtful_rule() const {
        const auto& rules = facts_.rules;
        if (!rules || rules->doubt.empty() || (facts_.traced && !rules->legacy_doubt)) return {};
        return "; whether this rule drops it netlab cannot say: " + rules->doubt;
    }

    [[nodiscard]] std::string by_ingress() const {
        if (facts_.ingress.empty()) return {};
        return "; rules at the ingress of an interface on the way may drop it, which no trace shows: " +
               list_and(facts_.ingress);
    }
    [[nodiscard]] std::string ingress_command() const {
        return facts_.ingress.empty() ? std::string() : "netlab firewall " + facts_.host + " --hook ingress";
    }

    [[nodiscard]] Explanation queued() const {
        const auto& step = queueing_step(facts_.trace)->step;
        return {"a rule of " + step.family + " " + step.table + " " + step.chain + " of " + step.target +
                    " hands it to a program (NFQUEUE), and none has given it back",
                {}};
    }

    [[nodiscard]] Explanation black_hole() const {
        const auto size = std::to_string(facts_.request.size);
        const auto between = decision_.where ? " between " + decision_.where->point : std::string();
        const auto& narrow = facts_.narrow;
        return {"packets of " + size + " bytes are lost" + between + " and small ones pass: " +
                    (narrow ? narrow->name + " has an MTU of " + std::to_string(narrow->mtu)
                            : std::string("a link on the way has a smaller MTU")) +
                    ", and the ICMP error that should say so does not come",
                narrow ? mended_mtu(*narrow) : std::string()};
    }

    /// Where a veth loses it, that is what is wrong.
    [[nodiscard]] std::string mended_mtu(const NarrowLink& narrow) const {
        auto larger =
            narrow.word == NarrowLink::Word::silently ? explain_narrow(facts_).suggestion : std::string();
        return larger.empty() ? smaller_mtu(narrow.mtu) : larger;
    }

    /// FROM sends nothing larger then.
    [[nodiscard]] std::string smaller_mtu(std::uint32_t mtu) const {
        const auto& points = facts_.way.points;
        const bool own = !points.empty() && points.front().hop.kind == "source" &&
                         is_plain_word(points.front().hop.interface);
        return own ? command_in(from(),
                                "ip link set " + points.front().hop.interface + " mtu " + std::to_string(mtu))
                   : std::string();
    }

    /// Nothing was sent.
    [[nodiscard]] Explanation by_tables() const {
        const auto& listener = facts_.proxied ? facts_.proxied->listener : facts_.listener;
        const bool full = listener && listener->verdict == ListenerVerdict::full;
        if (full && decision_.verdict == WhyVerdict::unknown) return explain_listener(facts_);
        return explain_by_tables(facts_, decision_);
    }

    [[nodiscard]] Explanation undecided() const {
        if (facts_.proxied) return explain_behind_proxy(facts_);
        if (facts_.asleep && !is_asleep(facts_.asleep)) return paused();
        if (facts_.flow.protocol == WhyProtocol::udp)
            return {"the datagram left" + whither() + ", and nothing came back: of UDP that says nothing",
                    {}};
        return {facts_.way.note, {}};
    }

    /// " host by eth0 for blue, which was not watched; a socket there takes it"
    [[nodiscard]] std::string whither() const {
        const auto* inside = last_inside();
        const bool known = facts_.way.end == RouteStep::delivered && !facts_.final_target.empty();
        if (inside == nullptr || !known) return {};
        const bool takes = facts_.listener && facts_.listener->verdict == ListenerVerdict::takes;
        return " " + inside->hop.target + " by " + inside->hop.interface + " for " + facts_.final_target +
               ", whose packets netlab did not watch" + (takes ? "; a socket there takes it" : "");
    }

    const WhyFacts& facts_;
    const WhyDecision& decision_;
};

}  // namespace

Explanation explain_why(const WhyFacts& facts, const WhyDecision& decision) {
    return Explainer(facts, decision).explain();
}

}  // namespace netlab::operations
