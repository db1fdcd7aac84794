#pragma once

#include "common/api/context.hpp"
#include "daemon/front/workers.hpp"
#include "daemon/targets/registry.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// What a worker is told beside its request, and the namespaces that it is given: both grow together, and
/// api::Context says which of them is where.
namespace netlab::front {

/// The other end's namespace is for its addresses only: an operation starts without it where it is gone.
void add_peer(const targets::NamespaceReference& known, api::Context& context, Job& job);

/// A target to run in: its reference for the launcher, and what of it is worth a place in the message.
[[nodiscard]] Result<void> add_target(targets::Resolution found, api::Context& context, Job& job);

/// Without what no operation looks at: 2,000 published ports would not fit into a message.
[[nodiscard]] api::Target slim(api::Target target, bool with_networks);

/// The targets of a row that runs in several, each once, in the order of the words.
[[nodiscard]] Result<void> add_targets(const std::vector<std::string>& words, bool all, bool published,
                                       const std::string& network, const targets::Registry& registry,
                                       api::Context& context, Job& job);

/// One of them lives in the host's namespace, by whatever name.
[[nodiscard]] bool is_host_among(std::span<const api::Target> targets, const targets::Registry& registry);

/// Who publishes a port of the host's, as far as anybody would want to know.
void add_publishers(std::uint16_t port, const targets::Registry& registry, api::Context& context, Job& job);

/// The host's namespace, where what it does for a target is looked at.
[[nodiscard]] Result<void> add_host(const targets::Registry& registry, api::Context& context, Job& job);

/// Every other namespace that is known, as far as there is room.
void add_others(const targets::Registry& registry, api::Context& context, Job& job);

/// Who else may hold a socket in a namespace, where it matters who does.
void add_residents(const targets::Registry& registry, api::Context& context);

/// Capture points and the namespaces that they are in.
[[nodiscard]] Result<void> add_points(const std::vector<std::string>& words,
                                      const targets::Registry& registry, api::Context& context, Job& job);

/// The addresses of all running targets, as far as there is room for them in the message.
void add_names(const targets::Registry& registry, api::Context& context);

}  // namespace netlab::front
