#include "daemon/operations/engine_answers.hpp"

#include <algorithm>
#include <iterator>

namespace netlab::operations {

/// Of engines that have not failed yet.
std::vector<api::NetworkRow> EngineAnswers::ask(bool members) {
    std::vector<api::NetworkRow> out;
    for (std::size_t i = 0; i < engines_.size(); ++i) {
        const auto name = engines_.name(i);
        if (engines_.absent(i) ||
            std::ranges::find(failures_, name, &api::TargetFailure::target) != failures_.end())
            continue;
        auto networks = engines_.networks(i, members, output_);
        if (networks) {
            std::ranges::move(*networks, std::back_inserter(out));
        } else {
            failures_.push_back({name, networks.error()});
        }
    }
    return out;
}

const api::NetworkRow* EngineAnswers::network_of(const api::Target& target, const std::string& name) const {
    const auto found = std::ranges::find_if(networks_, [&](const api::NetworkRow& one) {
        return one.engine == target.runtime && one.name == name;
    });
    return found == networks_.end() ? nullptr : &*found;
}

std::optional<std::string> EngineAnswers::given_to(const IpAddress& address) {
    if (!members_) {
        members_.emplace();
        for (auto& network : ask(true))
            std::ranges::move(network.members, std::back_inserter(*members_));
    }
    std::vector<std::string> given;
    for (const auto& member : *members_) {
        if (std::ranges::find(member.addresses, address, &IpPrefix::address) != member.addresses.end())
            given.push_back(member.name);
    }
    if (given.empty()) return std::nullopt;
    return given.size() == 1 ? given.front() : std::string();
}

}  // namespace netlab::operations
