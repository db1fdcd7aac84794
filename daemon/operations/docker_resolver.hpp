#pragma once

#include "common/api/context.hpp"
#include "daemon/operations/docker_process.hpp"
#include "daemon/operations/embedded_resolver.hpp"
#include "daemon/operations/operation.hpp"

#include <optional>
#include <vector>

namespace netlab::operations {

/// Docker's resolver at 127.0.0.11 in one container, and what stands behind it: the container's rules and
/// sockets, dockerd's process, and what the engine says.
class DockerResolver {
  public:
    /// For `prepare`, with Needs::net_admin and, for `process`, Needs::processes. Enters the namespace of the
    /// first target. `process`: dockerd is looked for, which knows its upstreams and holds its sockets.
    /// errc::target_gone, errc::operation_failed; an engine that does not run is no error.
    [[nodiscard]] static Result<DockerResolver> open(Namespaces& namespaces, const api::Context& context,
                                                     bool process);

    /// For `run`, once. `noted` is what the container's resolv.conf says of upstreams. An engine that hangs
    /// costs a second. errc as EmbeddedResolver::read().
    [[nodiscard]] Result<api::EmbeddedResolverRow> read(const api::Target& target,
                                                        std::vector<ExternalServer> noted, Output& output);
    /// For `run`, after read(): the target's networks, where the engine says that all of them are internal;
    /// empty where it does not, or says nothing within a second.
    [[nodiscard]] std::vector<std::string> internal_networks(const api::Target& target, Output& output);
    /// After read(): the engine answered.
    [[nodiscard]] bool engine_answers() const { return engine_answers_; }

  private:
    explicit DockerResolver(EmbeddedResolver embedded) : embedded_(std::move(embedded)) {}
    [[nodiscard]] std::optional<ContainerDns> ask_engine(const api::Target& target, Output& output);

    EmbeddedResolver embedded_;
    std::vector<UniqueFd> engines_;  ///< that take connections
    std::optional<DockerProcess> process_;
    bool engine_answers_ = false;
};

}  // namespace netlab::operations
