#include "daemon/operations/why_by_tables.hpp"

#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/route_verdict.hpp"
#include "daemon/operations/why_asleep.hpp"
#include "daemon/operations/why_doubts.hpp"
#include "daemon/operations/why_narrow.hpp"
#include "daemon/operations/why_source.hpp"
#include "daemon/operations/why_unreachable.hpp"

#include <algorithm>
#include <string_view>

namespace netlab::operations {

namespace {

using api::RouteStep;
using api::WhyProtocol;
using api::WhyVerdict;

/// What decides, in the order of the way.
enum class Cause : std::uint8_t {
    none,
    narrow,
    wrong_neighbour,
    rule_before,
    rule,
    lost_way,
    nobody,
    rule_behind,
    wrong_neighbour_back,
    no_way_back,
    rule_back_before,
    rule_back,
    rule_back_behind,
    lost_answer,
    ignored_echo,
    refused_behind,
    rule_of_leg,
    refused,
    paused,
};

class Tables {
  public:
    explicit Tables(const WhyFacts& facts) : facts_(facts) {}

    [[nodiscard]] Cause cause() const {
        if (ends_at_narrow() && !comes_after_host(facts_.narrow->point)) return Cause::narrow;
        if (const auto own = before_host(); own != Cause::none) return own;
        if (is_stopped_by_rule()) return Cause::rule;
        // What it is translated to, or which way its mark leads it, is not known.
        if (goes_elsewhere()) return Cause::none;
        if (is_lost(facts_.way.end)) return Cause::lost_way;
        if (ends_at_nobody()) return Cause::nobody;
        if (is_stopped_behind()) return Cause::rule_behind;
        if (!rules_doubtful()) {
            if (is_certain(facts_.wrong)) return Cause::wrong_neighbour;
            if (ends_at_narrow()) return Cause::narrow;
            if (const auto back = on_way_back(); back != Cause::none) return back;
        }
        if (facts_.proxied && facts_.proxied->listener && refuses(*facts_.proxied->listener))
            return Cause::refused_behind;
        if (WhyDecision leg; facts_.proxied && !rules_doubtful() && stop_leg_by_table(leg, facts_))
            return Cause::rule_of_leg;
        if (arrives() && facts_.listener && refuses(*facts_.listener) && is_for_that_listener())
            return Cause::refused;
        return !rules_doubtful() && ends_at_paused() ? Cause::paused : Cause::none;
    }

    /// FROM's address, or TO's, is led elsewhere by the host, and TO's packets go that way.
    [[nodiscard]] bool meets_stray() const { return facts_.stray && passes_host(); }
    [[nodiscard]] bool leads_astray() const {
        return meets_stray() && facts_.stray->address == facts_.destination().address;
    }
    [[nodiscard]] bool leads_answer_astray() const { return meets_stray() && !leads_astray(); }
    [[nodiscard]] bool arrives() const { return facts_.way.end == RouteStep::delivered; }
    [[nodiscard]] bool is_for_programs() const { return facts_.flow.protocol != WhyProtocol::icmp; }

  private:
    /// What is wrong before a rule of IP's on the host sees the packet.
    [[nodiscard]] Cause before_host() const {
        const auto* rules = facts_.around && facts_.around->before.rule ? &facts_.around->before : nullptr;
        // No frame of the packet's leaves before FROM's own question is answered.
        const bool is_framed = rules != nullptr && (!rules->place || rules->hook == "egress");
        if (is_kept_silent(facts_) && facts_.silent->at.place == 0 && (rules == nullptr || is_framed))
            return Cause::nobody;
        if (rules != nullptr) return Cause::rule_before;
        const bool own = is_certain(facts_.wrong) && facts_.wrong->at.place == 0;
        if (own && facts_.wrong->target != facts_.host) return Cause::wrong_neighbour;
        return Cause::none;
    }

    [[nodiscard]] bool ends_at_narrow() const {
        return facts_.narrow && facts_.narrow->word != NarrowLink::Word::unsure;
    }
    /// The host has taken it, or passed it on, before that point.
    [[nodiscard]] bool comes_after_host(std::size_t point) const {
        const auto& points = facts_.way.points;
        const auto end = points.begin() + static_cast<std::ptrdiff_t>(std::min(point + 1, points.size()));
        return std::any_of(points.begin(), end, [&](const WayPoint& one) {
            return one.hop.target == facts_.host && one.hop.kind != "port" && one.hop.kind != "source";
        });
    }
    /// It is routed there, not only switched.
    [[nodiscard]] bool passes_host() const {
        return std::ranges::any_of(facts_.way.points, [&](const WayPoint& one) {
            const bool only_switched = one.hop.kind == "port" || one.forwards;
            return one.hop.target == facts_.stray->target && !only_switched;
        });
    }

    /// Somebody else may send on what he gets, and an entry that is not permanent is asked for anew.
    [[nodiscard]] static bool is_certain(const std::optional<WrongNeighbour>& wrong) {
        return wrong && wrong->permanent && wrong->nobodys;
    }

    [[nodiscard]] bool rules_doubtful() const {
        const auto is_doubtful = [](const RulesDecision* one) { return !one->doubt.empty(); };
        return may_go_elsewhere() || (facts_.rules && !facts_.rules->known) ||
               std::ranges::any_of(tables_of(facts_, false, false), is_doubtful);
    }
    /// By its mark.
    [[nodiscard]] bool may_go_elsewhere() const { return !facts_.by_mark.empty(); }
    [[nodiscard]] bool goes_elsewhere() const {
        return may_go_elsewhere() || (facts_.rules && facts_.rules->translation_in_doubt) ||
               (facts_.around && facts_.around->before.translation_in_doubt);
    }
    /// Of those behind IP's on the host only where it is known that it comes to them as it is.
    [[nodiscard]] bool is_stopped_behind() const {
        const auto& around = facts_.around;
        return around && around->behind.rule && (!facts_.rules || facts_.rules->known);
    }
    /// TO's own rules may send it on to another.
    [[nodiscard]] bool is_for_that_listener() const {
        if (asks_engines_resolver()) return facts_.inside && facts_.inside != facts_.destination();
        return !facts_.around || !facts_.around->behind.translation_in_doubt;
    }
    /// Of one behind a routing decision only where that decision is known.
    [[nodiscard]] bool is_stopped_by_rule() const {
        const auto& rules = facts_.rules;
        if (!rules || !rules->rule) return false;
        // FROM's own rules may have made another packet of it.
        if (facts_.around && facts_.around->before.translation_in_doubt) return false;
        return !may_go_elsewhere() || rules->hook == "prerouting" || rules->hook == "output";
    }
    /// Docker's own rules in the container lead that on to the port that its resolver has
    /// (libnetwork/resolver_unix.go).
    [[nodiscard]] bool asks_engines_resolver() const {
        return facts_.flow.remote == *IpAddress::parse("127.0.0.11");
    }

    /// No namespace that is known has the address that is to be asked for, and nobody has answered for it,
    /// or it is known where it is.
    [[nodiscard]] bool ends_at_nobody() const {
        if (is_kept_silent(facts_)) return true;
        if (facts_.way.end != RouteStep::unknown || facts_.way.points.empty()) return false;
        const auto& last = facts_.way.points.back().hop;
        const auto sends = [&](const std::string& target, const std::string& interface) {
            return facts_.way.ends_on_bridge || (last.target == target && last.interface == interface);
        };
        if (facts_.silent && sends(facts_.silent->target, facts_.silent->interface)) return true;
        return leads_astray() && sends(facts_.stray->target, facts_.stray->output);
    }

    /// A datagram need not be answered.
    [[nodiscard]] Cause on_way_back() const {
        if (facts_.flow.protocol == WhyProtocol::udp) return Cause::none;
        // Of whom netlab does not see it is known, too, what becomes of his answer.
        if (!arrives() && !leaves()) return Cause::none;
        if (facts_.ignores_echoes) return Cause::ignored_echo;
        if (arrives() && !facts_.no_way_back && facts_.around_back && facts_.around_back->before.rule)
            return Cause::rule_back_before;
        if (is_answer_stopped()) return Cause::rule_back;
        if (is_answer_stopped_behind()) return Cause::rule_back_behind;
        if (leaves()) return loses_answer() ? Cause::lost_answer : Cause::none;
        if (facts_.no_way_back) return Cause::no_way_back;
        if (loses_answer()) return Cause::lost_answer;
        return is_certain(facts_.wrong_back) ? Cause::wrong_neighbour_back : Cause::none;
    }

    [[nodiscard]] bool leaves() const { return facts_.way.end == RouteStep::leaves; }
    /// A namespace says so: who only has not been heard of may be there.
    [[nodiscard]] bool loses_answer() const {
        return facts_.lost_answer && is_lost(facts_.lost_answer->step) && is_answers_way_known();
    }
    /// No rule gives it a mark, by which it might be routed otherwise.
    [[nodiscard]] bool is_answers_way_known() const {
        const auto& back = facts_.rules_back;
        if (!explain_zones(facts_).explanation.empty()) return false;
        return !back || (back->known && back->doubt.empty() && !back->marks && !back->untracks);
    }
    [[nodiscard]] bool is_answer_stopped() const {
        const auto* back = table_of(facts_, true, false);
        return back != nullptr && back->rule && is_answers_way_known() &&
               explain_source(facts_).explanation.empty();
    }
    [[nodiscard]] bool is_answer_stopped_behind() const {
        return facts_.around_back && facts_.around_back->behind.rule && is_answers_way_known() &&
               !facts_.no_way_back && !loses_answer() && explain_source(facts_).explanation.empty();
    }

    [[nodiscard]] bool ends_at_paused() const {
        if (facts_.proxied) return is_asleep(facts_.proxied->asleep);
        return is_asleep(facts_.asleep) && arrives() && is_for_programs();
    }

    const WhyFacts& facts_;
};

class Decider {
  public:
    explicit Decider(const WhyFacts& facts) : facts_(facts) {}

    WhyDecision decide() {
        switch (Tables(facts_).cause()) {
            case Cause::narrow:
                by_narrow();
                break;
            case Cause::wrong_neighbour:
                by_neighbour(*facts_.wrong);
                break;
            case Cause::rule:
                stop_by_table(out_, *facts_.rules);
                break;
            case Cause::rule_before:
                stop_by_table(out_, facts_.around->before);
                break;
            case Cause::rule_behind:
                stop_by_table(out_, facts_.around->behind);
                break;
            case Cause::rule_back_before:
                stop_answer(facts_.around_back->before);
                break;
            case Cause::rule_back:
                stop_answer(*facts_.rules_back);
                break;
            case Cause::rule_back_behind:
                stop_answer(facts_.around_back->behind);
                break;
            case Cause::rule_of_leg:
                stop_leg_by_table(out_, facts_);
                break;
            case Cause::lost_way:
                settle(WhyVerdict::unreachable, end_place());
                break;
            case Cause::nobody:
                settle(WhyVerdict::unreachable,
                       facts_.silent ? api::WhyPlace{facts_.silent->target, facts_.silent->interface}
                                     : api::WhyPlace{facts_.stray->target, facts_.stray->output});
                if (is_kept_silent(facts_)) out_.rule = facts_.silent->stop->rule;
                break;
            case Cause::wrong_neighbour_back:
                out_.answer = true;
                by_neighbour(*facts_.wrong_back);
                break;
            case Cause::no_way_back:
            case Cause::ignored_echo:
                out_.answer = true;
                settle(WhyVerdict::lost, behind_end("its answer"));
                break;
            case Cause::lost_answer:
                out_.answer = true;
                settle(WhyVerdict::lost, end_of_answer());
                break;
            case Cause::refused_behind:
                settle(WhyVerdict::refused, {facts_.proxied->target, ""});
                break;
            case Cause::refused:
                settle(WhyVerdict::refused, end_place());
                break;
            case Cause::paused:
                out_.paused = true;
                settle(WhyVerdict::lost,
                       facts_.proxied ? api::WhyPlace{facts_.proxied->target, "its kernel and its programs"}
                                      : behind_end("its programs"));
                break;
            case Cause::none:
                settle(WhyVerdict::unknown, end_place());
        }
        return out_;
    }

  private:
    void settle(WhyVerdict verdict, api::WhyPlace where) {
        out_.verdict = verdict;
        out_.where = std::move(where);
    }

    void stop_answer(const RulesDecision& rules) {
        out_.answer = true;
        stop_by_table(out_, rules);
    }

    void by_neighbour(const WrongNeighbour& wrong) {
        settle(WhyVerdict::lost, {wrong.target, wrong.interface + " and " + wrong.owner});
    }

    void by_narrow() {
        const auto& points = facts_.way.points;
        const auto& narrow = *facts_.narrow;
        const auto there = place_of(points.at(narrow.point));
        if (narrow.word != NarrowLink::Word::silently || narrow.point == 0) {
            settle(WhyVerdict::unreachable, there);
            return;
        }
        auto before = place_of(points[narrow.point - 1]);
        before.point += " and " + narrow.name;
        settle(WhyVerdict::lost, before);
    }

    /// Who leads it astray is to blame, and not who gets it then.
    [[nodiscard]] api::WhyPlace end_of_answer() const {
        if (Tables(facts_).leads_answer_astray()) return {facts_.stray->target, facts_.stray->output};
        const auto& lost = *facts_.lost_answer;
        return {target_at(facts_.context, lost.place).name, lost.input};
    }

    static api::WhyPlace place_of(const WayPoint& point) { return {point.hop.target, point.hop.interface}; }
    [[nodiscard]] api::WhyPlace end_place() const {
        const auto& points = facts_.way.points;
        return points.empty() ? api::WhyPlace{facts_.request.from, ""} : place_of(points.back());
    }
    [[nodiscard]] api::WhyPlace behind_end(std::string_view what) const {
        auto place = end_place();
        place.point.append(" and ").append(what);
        return place;
    }

    const WhyFacts& facts_;
    WhyDecision out_;
};

/// TO need not know a way to an address that it should not have been sent.
Explanation with_source(const WhyFacts& facts, Explanation back) {
    const auto source = explain_source(facts);
    if (source.explanation.empty()) return back;
    return {back.explanation + "; " + source.explanation, source.suggestion};
}

}  // namespace

bool meets_stray_route(const WhyFacts& facts) {
    return Tables(facts).meets_stray();
}

void stop_by_table(WhyDecision& decision, const RulesDecision& rules) {
    const auto& rule = *rules.rule;
    decision.verdict = rules.rejects ? WhyVerdict::rejected : WhyVerdict::dropped;
    decision.where = api::WhyPlace{rule.target, rule.family + " " + rule.table + " " + rule.chain};
    decision.rule = rule;
    decision.by_table = true;
}

bool stop_leg_by_table(WhyDecision& decision, const WhyFacts& facts) {
    using Leg = BehindProxy::Leg;
    if (!facts.leg) return false;
    // Of rules that were not read as a whole, as they mostly are with a trace, which has a table of its own,
    // one that stops it is there all the same.
    const bool is_lost =
        facts.proxied && (facts.proxied->leg == Leg::waiting || facts.proxied->leg == Leg::given_up);
    for (const bool answer : {false, true}) {
        const auto& rules = *table_of(facts, answer, true);
        if ((!rules.known && !is_lost) || !rules.doubt.empty()) return false;
        if (!rules.rule) continue;
        decision.leg = true;
        decision.answer = answer;
        stop_by_table(decision, rules);
        return true;
    }
    return false;
}

WhyDecision decide_by_tables(const WhyFacts& facts) {
    return Decider(facts).decide();
}

Explanation explain_by_tables(const WhyFacts& facts, const WhyDecision& decision) {
    const auto cause = Tables(facts).cause();
    switch (cause) {
        case Cause::none:
            return explain_doubts(facts);
        case Cause::narrow:
            return explain_narrow(facts);
        case Cause::wrong_neighbour:
        case Cause::wrong_neighbour_back: {
            const auto& wrong = decision.answer ? *facts.wrong_back : *facts.wrong;
            return explain_wrong_neighbour(wrong, target_at(facts.context, wrong.at.place));
        }
        case Cause::no_way_back:
            return with_source(facts, explain_no_way_back(facts));
        case Cause::lost_answer:
            return Tables(facts).leads_answer_astray() ? explain_stray(*facts.stray)
                                                       : explain_lost_answer(facts);
        case Cause::ignored_echo:
            return explain_ignored_echoes(facts);
        default:
            return {};
    }
}

}  // namespace netlab::operations
