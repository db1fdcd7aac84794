#include "daemon/operations/docker_resolver.hpp"

#include "daemon/operations/engine_http.hpp"
#include "daemon/operations/engine_networks.hpp"
#include "daemon/operations/engine_relay.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

/// An engine that hangs costs no more.
constexpr std::chrono::milliseconds longest_silence{1000};

}  // namespace

Result<DockerResolver> DockerResolver::open(Namespaces& namespaces, const api::Context& context,
                                            bool process) {
    std::vector<UniqueFd> engines;
    for (const auto& engine : context.engines) {
        if (engine.runtime != api::Runtime::docker) continue;
        if (auto socket = connect_engine(engine.socket)) engines.push_back(std::move(*socket));
    }
    std::optional<DockerProcess> found;
    if (process) found.emplace(engines.empty() ? -1 : engines.front().get());
    for (auto& engine : engines) {
        auto relay = relay_engine(namespaces, std::move(engine));
        if (!relay) return relay.error();
        engine = std::move(*relay);
    }
    if (auto entered = namespaces.enter(0); !entered) return entered.error();
    auto embedded = EmbeddedResolver::open();
    if (!embedded) return embedded.error();
    DockerResolver resolver(std::move(*embedded));
    resolver.process_ = std::move(found);
    resolver.engines_ = std::move(engines);
    return resolver;
}

Result<api::EmbeddedResolverRow> DockerResolver::read(const api::Target& target,
                                                      std::vector<ExternalServer> noted, Output& output) {
    kernel::SocketHolders nobody;
    if (process_)
        process_->settle();
    else
        nobody.settle();
    auto row = embedded_.read(process_ ? process_->holders() : nobody);
    if (!row) return row;
    row->target = target.name;
    UpstreamSources sources;
    sources.noted = std::move(noted);
    sources.container = ask_engine(target, output);
    if (process_) process_->tell(sources);
    auto upstreams = docker_upstreams(sources);
    row->upstreams = std::move(upstreams.servers);
    row->upstreams_from = upstreams.from;
    return row;
}

std::vector<std::string> DockerResolver::internal_networks(const api::Target& target, Output& output) {
    const auto names = network_names(target);
    // One that has been silent may yet answer what it was asked before.
    if (!engine_answers_ || names.empty()) return {};
    for (const auto& socket : engines_) {
        EngineConnection engine(socket.get(), output);
        engine.give_up_at(Output::Clock::now() + longest_silence);
        const auto is_internal = [&](const std::string& name) {
            const auto path = "/networks/" + percent_encode(name);
            // The relay would end at a name with a slash, and the connection with it.
            if (!is_engine_inspection(engine_request(path))) return false;
            const auto response = engine.get(path);
            if (!response || response->status != 200) return false;
            const auto network = engine_json::parse_network(response->body, api::Runtime::docker);
            return network && network->name == name && network->internal;
        };
        if (std::ranges::all_of(names, is_internal)) return names;
    }
    return {};
}

/// What Docker says of the container, or of the one in whose namespace it lives.
std::optional<ContainerDns> DockerResolver::ask_engine(const api::Target& target, Output& output) {
    for (const auto& socket : engines_) {
        EngineConnection engine(socket.get(), output);
        engine.give_up_at(Output::Clock::now() + longest_silence);
        const auto inspect = [&](const std::string& id) -> std::optional<ContainerDns> {
            const auto response = engine.get("/containers/" + percent_encode(id) + "/json");
            engine_answers_ = engine_answers_ || response.has_value();
            if (!response || response->status != 200) return std::nullopt;
            return parse_container_dns(response->body);
        };
        auto container = inspect(target.id);
        constexpr std::string_view shared = "container:";
        if (container && container->network_mode.starts_with(shared))
            container = inspect(container->network_mode.substr(shared.size()));
        if (container) return container;
    }
    return std::nullopt;
}

}  // namespace netlab::operations
