#pragma once

#include "daemon/front/waiters.hpp"
#include "daemon/front/workers.hpp"
#include "daemon/targets/registry.hpp"

#include <list>
#include <set>
#include <string>
#include <vector>

namespace netlab::front {

/// How long to wait before something that ended is started anew: not at all where it had lived, nor the first
/// time that it had not; then 0.1 s, doubled up to 5 s.
class Backoff {
  public:
    /// What lived as long as `lively` did not end at once.
    explicit Backoff(std::chrono::milliseconds lively) : lively_(lively) {}
    [[nodiscard]] std::chrono::milliseconds after(std::chrono::milliseconds lived);

  private:
    std::chrono::milliseconds lively_;
    unsigned quick_ends_ = 0;
};

/// Keeps the registry warm by the daemon's own workers: one that follows each engine, one that follows the
/// named namespaces, and short ones that inspect and identify what those say has changed. No timer runs while
/// nothing happens. An engine that hangs holds up nothing but its own containers' changes.
class Watch {
  public:
    /// All of it outlives this object, and this object the executor's last handler.
    Watch(asio::any_io_executor executor, Workers& workers, targets::Registry& registry);

    void follow_engine(targets::Engine engine);
    void follow_namespaces(std::vector<std::string> directories);

    /// Within a second of the start: until every engine has said what it has, or that it is down. Later at
    /// once.
    asio::awaitable<void> first_snapshot();

  private:
    struct Followed {
        explicit Followed(targets::Engine its_engine) : engine(std::move(its_engine)) {}
        targets::Engine engine;
        bool up = false;
        bool known = false;         ///< it is down, or its first snapshot is in the registry
        bool all = false;           ///< to inspect: everything
        std::set<std::string> ids;  ///< to inspect: these
        std::set<std::string>
            removed;  ///< since the inspection under way began, so that it does not bring them back
        bool inspecting = false;
        Worker* inspector = nullptr;
        Waiters retry;
        std::string why_down;
    };

    asio::awaitable<void> run_engine(Followed& engine);
    asio::awaitable<Error> follow(Followed& engine);
    void take(Followed& engine, api::EngineRecord record);
    void down(Followed& engine, std::string why);

    void inspect(Followed& engine);
    asio::awaitable<void> run_inspections(Followed& engine);
    asio::awaitable<Result<void>> inspect_once(Followed& engine, api::InspectEngineRequest request);

    void identify();
    asio::awaitable<void> run_identifications();
    asio::awaitable<Result<void>> identify_once(std::vector<targets::Unidentified> batch);

    asio::awaitable<void> run_namespaces(std::vector<std::string> directories);
    asio::awaitable<Error> follow_once(std::vector<std::string> directories);

    template <class Request>
    asio::awaitable<Result<std::unique_ptr<Worker>>> start(
        Request request, std::uint32_t deadline_ms,
        std::vector<launcher::NamespaceReference> namespaces = {});
    void spawn(asio::awaitable<void> work);
    void settle();

    asio::any_io_executor executor_;
    Workers& workers_;
    targets::Registry& registry_;
    std::list<Followed> engines_;
    bool identifying_ = false;
    bool namespaces_known_ = true;  ///< until there is one to follow
    bool settled_ = false;
    std::chrono::steady_clock::time_point settled_by_;
    Waiters settling_;
};

}  // namespace netlab::front
