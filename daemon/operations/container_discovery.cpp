#include "daemon/operations/container_path.hpp"
#include "daemon/operations/neighbour_stop.hpp"

#include <algorithm>

/// Whether the host and a container find each other as neighbours.
namespace netlab::operations {

std::optional<Hindrance> ContainerPath::undiscovered(const RuleSet& host_rules, const RuleSet& own_rules,
                                                     const IpAddress& address) const {
    // A port range has thousands of rows.
    const auto known = undiscovered_.find(address);
    if (known != undiscovered_.end()) return known->second;
    auto& out = undiscovered_[address];
    const auto way = host_.way(address);
    const auto& own = topology_[place_].addresses;
    const auto home = std::ranges::find_if(
        own, [&](const kernel::Address& one) { return one.prefix.address() == address; });
    const auto& links = topology_[host_.place()].links;
    const auto output = std::ranges::find(links, way.output, &kernel::Link::name);
    if (way.local || !way.own || home == own.end() || output == links.end()) return out;
    const Question hosts{{host_.place(), output->index}, address, *way.own};
    const Question containers{{place_, home->index}, *way.own, address};
    for (const auto& question : {hosts, containers}) {
        auto found = unanswered(host_rules, own_rules, question);
        if (found && (!out || (found->certain && !out->certain))) out = std::move(found);
    }
    return out;
}

std::optional<Hindrance> ContainerPath::unanswered(const RuleSet& host_rules, const RuleSet& own_rules,
                                                   const Question& question) const {
    const auto& socket = known_.socket(question.asking.place);
    if (socket && is_set_by_hand(socket->get(), question.asking.index, question.asked)) return std::nullopt;
    const auto family = question.asked.family();
    const auto ask = [&](const RuleSet& rules, std::size_t place) {
        return find_neighbour_stop(rules.of(family), topology_, place, question.asking, question.asked,
                                   question.source);
    };
    auto stop = ask(host_rules, host_.place());
    bool of_container = false;
    if (!stop || !stop->certain) {
        if (auto own = ask(own_rules, place_); own && (!stop || own->certain)) {
            stop = std::move(own);
            of_container = true;
        }
    }
    if (!stop) return std::nullopt;
    auto why = explain_neighbour_stop(*stop, of_container ? &target_ : nullptr);
    const auto asking = question.asking.place == place_ ? target_.name : topology_[host_.place()].target;
    why.explanation = (stop->certain ? asking + " asks for " + question.asked.to_string() + " in vain"
                                     : "whether " + asking + " is answered for " +
                                           question.asked.to_string() + " is not known") +
                      why.explanation + (stop->certain ? "; what it knows already is good for a while" : "");
    return Hindrance{std::move(why), stop->certain};
}

}  // namespace netlab::operations
