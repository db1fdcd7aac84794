#include "daemon/front/worker_context.hpp"

#include "daemon/front/references.hpp"
#include "daemon/targets/points.hpp"
#include "daemon/targets/view.hpp"

#include <algorithm>
#include <set>

namespace netlab::front {

namespace {

/// The running containers that have ports, or the host's network, whose ports are all theirs.
std::vector<targets::Resolution> with_ports(const targets::Registry& registry) {
    std::vector<targets::Resolution> out;
    for (const auto& target : registry.list()) {
        if (target.ports.empty() && target.network_mode != "host") continue;
        auto found =
            registry.resolve(std::string(described::enumerator_name(target.runtime)) + ":" + target.id);
        if (found) out.push_back(std::move(*found));
    }
    return out;
}

bool is_in(const std::optional<api::Namespace>& one, const std::optional<api::Namespace>& other) {
    return one && other && one->inode == other->inode && one->device == other->device;
}

}  // namespace

void add_peer(const targets::NamespaceReference& known, api::Context& context, Job& job) {
    auto reference = launcher_reference(known);
    if (!reference) return;
    reference->may_fail = 1;
    job.namespaces.push_back(*reference);
    context.peer_namespace = true;
}

Result<void> add_target(targets::Resolution found, api::Context& context, Job& job) {
    auto reference = launcher_reference(found.reference);
    if (!reference) return reference.error();
    job.namespaces.push_back(*reference);
    context.targets.push_back(std::move(found.target));
    return {};
}

api::Target slim(api::Target target, bool with_networks) {
    target.image.clear();
    target.ports.clear();
    constexpr std::size_t most_named = 16;
    if (target.namespace_ && target.namespace_->shared_with.size() > most_named)
        target.namespace_->shared_with.resize(most_named);
    if (!with_networks) target.networks.clear();
    return target;
}

Result<void> add_targets(const std::vector<std::string>& words, bool all, bool published,
                         const std::string& network, const targets::Registry& registry, api::Context& context,
                         Job& job) {
    std::vector<targets::Resolution> chosen;
    if (all) {
        if (!words.empty()) return Error{errc::bad_request, "targets or all of them, not both", {}, {}};
        chosen = published ? with_ports(registry) : registry.namespaces();
    }
    if (!network.empty()) {
        if (!words.empty()) return Error{errc::bad_request, "targets or a network, not both", {}, {}};
        auto members = registry.members(network);
        if (!members) return members.error();
        chosen = std::move(*members);
    }
    for (const auto& word : words) {
        auto found = registry.resolve(word);
        if (!found) return found.error();
        // In another container's namespace it has that one's.
        if (published && found->target.ports.empty())
            found->target.ports = registry.joined_ports(found->target);
        const bool twice = std::ranges::any_of(chosen, [&](const auto& other) {
            return other.target.id == found->target.id && other.target.runtime == found->target.runtime;
        });
        if (!twice) chosen.push_back(std::move(*found));
    }
    if (chosen.empty() && !all)
        return Error{errc::bad_request, "targets: at least one is needed, or all", {}, {}};
    if (chosen.size() > launcher::most_targets) {
        return Error{errc::limit_exceeded,
                     std::to_string(chosen.size()) + " namespaces are more than one request can ask",
                     "name " + std::to_string(launcher::most_targets) + " at most",
                     {}};
    }
    for (auto& one : chosen) {
        if (auto added = add_target(std::move(one), context, job); !added) return added;
        // One that has just ended must not cost the others their rows.
        if (chosen.size() > 1) job.namespaces.back().may_fail = 1;
    }
    return {};
}

bool is_host_among(std::span<const api::Target> targets, const targets::Registry& registry) {
    const auto host = registry.resolve("host");
    return host && std::ranges::any_of(targets, [&](const api::Target& target) {
               return is_in(target.namespace_, host->target.namespace_);
           });
}

void add_publishers(std::uint16_t port, const targets::Registry& registry, api::Context& context, Job& job) {
    constexpr std::size_t most = 8;
    if (port == 0) return;
    for (const auto& target : registry.list()) {
        const auto other = [&](const api::PublishedPort& one) { return one.host_port != port; };
        if (context.publishers.size() == most || std::ranges::all_of(target.ports, other)) continue;
        auto found =
            registry.resolve(std::string(described::enumerator_name(target.runtime)) + ":" + target.id);
        if (!found) continue;
        const auto reference = launcher_reference(found->reference);
        if (!reference) continue;
        job.namespaces.push_back(*reference);
        job.namespaces.back().may_fail = 1;
        auto ports = std::move(found->target.ports);
        std::erase_if(ports, other);
        context.publishers.push_back(slim(std::move(found->target), true));
        context.publishers.back().ports = std::move(ports);
    }
}

Result<void> add_host(const targets::Registry& registry, api::Context& context, Job& job) {
    if (context.targets.front().runtime == api::Runtime::host) return {};
    const auto host = registry.resolve("host");
    if (!host) return host.error();
    auto reference = launcher_reference(host->reference);
    if (!reference) return reference.error();
    job.namespaces.push_back(*reference);
    context.host_namespace = true;
    return {};
}

void add_others(const targets::Registry& registry, api::Context& context, Job& job) {
    const auto is_chosen = [&](const api::Target& other) {
        return std::ranges::any_of(context.targets, [&](const api::Target& target) {
            return target.namespace_ && target.namespace_->inode == other.namespace_->inode &&
                   target.namespace_->device == other.namespace_->device;
        });
    };
    auto others = registry.namespaces();
    // The host is the last in order and the first in worth: the other ends of the containers' veths are
    // there.
    std::stable_partition(others.begin(), others.end(),
                          [](const auto& one) { return one.target.runtime == api::Runtime::host; });
    for (auto& other : others) {
        if (is_chosen(other.target)) continue;
        const auto reference = launcher_reference(other.reference);
        if (!reference) continue;
        if (job.namespaces.size() == launcher::most_targets) {
            context.truncated = true;
            return;
        }
        job.namespaces.push_back(*reference);
        job.namespaces.back().may_fail = 1;
        context.others.push_back(slim(std::move(other.target), false));
    }
}

void add_residents(const targets::Registry& registry, api::Context& context) {
    using Identity = std::pair<std::uint64_t, std::uint64_t>;
    const auto identity = [](const api::Target& target) {
        return Identity(target.namespace_->device, target.namespace_->inode);
    };
    const auto is_shared = [](const api::Target& target) {
        return target.namespace_ && !target.namespace_->shared_with.empty();
    };
    const auto& all = registry.list();
    std::set<Identity> wanted;
    for (const auto& target : all) {
        if (is_shared(target) && target.state == api::State::paused) wanted.insert(identity(target));
    }
    std::set<std::string> owners;
    for (const auto& target : context.targets) {
        if (!is_shared(target) || targets::joined_container(target).empty()) continue;
        wanted.insert(identity(target));
        owners.insert(std::string(targets::joined_container(target)));
    }
    for (const auto& target : all) {
        const bool container =
            target.runtime == api::Runtime::docker || target.runtime == api::Runtime::podman;
        if (!container || !is_shared(target) || !wanted.contains(identity(target))) continue;
        // A namespace may have hundreds: who sleeps counts, and who publishes.
        if (target.state != api::State::paused && !owners.contains(target.id)) continue;
        auto& resident = context.residents.emplace_back(slim(target, false));
        resident.namespace_->shared_with.clear();
    }
}

Result<void> add_points(const std::vector<std::string>& words, const targets::Registry& registry,
                        api::Context& context, Job& job) {
    auto found = targets::find_points(registry, words);
    if (!found) return found.error();
    context.points = std::move(found->points);
    const bool several = found->targets.size() > 1;
    for (auto& target : found->targets) {
        if (auto added = add_target(std::move(target), context, job); !added) return added;
        if (several) job.namespaces.back().may_fail = 1;
    }
    return {};
}

void add_names(const targets::Registry& registry, api::Context& context) {
    constexpr std::size_t room = 24 * 1024;
    std::set<std::pair<IpAddress, std::string>> known;  // several may live in one namespace
    std::size_t size = 0;
    auto all = registry.list();
    // A named namespace may be the host's: "host" says more.
    std::stable_partition(all.begin(), all.end(),
                          [](const auto& one) { return one.runtime == api::Runtime::host; });
    for (const auto& target : all) {
        // A paused one has its addresses still.
        if (target.state != api::State::running && target.state != api::State::paused) continue;
        for (const auto& network : target.networks) {
            for (const auto& prefix : network.addresses) {
                const auto& address = prefix.address();
                if (address.is_loopback() || address.is_link_local() ||
                    !known.emplace(address, target.name).second)
                    continue;
                constexpr std::size_t lengths = 2 * sizeof(std::uint32_t);
                size += lengths + target.name.size() + address.to_string().size();
                if (size > room) {
                    context.names_complete = false;
                    return;
                }
                context.names.push_back({address, target.name});
            }
        }
    }
}

}  // namespace netlab::front
