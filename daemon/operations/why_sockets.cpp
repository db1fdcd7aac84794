#include "daemon/operations/why_sockets.hpp"

#include "daemon/operations/why_facts.hpp"

namespace netlab::operations {

using api::WhyProtocol;

std::optional<Judgement> WhySockets::judge(std::size_t place, const api::Endpoint& to) const {
    const int socket = socket_of(place);
    if (socket < 0) return std::nullopt;
    const InterfaceNames names(topology_[place].links);
    const auto listeners = read_listeners(socket, request_.protocol == WhyProtocol::tcp, names);
    if (!listeners) return std::nullopt;
    return judge_listeners(*listeners, to.address, to.port);
}

std::optional<Sleep> WhySockets::asleep(std::size_t place, const std::optional<Judgement>& judged) const {
    const auto& target = target_at(context_, place);
    // Containers on the host's network live in the host's.
    const bool shares = target.runtime == api::Runtime::host ||
                        (target.namespace_ && !target.namespace_->shared_with.empty());
    if (!shares)
        return target.state == api::State::paused ? std::optional(Sleep{Sleep::Extent::all, target})
                                                  : std::nullopt;
    if (!handles_.residents.matter() || !judged || refuses(*judged)) return std::nullopt;
    return handles_.residents.asleep(handles_.holders, in_place_of(place, judged->listener),
                                     target.namespace_);
}

std::vector<std::uint64_t> WhySockets::in_place_of(std::size_t place, const api::Listener& wanted) const {
    std::vector<std::uint64_t> out;
    const InterfaceNames names(topology_[place].links);
    const auto all = read_listening_sockets(socket_of(place), request_.protocol == WhyProtocol::tcp, names);
    if (!all) return out;
    for (const auto& [listener, inode] : *all) {
        if (is_one_place(listener, wanted)) out.push_back(inode);
    }
    return out;
}

int WhySockets::socket_of(std::size_t place) const {
    const auto home = handles_.known.home(place);
    if (const int socket = handles_.sight.sockets(home); socket >= 0) return socket;
    const auto named = named_places(context_);
    if (home < named || home - named >= handles_.others.size()) return -1;
    const auto& other = handles_.others[home - named];
    return other ? other->get() : -1;
}

}  // namespace netlab::operations
