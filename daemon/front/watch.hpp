#pragma once

#include "daemon/front/engine_watch.hpp"
#include "daemon/front/own_workers.hpp"
#include "daemon/front/waiters.hpp"
#include "daemon/targets/registry.hpp"

#include <list>
#include <string>
#include <vector>

namespace netlab::front {

/// Keeps the registry warm by the daemon's own workers: one that follows each engine (EngineWatch), one that
/// follows the named namespaces, and short ones that inspect and identify what those say has changed. No
/// timer runs while nothing happens.
class Watch {
  public:
    /// All of it outlives this object, and this object the executor's last handler.
    Watch(asio::any_io_executor executor, Workers& workers, targets::Registry& registry);

    void follow_engine(targets::Engine engine);
    void follow_namespaces(std::vector<std::string> directories);

    /// Within three seconds of the start: until every engine has said what it has, or that it is down. Later
    /// at once.
    asio::awaitable<void> first_snapshot();

  private:
    void identify();
    asio::awaitable<void> run_identifications();
    asio::awaitable<Result<void>> identify_once(std::vector<targets::Unidentified> batch);

    asio::awaitable<void> run_namespaces(std::vector<std::string> directories);
    asio::awaitable<Error> follow_once(std::vector<std::string> directories);

    void settle();

    Workers& workers_;
    OwnWorkers own_;
    targets::Registry& registry_;
    std::list<EngineWatch> engines_;
    bool identifying_ = false;
    bool namespaces_known_ = true;  ///< until there is one to follow
    bool settled_ = false;
    std::chrono::steady_clock::time_point settled_by_;
    Waiters settling_;
};

}  // namespace netlab::front
