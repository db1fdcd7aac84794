#include "daemon/front/answers.hpp"

#include "common/json.hpp"

namespace netlab::front {

std::string answer(const api::VersionRequest&, const Knowledge& knowledge) {
    api::Version version{NETLAB_VERSION, "v1", knowledge.roles.list(), {}};
    for (auto& engine : knowledge.registry.engines()) {
        auto state = knowledge.registry.state_of(engine);
        version.engines.push_back(
            {engine.runtime, std::move(engine.socket), state.up, std::move(state.message)});
    }
    return json::write(version);
}

std::string answer(const api::TargetsRequest&, const Knowledge& knowledge) {
    // Target by target: the tree of a thousand targets would be many times as large as their text.
    std::string out = "[";
    for (const auto& target : knowledge.registry.list()) {
        if (out.size() > 1) out += ',';
        json::append(out, target);
    }
    out += ']';
    return out;
}

}  // namespace netlab::front
