#include "daemon/operations/why_sending.hpp"

#include "daemon/operations/request_time.hpp"

#include <algorithm>

namespace netlab::operations {

using api::WhyProtocol;

Result<void> WhySending::send(const std::vector<api::Endpoint>& ways) {
    auto probe = WhyProbe::open(request_, destination_.to, echo(), handles_.id);
    if (!probe) return probe.error();
    facts_.flow = probe->flow();
    if (auto watching = handles_.sight.watch(facts_.flow, output_); !watching) return watching;
    facts_.probed = true;
    const bool published = !ways.empty() && handles_.host;
    const auto legs = published ? ProxyLegs(handles_.sight.sockets(handles_.host->place), ways) : ProxyLegs();
    // docker-proxy passes an empty datagram on to nobody.
    if (published) probe->fill(1);
    facts_.end = probe->send();
    if (!facts_.end) {
        if (auto waited = wait(*probe); !waited) return waited;
    }
    const bool accepted =
        request_.protocol == WhyProtocol::tcp && facts_.end && facts_.end->kind == ProbeEnd::Kind::answered;
    handles_.sight.take_packets();
    const bool translated =
        translated_destination(facts_.flow, find_flow(facts_.flow, handles_.sight.packets())).has_value();
    if (published && accepted && !translated) {
        if (auto watched = watch_leg(*probe, legs); !watched) return watched;
    }
    (void)handles_.sight.take_traces();
    if (auto small = try_small(); !small) return small;
    facts_.saw_all = handles_.sight.saw_all();
    facts_.observed = handles_.sight.places();
    facts_.sightings = find_flow(facts_.flow, handles_.sight.packets());
    return {};
}

Result<void> WhySending::wait(WhyProbe& probe) {
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
        const auto now = Clock::now();
        if (now >= until) return {};
        if (now >= next_look) {
            if (datagram_arrived()) return {};
            next_look = until;
        }
    }
}

bool WhySending::datagram_arrived() const {
    const auto sightings = find_flow(facts_.flow, handles_.sight.packets());
    return std::ranges::any_of(sightings, [&](const Sighting& one) {
        return one.port.place != 0 && !one.outgoing &&
               (!handles_.host || one.port.place != handles_.host->place);
    });
}

Result<void> WhySending::try_small() {
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

Result<void> WhySending::watch_leg(const WhyProbe& probe, const ProxyLegs& legs) {
    using Leg = BehindProxy::Leg;
    constexpr std::chrono::milliseconds pause{10};
    const auto until = Output::Clock::now() + from_ms(request_.wait_ms);
    for (;;) {
        leg_ = legs.look(probe.is_given_up());
        const bool settled = leg_ == Leg::there || leg_ == Leg::given_up;
        if (settled || Output::Clock::now() >= until) return {};
        const auto waited = handles_.destination.watch.wait(output_, {}, Output::Clock::now() + pause);
        if (!waited) return waited.error();
    }
}

EchoSocket* WhySending::echo() const {
    auto& socket = destination_.to.address.is_v4() ? handles_.v4 : handles_.v6;
    return request_.protocol == WhyProtocol::icmp && socket ? &*socket : nullptr;
}

}  // namespace netlab::operations
