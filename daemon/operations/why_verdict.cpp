#include "daemon/operations/why_verdict.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/route_verdict.hpp"
#include "daemon/operations/why_by_tables.hpp"

#include <algorithm>
#include <cerrno>

namespace netlab::operations {

namespace {

using api::RouteStep;
using api::WhyProtocol;
using api::WhyVerdict;

bool is_seen(const WayPoint& point) {
    return point.hop.seen.value_or(false);
}

/// The last point where the packet was seen; nullopt where it was not.
std::optional<std::size_t> last_seen(const Way& way) {
    std::optional<std::size_t> last;
    for (std::size_t i = 0; i < way.points.size(); ++i) {
        if (is_seen(way.points[i])) last = i;
    }
    return last;
}

/// The last point before TO, from its end, where the answer was seen.
std::optional<std::size_t> last_of_answer(const Way& way) {
    for (std::size_t i = 0; i < way.points.size(); ++i) {
        if (way.points[i].hop.back.value_or(false)) return i;
    }
    return std::nullopt;
}

api::WhyPlace place_of(const WayPoint& point) {
    return {point.hop.target, point.hop.interface};
}

/// "veth12 and eth0 of co2": where it was seen and where it was not.
api::WhyPlace between(const Way& way, std::size_t last, bool backwards) {
    auto place = place_of(way.points[last]);
    const auto is_point = [](const WayPoint& point) { return point.hop.seen.has_value(); };
    if (backwards) {
        for (std::size_t i = last; i-- > 0;) {
            if (!is_point(way.points[i])) continue;
            place.point += " and " + way.points[i].hop.interface + " of " + way.points[i].hop.target;
            break;
        }
        return place;
    }
    const auto next =
        std::find_if(way.points.begin() + static_cast<std::ptrdiff_t>(last) + 1, way.points.end(), is_point);
    if (next != way.points.end())
        place.point += " and " + next->hop.interface + " of " + next->hop.target;
    else if (!way.points.empty() && way.points.back().hop.kind == "outside")
        place.point += " and what is behind it";
    return place;
}

class Decider {
  public:
    explicit Decider(const WhyFacts& facts) : facts_(facts) {}

    WhyDecision decide() {
        if (!facts_.probed) return decide_by_tables(facts_);
        out_.last = last_seen(facts_.way);
        if (answered()) {
            take_answer();
        } else if (const auto* step = ending_step(facts_.trace)) {
            stopped_by(*step);
        } else if (legacy_stops()) {
            stop_by_table(out_, *facts_.rules);
        } else if (facts_.end) {
            by_error(*facts_.end);
        } else {
            by_silence();
        }
        return out_;
    }

  private:
    void settle(WhyVerdict verdict, std::optional<api::WhyPlace> where = std::nullopt) {
        out_.verdict = verdict;
        out_.where = std::move(where);
    }

    [[nodiscard]] bool answered() const { return facts_.end && facts_.end->kind == ProbeEnd::Kind::answered; }
    [[nodiscard]] const WayPoint* final_point() const {
        const auto& points = facts_.way.points;
        return !points.empty() && points.back().hop.kind == "destination" ? &points.back() : nullptr;
    }
    [[nodiscard]] api::WhyPlace final_place() const {
        return final_point() != nullptr ? place_of(*final_point()) : api::WhyPlace{facts_.final_target, ""};
    }
    [[nodiscard]] bool watched(const WayPoint& point) const { return point.hop.seen.has_value(); }

    /// Nobody answers for a next hop; a rule may be why.
    void by_silent_neighbour() {
        settle(WhyVerdict::unreachable, api::WhyPlace{facts_.silent->target, facts_.silent->interface});
        if (is_kept_silent(facts_)) out_.rule = facts_.silent->stop->rule;
    }

    [[nodiscard]] api::WhyPlace end_place() const {
        const auto& points = facts_.way.points;
        return points.empty() ? api::WhyPlace{facts_.request.from, ""} : place_of(points.back());
    }

    /// Somebody answered: TO, unless its namespace was watched and saw nothing.
    void take_answer() {
        const auto* last = final_point();
        if (last != nullptr && watched(*last) && !is_seen(*last) && facts_.saw_all) {
            settle(WhyVerdict::lost,
                   out_.last ? std::optional(between(facts_.way, *out_.last, false)) : std::nullopt);
            return;
        }
        if (facts_.proxied)
            behind_proxy();
        else if (is_asleep(facts_.asleep) && facts_.flow.protocol == WhyProtocol::tcp)
            nobody_runs(final_place());
        else if (facts_.asleep && facts_.flow.protocol == WhyProtocol::tcp)
            settle(WhyVerdict::unknown, final_place());
        else
            settle(WhyVerdict::delivered, final_place());
    }

    /// The kernel has taken it, for programs that do not run.
    void nobody_runs(api::WhyPlace kernel) {
        kernel.point += " and its programs";
        out_.paused = true;
        settle(WhyVerdict::lost, kernel);
    }

    [[nodiscard]] bool is_refused_behind() const {
        return facts_.proxied->listener && refuses(*facts_.proxied->listener);
    }

    /// The process has taken it: what becomes of its own connection is the answer.
    void behind_proxy() {
        using Leg = BehindProxy::Leg;
        const auto& proxied = *facts_.proxied;
        const api::WhyPlace there{proxied.target, endpoint_text(proxied.to.address, proxied.to.port)};
        const bool udp = facts_.flow.protocol == WhyProtocol::udp;
        // It will give the connection up when it finds nobody behind it.
        if (is_refused_behind() && proxied.leg != Leg::there && !(udp && answered()))
            settle(WhyVerdict::refused, there);
        else if (is_asleep(proxied.asleep) && !(udp && answered()))
            nobody_runs({proxied.target, "its kernel"});
        else if ((udp && answered()) || proxied.leg == Leg::there)
            settle(WhyVerdict::delivered, there);
        else if (stop_leg_by_table(out_, facts_))
            return;
        else if (proxied.leg == Leg::waiting)
            settle(WhyVerdict::lost, api::WhyPlace{facts_.host, "docker-proxy and " + proxied.target});
        else
            settle(WhyVerdict::unknown, there);
    }

    void stopped_by(const TracedStep& step) {
        settle(step.rejects ? WhyVerdict::rejected : WhyVerdict::dropped,
               api::WhyPlace{step.step.target,
                             step.step.family + " " + step.step.table + " " + step.step.chain});
        out_.rule = static_cast<const api::WhyRule&>(step.step);
        out_.answer = step.step.answer;
    }

    /// nf_tables tells nothing of iptables-legacy's rules.
    [[nodiscard]] bool is_untold(const std::optional<RulesDecision>& rules) const {
        return rules && rules->rule && (rules->legacy || !facts_.traced);
    }
    [[nodiscard]] bool legacy_stops() const {
        if (!is_untold(facts_.rules) || has_left_host()) return false;
        const auto& end = facts_.end;
        const bool refused = end && (end->kind == ProbeEnd::Kind::reset || end->no_port);
        if (refused && !facts_.rules->rejects) return false;
        // A counter alone is somebody else's packets, too: what else is known of this one comes first.
        if (facts_.rules->by_counter && (end || facts_.silent) && !facts_.rules->rejects) return false;
        // What comes to an interface is seen before the host's input chains; behind the others, what was seen
        // counts for more than what a table says.
        const auto* last = final_point();
        const bool before_socket = facts_.rules->output.empty();
        return before_socket || last == nullptr || !is_seen(*last);
    }

    /// By whatever way: what was seen counts for more than what a table says.
    [[nodiscard]] bool has_left_host() const {
        return !facts_.rules->output.empty() &&
               std::ranges::any_of(facts_.sightings, [&](const Sighting& one) {
                   const auto& where = target_at(facts_.context, one.port.place);
                   return !one.answer && one.outgoing && one.port.place != 0 && where.name == facts_.host;
               });
    }

    void by_error(const ProbeEnd& end) {
        if (end.kind == ProbeEnd::Kind::reset || end.no_port) {
            const auto* last = final_point();
            // Not TO's own no where TO, or the last point before it, has not seen the packet: a rule on the
            // way.
            const bool unseen_by_to = last != nullptr && watched(*last) && !is_seen(*last);
            if (out_.last && (unseen_by_to || (is_followed() && !is_last_watched(*out_.last)))) {
                settle(WhyVerdict::rejected, between(facts_.way, *out_.last, false));
                return;
            }
            if (!out_.last && is_followed() && facts_.observed.contains(0)) {
                settle(WhyVerdict::rejected, api::WhyPlace{facts_.request.from, ""});
                return;
            }
            settle(WhyVerdict::refused, final_place());
            return;
        }
        if (end.kind == ProbeEnd::Kind::not_sent) {
            // A rule of FROM's own says EPERM, and none that drops it later, or at its interface
            // (nf_hook_egress() in include/linux/netfilter_netdev.h); which one, only a trace tells.
            const auto& points = facts_.way.points;
            const bool at_interface = end.error_number == EMSGSIZE && !points.empty();
            const auto* own = facts_.around && end.error_number == EPERM ? &facts_.around->before : nullptr;
            const bool says_so = own != nullptr && (own->hook == "output" || own->hook == "postrouting");
            if (says_so && own->rule && own->place == std::size_t{0}) {
                stop_by_table(out_, *own);
                return;
            }
            settle(end.error_number == EPERM ? WhyVerdict::dropped : WhyVerdict::unreachable,
                   at_interface ? place_of(points.front()) : api::WhyPlace{facts_.request.from, ""});
            return;
        }
        api::WhyPlace where = end_place();
        if (out_.last)
            where = between(facts_.way, *out_.last, false);
        else if (facts_.silent)
            where = {facts_.silent->target, facts_.silent->interface};
        settle(WhyVerdict::unreachable, where);
        if (is_kept_silent(facts_)) out_.rule = facts_.silent->stop->rule;
    }

    void by_silence() {
        if (const auto* step = queueing_step(facts_.trace)) {
            settle(WhyVerdict::dropped,
                   api::WhyPlace{step->step.target,
                                 step->step.family + " " + step->step.table + " " + step->step.chain});
            out_.rule = static_cast<const api::WhyRule&>(step->step);
            out_.answer = step->step.answer;
            return;
        }
        if (facts_.proxied) {
            behind_proxy();
            return;
        }
        const auto* last = final_point();
        if (last != nullptr && is_seen(*last)) {
            in_target();
            return;
        }
        if (facts_.silent) {
            by_silent_neighbour();
            return;
        }
        if (is_lost(facts_.way.end) && !has_gone_on()) {
            settle(WhyVerdict::unreachable, end_place());
            return;
        }
        if (!out_.last) {
            // Not even where it was sent: another namespace's sockets may have missed it, FROM's have not.
            settle(facts_.observed.contains(0) && facts_.saw_all ? WhyVerdict::lost : WhyVerdict::unknown,
                   api::WhyPlace{facts_.request.from, "before any interface"});
            return;
        }
        if (const auto* rules = untraced_drop(false)) {
            stop_by_table(out_, *rules);
            return;
        }
        if (end_is_unwatched() && come_back()) return;
        const bool unwatched_is_next =
            outside_is_next() || (end_is_unwatched() && is_last_watched(*out_.last));
        if (unwatched_is_next && facts_.flow.protocol == WhyProtocol::udp) {
            settle(WhyVerdict::unknown, between(facts_.way, *out_.last, false));
            return;
        }
        settle(WhyVerdict::lost, between(facts_.way, *out_.last, false));
    }

    /// A rule of which no trace tells, where the packet was not seen behind: at an interface's ingress or
    /// egress, or of a bridge's prerouting, which comes before what has the packet traced.
    [[nodiscard]] const RulesDecision* untraced_drop(bool answer) const {
        const auto& points = facts_.way.points;
        for (const auto* rules : tables_of(facts_, answer, false)) {
            const bool at_device = rules->hook == "ingress" || rules->hook == "egress";
            const bool early = rules->rule && rules->rule->family == "bridge" && rules->hook == "prerouting";
            if (!rules->rule || (!at_device && !early)) continue;
            const auto& device = rules->hook == "egress" ? rules->output : rules->input;
            const auto there = std::ranges::find_if(points, [&](const WayPoint& point) {
                return point.hop.target == rules->rule->target && point.hop.interface == device;
            });
            if (there == points.end()) continue;
            const auto came_back = [](const WayPoint& point) { return point.hop.back.value_or(false); };
            const bool seen_behind = answer ? std::any_of(points.begin(), there, came_back)
                                            : std::any_of(std::next(there), points.end(), is_seen);
            const bool passed = rules->hook == "egress" && has_left_by(*there, answer);
            if (!seen_behind && !passed) return rules;
        }
        return nullptr;
    }

    /// A tap sees a packet behind the hook of egress (__dev_queue_xmit() in net/core/dev.c).
    [[nodiscard]] bool has_left_by(const WayPoint& point, bool answer) const {
        return std::ranges::any_of(facts_.sightings, [&](const Sighting& one) {
            return one.port == point.port && one.outgoing && one.answer == answer;
        });
    }

    /// It was seen to leave the namespace where the tables say that it is lost.
    [[nodiscard]] bool has_gone_on() const {
        return std::ranges::any_of(facts_.sightings, [&](const Sighting& one) {
            return !one.answer && one.outgoing && one.port.place == facts_.way.end_place;
        });
    }

    /// A SYN is known again wherever it passes, with whatever addresses; and it has passed nowhere but on the
    /// way that the tables say.
    [[nodiscard]] bool is_followed() const {
        const auto is_on_way = [&](const Sighting& one) {
            return one.answer || std::ranges::any_of(facts_.way.points, [&](const WayPoint& point) {
                       return point.port == one.port || (point.forwards && point.place == one.port.place);
                   });
        };
        return facts_.saw_all && facts_.flow.protocol == WhyProtocol::tcp &&
               std::ranges::all_of(facts_.sightings, is_on_way);
    }

    /// Of what is there nothing can be seen.
    [[nodiscard]] bool end_is_unwatched() const { return !watched(facts_.way.points.back()); }

    [[nodiscard]] bool is_last_watched(std::size_t point) const {
        const auto& points = facts_.way.points;
        return std::none_of(points.begin() + static_cast<std::ptrdiff_t>(point) + 1, points.end(),
                            [&](const WayPoint& one) { return watched(one); });
    }

    [[nodiscard]] bool outside_is_next() const {
        const auto& points = facts_.way.points;
        return points.back().hop.kind == "outside" && out_.last && *out_.last + 2 >= points.size();
    }

    /// An answer was seen on the way, and not by FROM: so it is lost.
    bool come_back() {
        const auto back = last_of_answer(facts_.way);
        if (!back) return false;
        out_.answer = true;
        if (!facts_.answers_by && is_untold(facts_.rules_back) &&
            facts_.way.points[*back].hop.target == facts_.rules_back->rule->target)
            stop_by_table(out_, *facts_.rules_back);
        else if (const auto* rules = untraced_drop(true))
            stop_by_table(out_, *rules);
        else
            settle(WhyVerdict::lost, between(facts_.way, *back, true));
        return true;
    }

    /// It came to TO, and nothing came back to FROM.
    void in_target() {
        if (come_back()) return;
        // It was seen at its interface, before what drops it there.
        if (const auto* rules = untraced_drop(false)) {
            stop_by_table(out_, *rules);
            return;
        }
        const bool takes = facts_.listener && facts_.listener->verdict == ListenerVerdict::takes;
        if (facts_.flow.protocol == WhyProtocol::udp && takes) {
            if (is_asleep(facts_.asleep))
                nobody_runs(final_place());
            else
                settle(WhyVerdict::delivered, final_place());
            return;
        }
        settle(WhyVerdict::lost,
               api::WhyPlace{final_place().target, final_place().point + " and its answer"});
    }

    const WhyFacts& facts_;
    WhyDecision out_;
};

}  // namespace

void mark_sightings(Way& way, const std::vector<Sighting>& sightings, const std::set<std::size_t>& observed,
                    bool saw_all) {
    for (auto& point : way.points) {
        if (!point.port || !observed.contains(point.port->place)) continue;
        // A bridge's port takes frames for anybody's address.
        const bool any_address = point.hop.kind == "port";
        // Of a hairpin the same interface is the first and the last.
        const auto is_way = [&](const Sighting& one) {
            if (point.hop.kind == "source") return one.outgoing != one.answer;
            return point.hop.kind != "destination" || one.outgoing == one.answer;
        };
        const auto seen = [&](bool answer) {
            return std::ranges::any_of(sightings, [&](const Sighting& one) {
                return one.port == *point.port && one.answer == answer && is_way(one) &&
                       (any_address || !one.other_host);
            });
        };
        // What was not seen among what was missed is not known.
        if (const bool there = seen(false); there || saw_all) point.hop.seen = there;
        if (const bool back = seen(true); back || saw_all) point.hop.back = back;
    }
}

WhyDecision decide(const WhyFacts& facts) {
    return Decider(facts).decide();
}

}  // namespace netlab::operations
