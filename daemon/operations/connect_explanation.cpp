#include "daemon/operations/connect_explanation.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/listener_explanation.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <array>

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

namespace netlab::operations {

namespace {

using api::ConnectOutcome;
using api::RefusalWay;

/// Nothing where the target's addresses are not known.
std::optional<bool> has_other_family(const api::Target* target, const IpAddress& address) {
    if (target == nullptr) return std::nullopt;
    std::optional<bool> known;
    for (const auto& membership : target->networks) {
        for (const auto& own : membership.addresses)
            known = known.value_or(false) || own.address().family() != address.family();
    }
    return known;
}

class Reasoning {
  public:
    Reasoning(const api::Context& context, const ReachRequest& request, const ConnectFacts& facts)
        : facts_(facts),
          request_(request),
          from_target_(context.targets.empty() ? nullptr : &context.targets.front()),
          peer_(facts.own_address                    ? from_target_
                : context.peer && facts.peer_address ? &*context.peer
                                                     : nullptr),
          from_(from_target_ != nullptr ? from_target_->name : request.from),
          address_(facts.attempt.remote.address),
          to_(peer_ != nullptr ? peer_->name : address_.to_string()),
          question_{to_,
                    address_,
                    facts.attempt.remote.port,
                    facts.udp,
                    has_other_family(peer_, address_),
                    facts.came_by,
                    facts.other_ports,
                    request} {}

    [[nodiscard]] Explanation explain() const {
        switch (facts_.attempt.outcome) {
            case ConnectOutcome::connected:
            case ConnectOutcome::answered:
                return fine();
            case ConnectOutcome::refused:
                return refused();
            case ConnectOutcome::unreachable:
                return unreachable();
            case ConnectOutcome::timed_out:
                return timed_out();
            case ConnectOutcome::silent:
                return silent();
            case ConnectOutcome::unresolved:
            case ConnectOutcome::partial:
                break;
        }
        return {};
    }

  private:
    [[nodiscard]] Explanation fine() const {
        if (facts_.udp || !is_paused()) return {};
        return {to_ + " is paused: its kernel takes connections, its processes do not run", {}};
    }

    [[nodiscard]] bool is_paused() const { return peer_ != nullptr && peer_->state == api::State::paused; }

    // ---- words

    [[nodiscard]] std::string port() const { return std::to_string(facts_.attempt.remote.port); }
    [[nodiscard]] std::string protocol_port() const {
        return (facts_.udp ? "UDP port " : "TCP port ") + port();
    }
    [[nodiscard]] std::string packet() const { return facts_.udp ? "the datagram" : "the SYN"; }
    [[nodiscard]] std::string route_command() const {
        return "netlab route " + request_.from + " " + address_.to_string();
    }

    [[nodiscard]] Explanation sockets() const { return explain_listeners(question_, *facts_.listener); }
    [[nodiscard]] std::string full() const {
        return accept_queue_is_full(question_, facts_.listener->listener);
    }

    [[nodiscard]] bool takes() const {
        return facts_.listener && facts_.listener->verdict == ListenerVerdict::takes;
    }
    [[nodiscard]] bool is_full() const {
        return facts_.listener && facts_.listener->verdict == ListenerVerdict::full;
    }
    [[nodiscard]] std::string place() const {
        return endpoint_text(facts_.listener->listener.address, facts_.listener->listener.port);
    }
    [[nodiscard]] std::string taker() const {
        return place() + (facts_.udp ? " takes datagrams in " : " listens in ") + to_;
    }

    // ---- refused

    [[nodiscard]] Explanation refused() const {
        const auto& refusal = facts_.attempt.refusal;
        if (refusal && refusal->way == RefusalWay::icmp) return rejected_by_icmp(*refusal);
        const auto& trace = facts_.trace;
        if (trace.sent_to) return sent_elsewhere();
        if (is_by_loopback()) return by_loopback();
        if (trace.from_watched.every && trace.reset && trace.left == 0 && !trace.left_under_another_port)
            return {"a rule in the OUTPUT chain of " + from_ + " rejects it with a reset: no SYN has left it",
                    {}};
        if (peer_ == nullptr) return reset_by_stranger();
        if (is_passed_on()) return passed_on();
        if (trace.peer_watched.every && trace.left > 0 && !trace.peer_reset) return reset_between();
        if (!facts_.listener) return {};
        if (is_full()) {
            return {full() + ", and net.ipv4.tcp_abort_on_overflow refuses more of them",
                    "netlab sockets " + to_ + " -tl"};
        }
        if (!takes()) return sockets();
        if (trace.peer_watched.own && trace.peer_reset)
            return {
                taker() + ", and yet the reset came from " + to_ +
                    " itself: a firewall rule there sends it, or one of NAT leads the SYN to where nothing "
                    "listens",
                {}};
        return {taker() + ", so something else rejects it: a firewall there or on the way", {}};
    }

    // ---- translated on the way

    [[nodiscard]] static std::string text_of(const api::Endpoint& endpoint) {
        return endpoint_text(endpoint.address, endpoint.port);
    }

    [[nodiscard]] Explanation sent_elsewhere() const {
        const auto& trace = facts_.trace;
        auto text = "a NAT rule (or BPF program) in " + from_ + " itself sends " + packet() + " to " +
                    text_of(*trace.sent_to) + " instead";
        if (trace.reset) {
            text += ", which refuses it";
        } else if (facts_.attempt.outcome == ConnectOutcome::timed_out) {
            if (trace.reply_came) {
                text += ", whose answer was dropped in " + from_;
            } else if (trace.from_watched.every) {
                text += ", and nothing came back";
            }
        }
        return {std::move(text), {}};
    }

    [[nodiscard]] bool is_passed_on() const { return facts_.trace.passed_on_to && facts_.trace.arrived == 0; }
    [[nodiscard]] Explanation passed_on() const {
        const auto& to = *facts_.trace.passed_on_to;
        auto text = to_ + " passes " + packet() + " on to " + text_of(to) +
                    ": a published port, or another rule that translates addresses; ";
        const bool refused = facts_.attempt.outcome == ConnectOutcome::refused;
        text += refused ? "it was refused there, or on the way"
                        : "what became of it there cannot be seen from here";
        auto direct = request_;
        direct.port = ":" + std::to_string(to.port);
        return {std::move(text), direct.again(to.address.to_string())};
    }

    [[nodiscard]] Explanation for_other_host(const std::string& what, const std::string& where,
                                             const std::string& whose) const {
        // Behind a router it is the last one's entry.
        const auto culprit = facts_.gateway ? "a router on the way" : whose;
        return {what + " came to the link of " + where + ", but not for its MAC address: " + culprit +
                    " has a wrong neighbour entry, or another machine has that address too",
                facts_.gateway ? route_command() : "netlab neigh " + whose};
    }

    [[nodiscard]] Explanation reset_between() const {
        const auto& trace = facts_.trace;
        if (trace.arrived > 0) {
            return {"the SYN came to " + to_ + ", which sent no reset: something between " + from_ + " and " +
                        to_ + " sent it in its name",
                    route_command()};
        }
        return {"the SYN left " + from_ + " and never came to " + to_ +
                    ": a firewall between the two rejects it with a reset in the name of " + to_,
                route_command()};
    }

    /// The reset of somebody whose sockets cannot be asked.
    [[nodiscard]] Explanation reset_by_stranger() const {
        const auto& reset = facts_.trace.reset;
        constexpr std::array<unsigned, 3> beginnings{64, 128, 255};
        const bool fresh = reset && std::ranges::find(beginnings, reset->packet.ttl) != beginnings.end();
        if (fresh && facts_.gateway) {
            return {"the reset came with a TTL of " + std::to_string(reset->packet.ttl) +
                        ", which no router has lowered: it comes from the gateway " +
                        facts_.gateway->to_string() +
                        " or from this side of it, where a firewall rejects it unless " +
                        address_.to_string() + " is the gateway's own",
                    route_command()};
        }
        return {"nothing listens on " + protocol_port() + " of " + address_.to_string() +
                    ", or a firewall rejects it with a reset: the two look the same from here",
                {}};
    }

    [[nodiscard]] bool is_own(const std::optional<IpAddress>& address) const {
        return address && facts_.attempt.local && *address == facts_.attempt.local->address;
    }

    [[nodiscard]] Explanation rejected_by_icmp(const api::Refusal& refusal) const {
        const auto who = refusal.from ? refusal.from->to_string() : std::string("somebody");
        const bool by_destination = refusal.from == address_;
        if (is_own(refusal.from) && !facts_.same_namespace && !by_destination)
            return {"a rule in the OUTPUT chain of " + from_ + " rejects it (ICMP " + refusal.message + ")",
                    {}};
        if (!facts_.udp) {
            return {"a firewall at " + who + " rejects it: for TCP nobody else answers with ICMP " +
                        refusal.message,
                    by_destination ? std::string() : route_command()};
        }
        if (!by_destination)
            return {"a firewall at " + who + " rejects it (ICMP " + refusal.message + ")", route_command()};
        if (peer_ == nullptr || !facts_.listener)
            return {"nothing has " + protocol_port() + " at " + who + ", or a firewall there rejects it", {}};
        if (takes()) return {taker() + ", so a firewall rule in " + to_ + " rejects it", {}};
        return sockets();
    }

    // ---- unreachable

    [[nodiscard]] bool neighbour_is_silent() const {
        const auto& refusal = facts_.attempt.refusal;
        if (facts_.no_neighbour) return true;
        if (!refusal || refusal->way != RefusalWay::icmp || !is_own(refusal->from)) return false;
        if (address_.is_v4())
            return refusal->icmp_type == ICMP_DEST_UNREACH && refusal->icmp_code == ICMP_HOST_UNREACH;
        return refusal->icmp_type == ICMP6_DST_UNREACH && refusal->icmp_code == ICMP6_DST_UNREACH_ADDR;
    }

    [[nodiscard]] Explanation no_neighbour() const {
        const auto& next = facts_.gateway.value_or(address_);
        const auto network = from_target_ != nullptr ? on_network(*from_target_, next) : std::string();
        const auto asked =
            next.is_v4() ? " has answered ARP for " : " has answered neighbour solicitations for ";
        const auto what = facts_.gateway ? "the gateway " : "";
        return {"nobody" + network + asked + what + next.to_string(), {}};
    }

    [[nodiscard]] Explanation apart() const {
        if (from_target_ == nullptr || peer_ == nullptr) return {};
        return explain_apart(*from_target_, *peer_).value_or(Explanation{});
    }

    [[nodiscard]] Explanation unreachable() const {
        if (neighbour_is_silent()) return no_neighbour();
        const auto& refusal = facts_.attempt.refusal;
        if (!refusal) return {};
        if (refusal->way == RefusalWay::local) return not_sent(*refusal);
        if (is_own(refusal->from) && !facts_.same_namespace)
            return {"a rule in the OUTPUT chain of " + from_ + " rejects it (ICMP " + refusal->message + ")",
                    {}};
        const auto who = refusal->from ? refusal->from->to_string() : std::string("somebody");
        const bool prohibited = refusal->message.find("prohibited") != std::string::npos;
        if (prohibited) return {"a firewall at " + who + " rejects it", route_command()};
        auto known = apart();
        if (!known.explanation.empty()) return known;
        if (refusal->from == address_) return {};
        return {who + ", a router on the way, cannot forward it (ICMP " + refusal->message + ")",
                route_command()};
    }

    [[nodiscard]] Explanation not_sent(const api::Refusal& refusal) const {
        if (refusal.message == "no route") {
            const auto known = apart();
            auto text = from_ + " has no route to " + address_.to_string();
            if (!known.explanation.empty()) text += ": " + known.explanation;
            return {std::move(text), known.suggestion};
        }
        return {from_ + " did not send it: " + refusal.message, route_command()};
    }

    // ---- no answer

    [[nodiscard]] Explanation timed_out() const {
        if (facts_.no_neighbour) return no_neighbour();
        const auto& trace = facts_.trace;
        if (trace.sent_to) return sent_elsewhere();
        if (trace.from_watched.every && trace.left == 0 && !trace.left_under_another_port)
            return {"no SYN has left " + from_ +
                        ": a rule in its own OUTPUT chain, or a filter of tc or BPF, drops it, or one of NAT "
                        "leads "
                        "it to where no neighbour answers",
                    {}};
        if (is_by_loopback()) return by_loopback();
        if (trace.reply_came || trace.reset) return dropped_at_home();
        if (trace.answered_from) return answered_from_elsewhere();
        if (trace.reply_for_other_host) return for_other_host("the answer", from_, to_);
        if (peer_ == nullptr) return out_of_sight();
        if (!trace.peer_watched.own || trace.left == 0) return not_seen();
        if (is_passed_on()) return passed_on();
        if (trace.arrived == 0) return trace.peer_watched.every ? lost_between() : not_seen();
        if (trace.peer_replied) {
            return {to_ + " got the SYN and answered, but its answer did not come back to " + from_,
                    route_command()};
        }
        if (trace.peer_reset) {
            return {to_ + " got the SYN and refused it, but its reset did not come back to " + from_,
                    route_command()};
        }
        if (is_full()) return sockets();
        if (facts_.no_way_back) return no_way_back();
        if (facts_.half_open) {
            return {to_ +
                        " accepted the SYN (it waits there in SYN-RECV), and its answer did not leave it: a "
                        "rule in its own OUTPUT chain drops it",
                    {}};
        }
        const auto listens = takes() ? ", where " + place() + " listens," : std::string(",");
        auto text = "the SYN came to " + to_ + listens + " and was dropped there: by a firewall rule" +
                    reverse_path_filter("sysctls " + to_);
        if (facts_.listener && !takes())
            text += "; without that it would be refused: " + sockets().explanation;
        return {std::move(text), {}};
    }

    [[nodiscard]] bool is_by_loopback() const {
        return facts_.trace.only_by_loopback && !facts_.own_address && !facts_.same_namespace;
    }
    [[nodiscard]] Explanation by_loopback() const {
        return {packet() + " left by lo, by which " + from_ + " reaches nobody but itself", route_command()};
    }

    [[nodiscard]] Explanation answered_from_elsewhere() const {
        auto text = "an answer came, but from " + text_of(*facts_.trace.answered_from);
        if (facts_.udp) return {text + ": a program that has connected its socket does not get it", {}};
        return {text +
                    ": the SYN was translated on the way, and the answer took another way back, past the "
                    "translation (a hairpin without masquerading)",
                route_command()};
    }

    [[nodiscard]] Explanation dropped_at_home() const {
        return {"the answer came to " + from_ + " and was dropped there: by a rule in its own INPUT chain" +
                    reverse_path_filter("sysctls " + from_),
                {}};
    }

    [[nodiscard]] Explanation no_way_back() const {
        const auto source = facts_.trace.source->address.to_string();
        return {packet() + " came to " + to_ + ", which has no route back to " + source,
                "netlab route " + to_ + " " + source};
    }

    /// What else drops a packet that has come in (fib_validate_source() in net/ipv4/fib_frontend.c).
    [[nodiscard]] static std::string reverse_path_filter(const std::string& command) {
        return ", or by the reverse path filter (rp_filter in `netlab " + command + "`)";
    }

    /// Behind it is nothing that netlab knows.
    [[nodiscard]] Explanation out_of_sight() const {
        if (!facts_.trace.from_watched.every || facts_.trace.left == 0) return {};
        const auto where = facts_.gateway ? " for the gateway " + facts_.gateway->to_string() : std::string();
        return {"the SYN left " + from_ + where +
                    " and nothing came back; what became of it there cannot be seen from here",
                route_command()};
    }

    [[nodiscard]] Explanation lost_between() const {
        const auto known = apart();
        if (facts_.trace.for_other_host) return for_other_host(packet(), to_, from_);
        auto text = packet() + " left " + from_ + " and never came to " + to_;
        if (!known.explanation.empty()) return {text + ": " + known.explanation, known.suggestion};
        return {text + ": something between the two drops it", route_command()};
    }

    /// The packets were not watched: the sockets alone speak.
    [[nodiscard]] Explanation not_seen() const {
        auto known = apart();
        if (!known.explanation.empty()) return known;
        if (is_full()) return sockets();
        if (takes()) return {taker() + ", so something on the way or in " + to_ + " drops the SYN", {}};
        return {};
    }

    [[nodiscard]] Explanation silent() const {
        if (facts_.no_neighbour) return no_neighbour();
        const auto& trace = facts_.trace;
        const std::string undecided =
            "that nothing came back says nothing: UDP answers only if a program does";
        if (trace.sent_to) return sent_elsewhere();
        if (is_by_loopback()) return by_loopback();
        if (trace.answered_from) return answered_from_elsewhere();
        if (trace.reply_came) return dropped_at_home();
        if (trace.reply_for_other_host) return for_other_host("an answer", from_, to_);
        if (peer_ == nullptr || !trace.peer_watched.own || trace.left == 0) return {undecided, {}};
        if (is_passed_on()) return passed_on();
        if (trace.arrived == 0) return trace.peer_watched.every ? lost_between() : Explanation{undecided, {}};
        if (facts_.no_way_back) return no_way_back();
        if (trace.peer_replied)
            return {to_ + " sent an answer, but it did not come back to " + from_, route_command()};
        if (takes())
            return {"the datagram came to " + to_ + ", where " + place() +
                        " takes datagrams; no answer left from there, and " +
                        (is_paused() ? to_ + " is paused: its processes do not run" : "none may be due"),
                    {}};
        if (!facts_.listener) return {"the datagram came to " + to_ + ", and no answer left it", {}};
        auto why = sockets();
        why.explanation = "the datagram came to " + to_ + ", and no answer left it; " + why.explanation;
        return why;
    }

    const ConnectFacts& facts_;
    const ReachRequest& request_;
    const api::Target* from_target_;
    const api::Target* peer_;
    std::string from_;
    IpAddress address_;
    std::string to_;
    ListenerQuestion question_;
};

}  // namespace

Explanation explain_connection(const api::Context& context, const ReachRequest& request,
                               const ConnectFacts& facts) {
    return Reasoning(context, request, facts).explain();
}

}  // namespace netlab::operations
