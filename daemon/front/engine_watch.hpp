#pragma once

#include "common/api/watch.hpp"
#include "daemon/front/own_workers.hpp"
#include "daemon/front/waiters.hpp"
#include "daemon/targets/registry.hpp"

#include <functional>
#include <set>
#include <string>

namespace netlab::front {

/// Keeps the registry's containers of one engine as they are: a worker follows its events, and short ones
/// inspect what those say has changed. An engine that hangs holds up nothing but its own containers' changes.
class EngineWatch {
  public:
    struct Listener {
        std::function<void()> inspected;  ///< the registry may have containers without an identity now
        std::function<void()> settled;    ///< it may be known() now
    };

    /// All of it outlives this object, and this object the executor's last handler.
    EngineWatch(OwnWorkers& workers, targets::Registry& registry, targets::Engine engine, Listener listener);

    void begin();

    /// It is down, or its first snapshot is in the registry.
    [[nodiscard]] bool known() const { return known_; }

  private:
    asio::awaitable<void> run();
    asio::awaitable<Error> follow();
    void take(api::EngineRecord record);
    void down(std::string why);

    void inspect();
    asio::awaitable<void> run_inspections();
    [[nodiscard]] api::InspectEngineRequest next_inspection();
    asio::awaitable<Result<void>> inspect_once(api::InspectEngineRequest request);

    [[nodiscard]] std::string label() const;  ///< "docker:/run/docker.sock"

    OwnWorkers& workers_;
    targets::Registry& registry_;
    targets::Engine engine_;
    Listener listener_;
    bool up_ = false;
    bool known_ = false;
    std::string why_down_;

    bool all_ = false;           ///< to inspect: everything
    std::set<std::string> ids_;  ///< to inspect: these
    /// Since the inspection under way began, so that it does not bring them back.
    std::set<std::string> removed_;
    bool inspecting_ = false;
    Worker* inspector_ = nullptr;
    Waiters retry_;
};

}  // namespace netlab::front
