#include "daemon/front/answers.hpp"

#include "common/json.hpp"

namespace netlab::front {

std::string answer(const api::VersionRequest&, const Knowledge& knowledge) {
    api::Version version{NETLAB_VERSION, "v1", {}};
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<api::Role>>([&](auto role) {
        if (knowledge.roles.has(role.value)) version.roles.push_back(role.value);
    });
    return json::write(json::encode(version));
}

std::string answer(const api::TargetsRequest&, const Knowledge& knowledge) {
    // Target by target: the tree of a thousand targets would be many times as large as their text.
    std::string out = "[";
    for (const auto& target : knowledge.registry.list()) {
        if (out.size() > 1) out += ',';
        out += json::write(json::encode(target));
    }
    out += ']';
    return out;
}

}  // namespace netlab::front
