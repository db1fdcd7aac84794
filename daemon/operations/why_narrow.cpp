#include "daemon/operations/why_narrow.hpp"

#include "daemon/operations/host_command.hpp"
#include "daemon/operations/known_namespaces.hpp"

#include <string_view>

namespace netlab::operations {

namespace {

/// A veth, and a bridge that sends by one, let pass what has room for a VLAN's tag more (is_skb_forwardable()
/// in net/core/dev.c).
constexpr std::uint32_t vlan_tag = 4;

NarrowLink::Word word_of(const WayPoint& point, const kernel::Link& link, std::uint32_t size) {
    using Word = NarrowLink::Word;
    const std::string_view kind = point.hop.kind;
    if (kind == "source") return Word::own;
    // Where the way is lost the point is the interface that it came in by.
    if (kind == "route") return Word::icmp;
    return link.kind == "veth" && size > link.mtu + vlan_tag ? Word::silently : Word::unsure;
}

}  // namespace

std::optional<NarrowLink> find_narrow(const Topology& topology, const Way& way, std::uint32_t size) {
    std::optional<NarrowLink> unsure;
    for (std::size_t i = 0; i < way.points.size(); ++i) {
        const auto& point = way.points[i];
        const auto* link = point.port ? topology.link(*point.port) : nullptr;
        if (link == nullptr || link->mtu == 0 || link->mtu >= size) continue;
        const NarrowLink found{topology.full_name(*point.port), link->mtu, word_of(point, *link, size), i};
        if (found.word != NarrowLink::Word::unsure) return found;
        if (!unsure) unsure = found;
    }
    return unsure;
}

Explanation explain_narrow(const WhyFacts& facts) {
    using Word = NarrowLink::Word;
    const auto& narrow = *facts.narrow;
    const auto& point = facts.way.points.at(narrow.point);
    const auto size = std::to_string(facts.request.size);
    Explanation out{narrow.name + " has an MTU of " + std::to_string(narrow.mtu) + ", and the packet of " +
                        size + " bytes is not to be fragmented: ",
                    {}};
    if (narrow.word == Word::own) {
        out.explanation += "the kernel of " + point.hop.target + " does not send it (EMSGSIZE)";
    } else if (narrow.word == Word::icmp) {
        out.explanation += point.hop.target + " sends the ICMP error back that says so (" +
                           (facts.flow.remote.is_v4() ? "fragmentation needed" : "packet too big") + ")";
    } else if (narrow.word == Word::silently) {
        out.explanation += "it is lost there, and nobody is told";
        if (point.place && is_plain_word(point.hop.interface))
            out.suggestion = command_in(target_at(facts.context, *point.place),
                                        "ip link set " + point.hop.interface + " mtu " + size);
    } else {
        out.explanation += "it may be lost there";
    }
    return out;
}

}  // namespace netlab::operations
