#include "daemon/operations/route_verdict.hpp"

#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/reverse_path.hpp"

#include <cerrno>
#include <cstring>

#include <linux/if.h>
#include <linux/rtnetlink.h>

namespace netlab::operations {

namespace {

using api::RouteStep;

std::string kernel_words(int error) {
    // fib_frontend.c, fib_validate_source(): the reverse path filter, and a source that can be nobody's.
    if (error == EXDEV)
        return "the reverse path filter drops it: the way back to its source is another interface, or there "
               "is none (rp_filter)";
    if (error == EINVAL) return "its source or destination address is not acceptable here (martian)";
    return std::strerror(error);
}

/// One question about a packet, with all that the kernel is asked for it.
class Case {
  public:
    Case(const Topology& topology, const AskKernel& ask, std::size_t place, const kernel::RouteQuery& query,
         const kernel::RouteReply& reply)
        : topology_(topology), ask_(ask), place_(place), query_(query), reply_(reply) {}

    /// It came in by an interface.
    Verdict incoming(RouteStep step) const {
        if (step == RouteStep::routed) return sent_on();
        if (step == RouteStep::unreachable && !reply_.route) return not_sent_on();
        if (step == RouteStep::blackhole && !reply_.route && is_martian())
            return {RouteStep::refused,
                    kernel_words(reply_.error) +
                        (query_.from ? "" : ": what comes in has a source, and none was given")};
        if (step == RouteStep::blackhole && !reply_.route && is_filtered())
            return {RouteStep::refused, kernel_words(EXDEV)};
        return said(step);
    }

    /// It is made here.
    Verdict own(RouteStep step) const {
        if (query_.from && !is_own(*query_.from)) {
            const auto from = query_.from->to_string() + " is no address of " + topology_[place_].target;
            if (reply_.error == 0 && step == RouteStep::routed)
                return {step, from + ": only a program that insists on it (IPV6_FREEBIND) sends from it"};
            if (reply_.error != 0 && reply_.error != error_of_own())
                return {RouteStep::refused,
                        from + ", so it does not send from it (only with IP_TRANSPARENT could a program)"};
        }
        auto verdict = said(step);
        auto& note = verdict.note;
        if (step == RouteStep::unreachable && reply_.error == ENETUNREACH) note += down_interfaces();
        return verdict;
    }

  private:
    /// EINVAL is a blackhole's word, and that of much that the kernel finds impossible.
    Verdict said(RouteStep step) const {
        const bool by_errno = step == RouteStep::blackhole && !reply_.route;
        if (by_errno && ask_.refuses && !ask_.refuses(place_, query_))
            return {RouteStep::refused,
                    "the kernel would not send it (EINVAL: " + std::string(std::strerror(EINVAL)) +
                        "), and no route or rule there is a blackhole"};
        return {step, cause(step, reply_.error)};
    }

    Verdict sent_on() const {
        // To all of a network or group: no matter of forwarding.
        if (reply_.route->kind != RTN_UNICAST) return {RouteStep::routed, {}};
        const auto settings = ask_.settings(place_, family(), query_.input);
        const auto forwards = settings ? kernel::forwards(family(), *settings) : std::nullopt;
        if (!forwards) return {RouteStep::routed, "whether it forwards could not be read"};
        if (!*forwards) return {RouteStep::not_forwarded, why_not_forwarded(*settings)};
        return {RouteStep::routed, {}};
    }

    Verdict not_sent_on() const {
        // A namespace that does not forward says EHOSTUNREACH, whatever its routes are.
        const auto own = ask_.route(place_, {query_.destination, std::nullopt, 0, 0, 0, false});
        const auto settings = ask_.settings(place_, family(), query_.input);
        const bool shut = settings && kernel::forwards(family(), *settings) == false;
        if (shut) {
            const bool routed = own && own->error == 0;
            return {RouteStep::not_forwarded,
                    why_not_forwarded(*settings) + (routed ? "" : "; nor has it a route there")};
        }
        return {RouteStep::unreachable, cause(RouteStep::unreachable, own ? own->error : reply_.error)};
    }

    /// The setting that decided; its interface has the name that a container's root gave it.
    std::string why_not_forwarded(const kernel::InterfaceSettings& settings) const {
        const auto& target = topology_[place_].target;
        const auto interface = topology_.name({place_, query_.input});
        const auto setting = kernel::forwarding_sysctl(family(), settings, interface);
        const bool all = !settings.all_forwarding.value_or(false);
        return setting + " is 0: " + target + " forwards nothing" +
               (all ? "" : " that comes in by " + interface);
    }

    /// What follows from the reply, `error` being the errno that counts.
    static std::string cause(RouteStep step, int error) {
        if (step == RouteStep::prohibited) return "a route or rule says so";
        if (step == RouteStep::refused) return kernel_words(error);
        if (step != RouteStep::unreachable) return {};
        return error == ENETUNREACH ? "there is no route" : "a route or rule says so";
    }

    /// " (eth0 is down)": their routes went with them.
    std::string down_interfaces() const {
        std::vector<std::string> names;
        constexpr std::size_t most = 4;
        for (const auto& link : topology_[place_].links) {
            if ((link.flags & (IFF_UP | IFF_LOOPBACK)) == 0 && names.size() < most)
                names.push_back(link.name);
        }
        if (names.empty()) return {};
        return " (" + list_and(names) + (names.size() == 1 ? " is" : " are") + " down)";
    }

    /// The errno of the same packet without source and input.
    int error_of_own() const {
        const auto own =
            ask_.route(place_, {query_.destination, std::nullopt, query_.mark, 0, query_.output, false});
        return own ? own->error : 0;
    }

    /// Also an address that only a route of kind local makes its own.
    bool is_own(const IpAddress& address) const {
        const auto found = ask_.route(place_, {address, std::nullopt, 0, 0, 0, false});
        return found && found->route &&
               (found->route->kind == RTN_LOCAL || found->route->kind == RTN_ANYCAST);
    }

    /// EINVAL is a blackhole's, but also what a packet gets that ip_route_input_slow() (net/ipv4/route.c)
    /// finds impossible: its source is nobody's or one's own, its destination is no host outside.
    bool is_martian() const {
        const auto is_nobodys = [](const IpAddress& address) {
            return address.is_loopback() || address.is_unspecified();
        };
        if (!query_.from || is_nobodys(*query_.from) || query_.from->is_multicast() ||
            is_nobodys(query_.destination))
            return true;
        const auto back = ask_.route(place_, {*query_.from, std::nullopt, 0, 0, 0, false});
        return back && back->route && back->route->kind != RTN_UNICAST;
    }

    bool is_filtered() const {
        if (!query_.from || (ask_.refuses && ask_.refuses(place_, query_))) return false;
        return is_path_filtered(query_, ask_.settings(place_, family(), query_.input),
                                ask_.route(place_, way_back(query_)));
    }

    [[nodiscard]] Family family() const { return query_.destination.family(); }

    const Topology& topology_;
    const AskKernel& ask_;
    std::size_t place_;
    const kernel::RouteQuery& query_;
    const kernel::RouteReply& reply_;
};

}  // namespace

Verdict judge(const Topology& topology, const AskKernel& ask, std::size_t place,
              const kernel::RouteQuery& query, const kernel::RouteReply& reply) {
    const Case asked(topology, ask, place, query, reply);
    const auto step = step_of(reply);
    return query.input != 0 ? asked.incoming(step) : asked.own(step);
}

RouteStep step_of(const kernel::RouteReply& reply) {
    if (reply.route) {
        switch (reply.route->kind) {
            case RTN_LOCAL:
            case RTN_ANYCAST:
                return RouteStep::delivered;
            case RTN_BLACKHOLE:
                return RouteStep::blackhole;
            case RTN_UNREACHABLE:
                return RouteStep::unreachable;
            case RTN_PROHIBIT:
                return RouteStep::prohibited;
            default:
                break;
        }
    }
    switch (reply.error) {
        case 0:
            return RouteStep::routed;
        case ENETUNREACH:
        case EHOSTUNREACH:
            return RouteStep::unreachable;
        case EACCES:
            return RouteStep::prohibited;
        case EINVAL:
            return RouteStep::blackhole;
        default:
            return RouteStep::refused;
    }
}

bool is_lost(RouteStep step) {
    switch (step) {
        case RouteStep::unreachable:
        case RouteStep::prohibited:
        case RouteStep::blackhole:
        case RouteStep::not_forwarded:
        case RouteStep::link_down:
        case RouteStep::blocked:
        case RouteStep::refused:
            return true;
        default:
            return false;
    }
}

}  // namespace netlab::operations
