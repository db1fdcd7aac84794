#include "daemon/operations/why_question.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/connections.hpp"
#include "daemon/operations/conntrack_staleness.hpp"
#include "daemon/operations/request_time.hpp"
#include "daemon/operations/why_explanation.hpp"
#include "daemon/operations/why_rules.hpp"
#include "daemon/operations/why_segment.hpp"
#include "daemon/operations/why_tables.hpp"
#include "daemon/operations/why_verdict.hpp"

#include <algorithm>
#include <set>

#include <netinet/in.h>

namespace netlab::operations {

namespace {

using api::Context;
using api::RouteStep;
using api::WhyProtocol;
using api::WhyReport;
using api::WhyRequest;

/// One question from its address to its report.
class Question {
  public:
    Question(WhyHandles& handles, const WhyRequest& request, const Context& context,
             const Destination& destination, const Topology& topology, Output& output)
        : handles_(handles),
          request_(request),
          context_(context),
          destination_(destination),
          topology_(topology),
          output_(output),
          tables_(topology, handles.known),
          routes_(topology, handles.known, host_of(handles)),
          facts_(context, request) {}

    Result<void> answer(WhyReport& report) {
        name_itself();
        facts_.flow = {request_.protocol, 0, destination_.to.address, request_.port};
        facts_.target = owner_of_destination();
        auto way = tables_.way_to(destination_.to.address);
        if (!way) return way.error();
        facts_.way = std::move(*way);
        find_publisher();
        if (request_.probe) {
            if (auto probed = probe(); !probed) return probed;
        }
        follow_translation();
        look_around();
        fill(report);
        return {};
    }

  private:
    static std::optional<std::size_t> host_of(const WhyHandles& handles) {
        return handles.host ? std::optional(handles.host->place) : std::nullopt;
    }

    [[nodiscard]] std::optional<std::string> owner_of_destination() const {
        if (destination_.peer_address && context_.peer) return context_.peer->name;
        return named(destination_.to.address);
    }

    /// 0.0.0.0 and :: are the kernel's words for its own loopback address; no rule translates them.
    void name_itself() {
        auto& address = destination_.to.address;
        if (!address.is_unspecified()) return;
        const auto loopback = *IpAddress::parse(address.is_v4() ? "127.0.0.1" : "::1");
        facts_.notes.push_back(address.to_string() + " is this namespace itself: the kernel sends to " +
                               loopback.to_string());
        address = loopback;
        destination_.source = loopback;
    }

    [[nodiscard]] EchoSocket* echo() const {
        auto& socket = destination_.to.address.is_v4() ? handles_.v4 : handles_.v6;
        return request_.protocol == WhyProtocol::icmp && socket ? &*socket : nullptr;
    }

    // ---- the packet

    Result<void> probe() {
        auto probe = WhyProbe::open(request_, destination_.to, echo(), handles_.id);
        if (!probe) return probe.error();
        facts_.flow = probe->flow();
        if (auto watching = handles_.sight.watch(facts_.flow, output_); !watching) return watching;
        facts_.probed = true;
        const auto before = publisher_ ? connections(false) : std::set<std::uint16_t>();
        facts_.end = probe->send();
        if (!facts_.end) {
            if (auto waited = wait(*probe); !waited) return waited;
        }
        const bool accepted = request_.protocol == WhyProtocol::tcp && facts_.end &&
                              facts_.end->kind == ProbeEnd::Kind::answered;
        handles_.sight.take_packets();
        const bool translated =
            translated_destination(facts_.flow, find_flow(facts_.flow, handles_.sight.packets())).has_value();
        if (publisher_ && accepted && !translated) {
            if (auto watched = watch_leg(*probe, before); !watched) return watched;
        }
        (void)handles_.sight.take_traces();
        handles_.sight.take_packets();
        if (auto small = try_small(); !small) return small;
        facts_.saw_all = handles_.sight.saw_all();
        facts_.observed = handles_.sight.places();
        facts_.sightings = find_flow(facts_.flow, handles_.sight.packets());
        read_traces();
        return {};
    }

    /// Until the answer has come, a rule is known to have stopped it, or it has had its time.
    Result<void> wait(WhyProbe& probe) {
        using Clock = Output::Clock;
        // After a drop only an error could still come, which a rule sends at once.
        constexpr std::chrono::milliseconds grace{20};
        constexpr std::chrono::milliseconds look_at_udp{100};
        auto until = Clock::now() + from_ms(request_.wait_ms);
        auto next_look = request_.protocol == WhyProtocol::udp ? Clock::now() + look_at_udp : until;
        bool dropped = false;
        for (;;) {
            auto waiting = handles_.sight.waiting();
            waiting.push_back(probe.waiting());
            const auto ready = handles_.destination.watch.wait(output_, waiting, std::min(until, next_look));
            if (!ready) return ready.error();
            facts_.end = probe.look();
            if (facts_.end) return {};
            if (handles_.sight.take_traces() && !dropped) {
                dropped = true;
                until = std::min(until, Clock::now() + grace);
            }
            handles_.sight.take_packets();
            const auto now = Clock::now();
            if (now >= until) return {};
            if (now >= next_look) {
                if (datagram_arrived()) return {};
                next_look = until;
            }
        }
    }

    /// Nobody need answer a datagram: once it is where it was meant to go, more waiting shows nothing.
    [[nodiscard]] bool datagram_arrived() const {
        const auto sightings = find_flow(facts_.flow, handles_.sight.packets());
        return std::ranges::any_of(sightings, [&](const Sighting& one) {
            return one.port.place != 0 && !one.outgoing && one.port.place != host_of(handles_);
        });
    }

    /// Of an echo that was given a size: whether one without it comes through.
    Result<void> try_small() {
        const bool silent = !facts_.end || facts_.end->kind == ProbeEnd::Kind::error;
        if (request_.size == 0 || echo() == nullptr || !silent) return {};
        auto request = request_;
        request.size = 0;
        auto probe = WhyProbe::open(request, destination_.to, echo(), handles_.id);
        if (!probe) return probe.error();
        auto end = probe->send();
        const auto until = Output::Clock::now() + from_ms(request_.wait_ms);
        while (!end) {
            auto waiting = probe->waiting();
            const auto ready = handles_.destination.watch.wait(output_, std::span(&waiting, 1), until);
            if (!ready) return ready.error();
            end = probe->look();
            if (*ready == 0) break;
        }
        facts_.small_passes = end && end->kind == ProbeEnd::Kind::answered;
        return {};
    }

    void read_traces() {
        facts_.traced = handles_.sight.traces();
        facts_.untraced = handles_.sight.untraced();
        const bool answered = facts_.end && facts_.end->kind == ProbeEnd::Kind::answered;
        handles_.sight.read_rules(output_, answered ? std::nullopt : host_of(handles_));
        auto traced = handles_.sight.take_traced();
        for (auto& [place, one] : traced) {
            one.target = target_at(context_, place).name;
            for (const auto& link : topology_[place].links)
                one.interfaces[link.index] = link.name;
        }
        facts_.trace = read_trace(facts_.flow, traced);
        const auto host = host_of(handles_);
        if (host && traced.contains(*host) && traced[*host].rules)
            facts_.ingress = ingress_drops(*traced[*host].rules, facts_.way, *host);
    }

    // ---- what is around it

    /// The destination that the packet had at last: seen, or else as the host's rules would have it.
    void follow_translation() {
        read_host();
        facts_.translated = find_translation();
        if (facts_.translated) {
            const auto to = endpoint_text(facts_.translated->address, facts_.translated->port);
            if (const auto place = translating_place())
                facts_.way =
                    tables_.went_on(std::move(facts_.way), *place, *facts_.translated, "DNAT to " + to);
        }
        if (const auto whole = passage(); whole && destination_.source)
            facts_.rules =
                decide_by_rules(rules_, *whole, facts_.flow, *destination_.source, facts_.destination());
        facts_.final_target = facts_.way.end_target;
        mark_sightings(facts_.way, facts_.sightings, facts_.observed, facts_.saw_all);
    }

    [[nodiscard]] std::optional<HostPassage> passage() const {
        if (!handles_.host) return std::nullopt;
        return passage_of(
            facts_.way, facts_.host, handles_.host->place,
            facts_.flow.remote.is_v4() ? handles_.host->bridges_filter_v4 : handles_.host->bridges_filter_v6);
    }

    /// As it was seen, as the rules that it met say, or as the host's rules read.
    std::optional<api::Endpoint> find_translation() {
        const auto host = host_of(handles_);
        const auto own = [&](const std::string& interface) { return own_address(interface); };
        auto told = host ? destination_by_trace(facts_.trace, rules_, *host, facts_.flow, own) : std::nullopt;
        if (auto seen = translated_destination(facts_.flow, facts_.sightings)) return seen;
        if (told) return told;
        const auto passage = this->passage();
        if (!passage || !destination_.source || came_untranslated()) return std::nullopt;
        return destination_by_rules(rules_, *passage, facts_.flow, *destination_.source, own);
    }

    /// It went past the rules that would have changed its destination: whatever they say, they have not.
    [[nodiscard]] bool came_untranslated() const {
        if (!facts_.probed) return false;
        const bool left = std::ranges::any_of(facts_.sightings, [&](const Sighting& one) {
            return !one.answer && one.outgoing && one.port.place == host_of(handles_);
        });
        const bool answered = facts_.end && facts_.end->kind == ProbeEnd::Kind::answered;
        const bool passed = std::ranges::any_of(facts_.trace, [&](const TracedStep& one) {
            return one.place == host_of(handles_) && !one.step.answer &&
                   (one.step.hook == "input" || one.step.hook == "forward" || one.step.hook == "postrouting");
        });
        return left || answered || passed;
    }

    /// Of the flow's family.
    [[nodiscard]] std::optional<IpAddress> own_address(const std::string& interface) const {
        const auto& facts = topology_[handles_.host->place];
        const auto link = std::ranges::find(facts.links, interface, &kernel::Link::name);
        if (link == facts.links.end()) return std::nullopt;
        for (const auto& address : facts.addresses) {
            const auto& own = address.prefix.address();
            if (address.index == link->index && own.family() == facts_.flow.remote.family() &&
                (own.is_v4() || !own.is_link_local()))
                return own;
        }
        return std::nullopt;
    }

    /// Where its destination was changed: on the host, unless it left FROM with the other one, or never came
    /// to the host.
    [[nodiscard]] std::optional<std::size_t> translating_place() const {
        const auto host = host_of(handles_);
        const bool by_host = host && std::ranges::any_of(facts_.way.points, [&](const WayPoint& one) {
                                 return one.place == host;
                             });
        const bool left_with_it = std::ranges::any_of(facts_.sightings, [&](const Sighting& one) {
            return one.port.place == 0 && !one.answer && one.outgoing &&
                   one.destination == *facts_.translated;
        });
        if (left_with_it && host != 0) return 0;
        return by_host ? host : facts_.way.end_place;
    }

    /// Its rules, and the entries of conntrack that outlived whom they lead to.
    void read_host() {
        if (!handles_.host) return;
        const auto place = handles_.host->place;
        facts_.host = topology_[place].target;
        const InterfaceNames names(topology_[place].links);
        rules_ = handles_.host->rules.read(names).of(facts_.flow.remote.family());
        const auto& route_socket = handles_.known.socket(place);
        if (route_socket && handles_.host->conntrack && facts_.flow.protocol != WhyProtocol::icmp &&
            context_.names_complete)
            find_stale_entry(*handles_.host->conntrack, route_socket->get());
    }

    void find_stale_entry(kernel::ConntrackTable& table, int route_socket) {
        const auto around = read_surroundings(route_socket);
        if (!around) return;
        auto surroundings = *around;
        if (facts_.flow.remote.is_v4()) surroundings.chains = rules_.chains;
        const AddressNames names(context_.names);
        const std::uint8_t protocol = facts_.flow.protocol == WhyProtocol::udp ? IPPROTO_UDP : IPPROTO_TCP;
        (void)table.read([&](kernel::ConntrackChange, const kernel::Conntrack& entry) {
            const auto& original = entry.original;
            if (facts_.stale || original.protocol != protocol || original.destination != facts_.flow.remote ||
                original.destination_port != facts_.flow.remote_port)
                return;
            facts_.stale = find_stale(entry, surroundings, names);
        });
    }

    /// Whom an engine gives that address.
    [[nodiscard]] std::optional<std::string> named(const IpAddress& address) const {
        for (const auto& name : context_.names) {
            if (name.address == address) return name.name;
        }
        return std::nullopt;
    }

    /// As far as its namespace was watched: somebody else may have answered.
    [[nodiscard]] bool to_has_seen_it() const {
        const auto& points = facts_.way.points;
        return points.empty() || points.back().hop.seen.value_or(true);
    }

    void look_around() {
        if (facts_.way.end == RouteStep::delivered && facts_.way.end_place) judge_listener();
        look_behind_proxy();
        if (facts_.end && facts_.end->kind == ProbeEnd::Kind::answered && to_has_seen_it()) return;
        facts_.silent = tables_.silent_neighbour();
        facts_.wrong = tables_.wrong_neighbour();
        if (facts_.way.end_place && destination_.source)
            facts_.wrong_back = tables_.wrong_neighbour_back(*facts_.way.end_place, *destination_.source);
        const auto to = facts_.translated ? facts_.translated->address : destination_.to.address;
        if (const auto owner = named(to)) facts_.stray = routes_.stray(to, *owner);
        if (!facts_.stray && destination_.source)
            facts_.stray = routes_.stray(*destination_.source, context_.targets.front().name);
        facts_.next_hop = tables_.next_hop(destination_.to.address);
        facts_.route = routes_.decisive(0, destination_.to.address);
        if (facts_.way.end_place) facts_.refusing = routes_.refusing(*facts_.way.end_place, to);
        facts_.segment = explain_segment(topology_, context_, 0);
        for (std::size_t place = 1; place < named_places(context_) && facts_.segment.explanation.empty();
             ++place)
            facts_.segment = explain_segment(topology_, context_, place);
    }

    void judge_listener() {
        if (request_.protocol == WhyProtocol::icmp) return;
        facts_.listener = judge_in(*facts_.way.end_place, facts_.destination());
    }

    /// Whose published port the packet comes to on the host, if an engine's process takes it there.
    void find_publisher() {
        const bool on_host = handles_.host && facts_.way.end == RouteStep::delivered &&
                             facts_.way.end_place == handles_.host->place;
        if (!on_host || request_.protocol == WhyProtocol::icmp) return;
        handles_.proxies.settle();
        const std::string protocol = request_.protocol == WhyProtocol::udp ? "udp" : "tcp";
        const auto led = handles_.proxies.leading_from(protocol, {facts_.flow.remote, request_.port});
        const auto first = named_places(context_) - context_.publishers.size();
        for (std::size_t i = 0; i < context_.publishers.size(); ++i) {
            const auto& target = context_.publishers[i];
            const auto port = std::ranges::find_if(target.ports, [&](const api::PublishedPort& one) {
                return one.protocol == protocol && is_published_on(one, facts_.flow.remote);
            });
            // Podman has no such process.
            if (target.runtime != api::Runtime::docker || port == target.ports.end()) continue;
            publisher_ = Publisher{&target, first + i, ways_to(target, port->container_port, led)};
            return;
        }
    }

    /// The process connects to one of its addresses: which, its arguments tell.
    static std::vector<api::Endpoint> ways_to(const api::Target& target, std::uint16_t port,
                                              const std::vector<api::Endpoint>& led) {
        std::vector<api::Endpoint> all;
        for (const auto& network : target.networks) {
            for (const auto& prefix : network.addresses)
                all.push_back({prefix.address(), port});
        }
        for (const auto& one : led) {
            if (std::ranges::find(all, one) != all.end()) return {one};
        }
        return all;
    }

    /// It is the engine that holds the port at that address.
    static bool is_published_on(const api::PublishedPort& port, const IpAddress& address) {
        if (!port.host_address) return false;
        return *port.host_address == address ||
               (port.host_address->is_unspecified() && port.host_address->family() == address.family());
    }

    /// Of the host, to the container behind it.
    [[nodiscard]] std::set<std::uint16_t> connections(bool there) const {
        std::set<std::uint16_t> ports;
        const int socket = handles_.sight.sockets(*host_of(handles_));
        if (!publisher_ || socket < 0) return ports;
        for (const auto& way : publisher_->ways) {
            const auto found = connections_to(socket, way);
            if (!found) continue;
            for (const auto& [port, established] : *found) {
                if (!there || established) ports.insert(port);
            }
        }
        return ports;
    }

    /// The process has taken the connection: until its own to the container has come about, or been given up.
    Result<void> watch_leg(const WhyProbe& probe, const std::set<std::uint16_t>& before) {
        using Leg = BehindProxy::Leg;
        constexpr std::chrono::milliseconds pause{10};
        const auto until = Output::Clock::now() + from_ms(request_.wait_ms);
        const auto is_new = [&](std::uint16_t port) { return !before.contains(port); };
        for (;;) {
            const bool closed = probe.is_given_up();
            if (std::ranges::any_of(connections(true), is_new)) {
                leg_ = Leg::there;
                return {};
            }
            leg_ = std::ranges::any_of(connections(false), is_new) ? Leg::waiting : Leg::unseen;
            if (closed) leg_ = Leg::given_up;
            if (closed || Output::Clock::now() >= until) return {};
            const auto waited = handles_.destination.watch.wait(output_, {}, Output::Clock::now() + pause);
            if (!waited) return waited.error();
        }
    }

    /// A published port that the host's own socket has taken.
    void look_behind_proxy() {
        const bool taken = facts_.listener && facts_.listener->verdict == ListenerVerdict::takes;
        if (!publisher_ || !taken || facts_.translated) return;
        if (facts_.probed && !came_to_socket()) return;
        const auto& [target, place, ways] = *publisher_;
        for (const auto& to : ways) {
            const auto judgement = judge_in(place, to);
            const bool takes = judgement && judgement->verdict == ListenerVerdict::takes;
            if (takes || !facts_.proxied) facts_.proxied = BehindProxy{target->name, to, judgement};
            if (takes) break;
        }
        if (!facts_.proxied) return;
        facts_.proxied->paused = target->state == api::State::paused;
        facts_.proxied->leg = leg_;
    }

    /// To the host's own: no rule has stopped it before.
    [[nodiscard]] bool came_to_socket() const {
        if (facts_.end) return facts_.end->kind == ProbeEnd::Kind::answered;
        const auto* stop = ending_step(facts_.trace);
        return (stop == nullptr || stop->step.answer) && to_has_seen_it() &&
               !(facts_.rules && facts_.rules->rule);
    }

    [[nodiscard]] std::optional<Judgement> judge_in(std::size_t place, const api::Endpoint& to) {
        const int socket = sockets_of(place);
        if (socket < 0) return std::nullopt;
        const InterfaceNames names(topology_[place].links);
        const auto listeners = read_listeners(socket, request_.protocol == WhyProtocol::tcp, names);
        if (!listeners) return std::nullopt;
        return judge_listeners(*listeners, to.address, to.port);
    }

    [[nodiscard]] int sockets_of(std::size_t place) const {
        const auto home = handles_.known.home(place);
        if (const int socket = handles_.sight.sockets(home); socket >= 0) return socket;
        const auto named = named_places(context_);
        if (home < named || home - named >= handles_.others.size()) return -1;
        const auto& other = handles_.others[home - named];
        return other ? other->get() : -1;
    }

    void fill(WhyReport& report) const {
        const auto decision = decide(facts_);
        report.verdict = decision.verdict;
        report.where = decision.where;
        report.rule = decision.rule;
        report.resolution.target = facts_.target;
        if (destination_.source) report.source = destination_.source->to_string();
        if (facts_.translated)
            report.translated = endpoint_text(facts_.flow.remote, facts_.flow.remote_port) + " -> " +
                                endpoint_text(facts_.translated->address, facts_.translated->port);
        if (const auto source = translated_source(facts_.sightings))
            report.masqueraded = report.source + " -> " + source->address.to_string();
        for (const auto& point : facts_.way.points)
            report.hops.push_back(point.hop);
        for (const auto& step : facts_.trace)
            report.trace.push_back(step.step);
        report.probed = facts_.probed;
        report.traced = facts_.traced;
        std::ranges::copy(facts_.notes, std::back_inserter(report.notes));
        std::ranges::copy(notes_of(facts_, decision), std::back_inserter(report.notes));
        const auto why = explain_why(facts_, decision);
        report.explanation = why.explanation;
        report.suggestion = why.suggestion;
    }

    WhyHandles& handles_;
    const WhyRequest& request_;
    const Context& context_;
    Destination destination_;
    const Topology& topology_;
    Output& output_;
    WhyTables tables_;
    DecisiveRoutes routes_;
    FamilyRules rules_;  ///< the host's
    struct Publisher {
        const api::Target* target;
        std::size_t place;
        std::vector<api::Endpoint> ways;  ///< where its process may lead
    };
    std::optional<Publisher> publisher_;
    BehindProxy::Leg leg_ = BehindProxy::Leg::unseen;
    WhyFacts facts_;
};

}  // namespace

std::size_t named_places(const Context& context) {
    return context.targets.size() + (context.peer_namespace ? 1 : 0) + context.publishers.size();
}

Result<void> follow_packet(WhyHandles& handles, const WhyRequest& request, const Context& context,
                           const Destination& destination, const Topology& topology, Output& output,
                           WhyReport& report) {
    return Question(handles, request, context, destination, topology, output).answer(report);
}

}  // namespace netlab::operations
