#pragma once

#include "common/api/context.hpp"
#include "common/api/networks.hpp"
#include "daemon/operations/operation.hpp"

namespace netlab::operations {

/// What an engine may cost at most.
inline constexpr std::chrono::seconds engine_patience{2};

/// Networks as an engine says them, without findings. Whatever the JSON holds, nothing is thrown.
namespace engine_json {

/// Of GET /networks/ID. errc::protocol_error where it is no object with an ID and a name.
[[nodiscard]] Result<api::NetworkRow> parse_network(std::string_view body, api::Runtime runtime);

/// Of GET /networks; rows without an ID are left out. errc::protocol_error where it is no array.
[[nodiscard]] Result<std::vector<api::NetworkRow>> parse_networks(std::string_view body,
                                                                  api::Runtime runtime);

/// Of GET /containers/ID/json: State.Running.
[[nodiscard]] bool parse_running(std::string_view body);

/// Podman's own GET /libpod/networks/json has the bridges' names, and the networks' as Podman has them: they
/// are put into the rows of the same ID.
void take_libpod_names(std::string_view body, std::vector<api::NetworkRow>& networks);

}  // namespace engine_json

/// The engines of Context::engines, connected to in `prepare`.
class Engines {
  public:
    Engines(Namespaces& namespaces, const api::Context& context);

    [[nodiscard]] std::size_t size() const { return engines_.size(); }
    [[nodiscard]] api::Runtime runtime(std::size_t i) const { return engines_[i].runtime; }
    /// It is configured, but its socket does not exist, and nothing of it is known: it is not there to be
    /// asked.
    [[nodiscard]] bool absent(std::size_t i) const { return engines_[i].absent; }
    /// How a failure of it is named: "docker".
    [[nodiscard]] std::string name(std::size_t i) const;

    /// Its networks, with `members` each with its members, engine_patience at most. errc as EngineConnection.
    [[nodiscard]] Result<std::vector<api::NetworkRow>> networks(std::size_t i, bool members, Output& output);

    /// Whether it says that a container of that ID runs now; false where there is none. errc as
    /// EngineConnection.
    [[nodiscard]] Result<bool> runs(std::size_t i, const std::string& id, Output& output);

  private:
    struct Engine {
        api::Runtime runtime = api::Runtime::docker;
        std::string socket_path;
        Result<UniqueFd> socket{UniqueFd()};
        bool absent = false;
    };
    std::vector<Engine> engines_;
};

}  // namespace netlab::operations
