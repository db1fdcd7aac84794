#include "daemon/operations/why_doubts.hpp"

#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/rule_explanation.hpp"
#include "daemon/operations/why_asleep.hpp"
#include "daemon/operations/why_by_tables.hpp"
#include "daemon/operations/why_narrow.hpp"
#include "daemon/operations/why_source.hpp"
#include "daemon/operations/why_unreachable.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

class Doubts {
  public:
    explicit Doubts(const WhyFacts& facts) : facts_(facts) {}

    Explanation explain() {
        look_at_way();
        if (arrives()) {
            look_at_answer();
            look_at_programs();
        }
        return out_.explanation.empty() ? nothing() : told();
    }

  private:
    [[nodiscard]] bool arrives() const { return facts_.way.end == api::RouteStep::delivered; }

    void add(const Explanation& one) {
        if (one.explanation.empty()) return;
        out_.explanation += (out_.explanation.empty() ? "" : "; ") + one.explanation;
        if (out_.suggestion.empty()) out_.suggestion = one.suggestion;
    }
    void add(const std::optional<WrongNeighbour>& wrong) {
        if (wrong) add(explain_wrong_neighbour(*wrong, target_at(facts_.context, wrong->at.place)));
    }

    void look_at_way() {
        // Of a way that leads there its links are as they should be.
        if (!arrives() || is_there_twice()) add(facts_.segment);
        if (meets_stray_route(facts_)) add(explain_stray(*facts_.stray));
        add(facts_.wrong);
        if (facts_.narrow) add(explain_narrow(facts_));
        add(explain_source(facts_));
        if (!facts_.unread.empty())
            add({"netlab has not read the rules of " + list_and(facts_.unread) + ", which it meets", {}});
        add(explain_mark(facts_, false));
        if (facts_.silent)
            add({"nobody has answered for " + facts_.silent->address.to_string() + " on " +
                     facts_.silent->interface + " of " + facts_.silent->target +
                     " when it was asked for last",
                 {}});
    }

    /// Who has the next hop's address somebody else on the segment has, too.
    [[nodiscard]] bool is_there_twice() const {
        return std::ranges::any_of(facts_.way.points, &WayPoint::duplicate_next_hop);
    }

    void look_at_answer() {
        // A datagram need not have one.
        if (facts_.flow.protocol == api::WhyProtocol::udp) {
            for (const auto* rules : tables_of(facts_, true, false)) {
                if (rules->rule) add(explain_rule(facts_, *rules->rule, true));
            }
        }
        if (facts_.answers_by)
            add({facts_.way.end_target + " sends its answer by " + *facts_.answers_by +
                     ", and the packet comes in by " + facts_.way.points.back().hop.interface +
                     ": which rules the answer meets behind it netlab does not follow",
                 {}});
        add(facts_.wrong_back);
        add(explain_mark(facts_, true));
        if (facts_.no_way_back) add(explain_no_way_back(facts_));
        if (facts_.lost_answer)
            add(explain_lost_answer(facts_));
        else
            add(explain_gateway_back(facts_));
        if (const auto rule = first_doubt(true); !rule.empty())
            add({"whether this rule stops its answer netlab cannot say: " + rule, {}});
        if (facts_.ignores_echoes) add(explain_ignored_echoes(facts_));
        add(explain_zones(facts_));
    }

    void look_at_programs() { add(explain_paused(facts_.asleep)); }

    [[nodiscard]] std::string first_doubt(bool answer) const {
        const auto tables = tables_of(facts_, answer, false);
        const auto found = std::ranges::find_if_not(tables, &std::string::empty, &RulesDecision::doubt);
        return found == tables.end() ? std::string() : (*found)->doubt;
    }
    [[nodiscard]] std::string doubtful_rule() const {
        const auto rule = first_doubt(false);
        if (rule.empty()) return rule;
        const bool translates = std::ranges::any_of(
            tables_of(facts_, false, false),
            [&](const RulesDecision* one) { return one->translation_in_doubt && one->doubt == rule; });
        return std::string("; whether this rule ") + (translates ? "translates" : "stops") +
               " it netlab cannot say: " + rule;
    }
    [[nodiscard]] bool is_clear(bool answer) const {
        return std::ranges::all_of(tables_of(facts_, answer, false), [](const RulesDecision* one) {
            return one->known && one->doubt.empty() && !one->rule;
        });
    }

    [[nodiscard]] Explanation told() const {
        std::string text;
        if (arrives())
            text = "the way is there by the kernels' tables, but ";
        else if (!facts_.way.note.empty())
            text = facts_.way.note + "; ";
        return {text + out_.explanation + doubtful_rule() + "; only a probe tells", out_.suggestion};
    }

    [[nodiscard]] Explanation nothing() const {
        if (!arrives()) return {facts_.way.note, {}};
        std::string text = "the way is there by the kernels' tables";
        if (facts_.around && !is_clear(false)) return {text + doubtful_rule() + "; only a probe tells", {}};
        if (facts_.around)
            text += std::string(", and no rule of nf_tables' or iptables' on the way stops the packet") +
                    (is_clear(true) ? " or its answer" : "") + ", as netlab reads them";
        else if (facts_.rules && facts_.rules->doubt.empty() && facts_.rules->known)
            text += ", and no rule of IP's on the host stops the packet as netlab reads them";
        return {text + doubtful_rule() + "; only a probe tells", {}};
    }

    const WhyFacts& facts_;
    Explanation out_;
};

}  // namespace

Explanation explain_doubts(const WhyFacts& facts) {
    return Doubts(facts).explain();
}

}  // namespace netlab::operations
