#include "daemon/front/watch.hpp"

#include "common/api/catalogue.hpp"
#include "common/api/context.hpp"
#include "daemon/front/audit.hpp"
#include "daemon/front/records.hpp"
#include "daemon/front/references.hpp"

#include <algorithm>
#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <spdlog/spdlog.h>

namespace netlab::front {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

constexpr std::chrono::seconds snapshot_patience{1};
constexpr milliseconds engine_lively{1000};
constexpr milliseconds namespaces_lively{50};
/// An engine that takes longer hangs. Its inspection costs nothing but an idle process meanwhile.
constexpr std::uint32_t inspect_deadline_ms = 30'000;
constexpr std::uint32_t identify_deadline_ms = 5'000;
constexpr std::size_t ids_at_once = 256;

milliseconds since(Clock::time_point start) {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

/// For the log: with what the worker itself said.
std::string words_of(const Error& error) {
    return error.details.empty() ? error.message : error.message + ": " + error.details.front();
}

std::string_view runtime_name(const targets::Engine& engine) {
    return described::enumerator_name(engine.runtime);
}

}  // namespace

milliseconds Backoff::after(milliseconds lived) {
    constexpr milliseconds first{100};
    constexpr milliseconds longest{5'000};
    if (lived >= lively_) {
        quick_ends_ = 0;
        return milliseconds(0);
    }
    if (quick_ends_++ == 0) return milliseconds(0);
    return std::min(longest, first * (1 << std::min(quick_ends_ - 2, 6U)));
}

Watch::Watch(asio::any_io_executor executor, Workers& workers, targets::Registry& registry)
    : executor_(std::move(executor)),
      workers_(workers),
      registry_(registry),
      settled_by_(Clock::now() + snapshot_patience) {}

void Watch::follow_engine(targets::Engine engine) {
    spawn(run_engine(engines_.emplace_back(std::move(engine))));
}

void Watch::follow_namespaces(std::vector<std::string> directories) {
    namespaces_known_ = false;
    spawn(run_namespaces(std::move(directories)));
}

asio::awaitable<void> Watch::first_snapshot() {
    settle();
    if (settled_) co_return;
    co_await settling_.wait(settled_by_);
    settled_ = true;
}

void Watch::settle() {
    if (settled_) return;
    const bool known = namespaces_known_ && !identifying_ &&
                       std::ranges::all_of(engines_, [](const Followed& engine) { return engine.known; });
    if (!known && Clock::now() < settled_by_) return;
    settled_ = true;
    settling_.wake();
}

void Watch::spawn(asio::awaitable<void> work) {
    asio::co_spawn(executor_, std::move(work), [](const std::exception_ptr& exception) {
        // Without its watchers the registry would go stale in silence: the supervisor's restart is the cure.
        if (exception) std::rethrow_exception(exception);
    });
}

template <class Request>
asio::awaitable<Result<std::unique_ptr<Worker>>> Watch::start(
    Request request, std::uint32_t deadline_ms, std::vector<launcher::NamespaceReference> namespaces) {
    Job job;
    job.operation = api::operation_number<Request>();
    job.namespaces = std::move(namespaces);
    api::Order<Request> order;
    order.request = std::move(request);
    job.request = binary::encode(order);
    job.deadline_ms = deadline_ms;
    const auto id = workers_.next_id();
    return workers_.start(std::move(job), id);
}

// --- one engine

asio::awaitable<void> Watch::run_engine(Followed& engine) {
    Backoff backoff(engine_lively);
    Waiters nobody;
    for (;;) {
        const auto start = Clock::now();
        const auto error = co_await follow(engine);
        down(engine, error.message);
        for (const auto& detail : error.details)
            spdlog::warn("op=watch_engine target={}:{} {}", runtime_name(engine.engine), engine.engine.socket,
                         printable(detail));
        const auto pause = backoff.after(since(start));
        if (pause.count() > 0) co_await nobody.wait(Clock::now() + pause);
    }
}

asio::awaitable<Error> Watch::follow(Followed& engine) {
    api::WatchEngineRequest request{engine.engine.runtime, engine.engine.socket};
    auto worker = co_await start(std::move(request), 0);
    if (!worker) co_return worker.error();
    Records records(**worker);
    for (;;) {
        auto record = co_await records.next<api::EngineRecord>();
        if (!record) co_return record.error();
        if (!*record) {
            const auto* why = engine.why_down.empty() ? "its watcher ended" : engine.why_down.c_str();
            co_return Error{errc::engine_unavailable, why, {}, {}};
        }
        take(engine, std::move(**record));
    }
}

void Watch::take(Followed& engine, api::EngineRecord record) {
    switch (record.kind) {
        case api::EngineRecordKind::up:
            spdlog::info("op=watch_engine target={}:{} up", runtime_name(engine.engine),
                         engine.engine.socket);
            engine.up = true;
            engine.why_down.clear();
            engine.all = true;
            registry_.set_state(engine.engine, {true, {}});
            // One that asked before may hang on a connection to an engine that is no more.
            if (engine.inspector != nullptr) {
                engine.inspector->stop({errc::engine_unavailable, "the engine was restarted", {}, {}});
            }
            break;
        case api::EngineRecordKind::down:
            down(engine, std::move(record.message));
            return;
        case api::EngineRecordKind::container_changed:
            engine.ids.insert(std::move(record.container));
            break;
        case api::EngineRecordKind::container_removed:
            registry_.remove(record.container);
            engine.ids.erase(record.container);
            if (engine.inspecting) engine.removed.insert(std::move(record.container));
            return;
        case api::EngineRecordKind::networks_changed:
            engine.all = true;
            break;
    }
    engine.retry.wake();  // it speaks: an inspection that failed may be tried again
    inspect(engine);
}

void Watch::down(Followed& engine, std::string why) {
    const bool news = engine.up || !engine.known || engine.why_down != why;
    if (news) {
        spdlog::info("op=watch_engine target={}:{} down: {}", runtime_name(engine.engine),
                     engine.engine.socket, printable(why));
    }
    engine.up = false;
    engine.known = true;
    engine.why_down = std::move(why);
    registry_.set_state(engine.engine, {false, engine.why_down});
    if (engine.inspector != nullptr)
        engine.inspector->stop({errc::engine_unavailable, "the engine is down", {}, {}});
    engine.retry.wake();
    settle();
}

// --- what its containers are

void Watch::inspect(Followed& engine) {
    if (engine.inspecting) return;
    engine.inspecting = true;
    spawn(run_inspections(engine));
}

asio::awaitable<void> Watch::run_inspections(Followed& engine) {
    Backoff backoff(milliseconds::max());
    while (engine.up && (engine.all || !engine.ids.empty())) {
        api::InspectEngineRequest request{engine.engine.runtime, engine.engine.socket, engine.all, {}};
        if (engine.all) {
            engine.ids.clear();
        } else {
            while (request.containers.size() < ids_at_once && !engine.ids.empty()) {
                request.containers.push_back(std::move(engine.ids.extract(engine.ids.begin()).value()));
            }
        }
        engine.all = false;
        engine.removed.clear();
        const auto done = co_await inspect_once(engine, request);
        identify();
        if (done) {
            backoff = Backoff(milliseconds::max());
            if (request.all) engine.known = true;
            settle();
            continue;
        }
        // What was not learnt is still to be learnt, unless it is no more.
        engine.all = engine.all || request.all;
        for (auto& id : request.containers) {
            if (!engine.removed.contains(id)) engine.ids.insert(std::move(id));
        }
        if (!engine.up) break;
        spdlog::debug("op=inspect_engine target={}:{} failed: {}", runtime_name(engine.engine),
                      engine.engine.socket, printable(words_of(done.error())));
        const auto pause = backoff.after(milliseconds(0));
        if (pause.count() > 0) co_await engine.retry.wait(Clock::now() + pause);
    }
    engine.inspecting = false;
}

asio::awaitable<Result<void>> Watch::inspect_once(Followed& engine, api::InspectEngineRequest request) {
    const bool all = request.all;
    auto worker = co_await start(std::move(request), inspect_deadline_ms);
    if (!worker) co_return worker.error();
    struct Current {
        Followed& followed;
        Current(Followed& its_followed, Worker* inspector) : followed(its_followed) {
            followed.inspector = inspector;
        }
        ~Current() { followed.inspector = nullptr; }
    };
    const Current current(engine, worker->get());
    Records records(**worker);
    std::vector<api::ContainerRecord> snapshot;
    for (;;) {
        auto record = co_await records.next<api::ContainerRecord>();
        if (!record) co_return record.error();
        if (!*record) break;
        if (engine.removed.contains((*record)->target.id)) continue;
        if (all) {
            snapshot.push_back(std::move(**record));
        } else {
            registry_.apply(engine.engine, **record);
        }
    }
    if (all) {
        std::erase_if(snapshot,
                      [&](const auto& record) { return engine.removed.contains(record.target.id); });
        registry_.replace(engine.engine, snapshot);
    }
    co_return Result<void>();
}

// --- which namespaces they live in

void Watch::identify() {
    if (identifying_) return;
    identifying_ = true;
    spawn(run_identifications());
}

asio::awaitable<void> Watch::run_identifications() {
    Backoff backoff(milliseconds::max());
    Waiters nobody;
    for (;;) {
        auto batch = registry_.take_unidentified(launcher::most_targets);
        if (batch.empty()) break;
        const auto done = co_await identify_once(std::move(batch));
        if (done) {
            backoff = Backoff(milliseconds::max());
            continue;
        }
        spdlog::warn("op=identify failed: {}", printable(words_of(done.error())));
        const auto pause = backoff.after(milliseconds(0));
        if (pause.count() > 0) co_await nobody.wait(Clock::now() + pause);
    }
    identifying_ = false;
    settle();
}

asio::awaitable<Result<void>> Watch::identify_once(std::vector<targets::Unidentified> batch) {
    api::IdentifyRequest request;
    std::vector<launcher::NamespaceReference> references;
    for (const auto& one : batch) {
        // Never identified where it cannot even be named to the launcher.
        const auto reference = launcher_reference(one.reference);
        if (!reference) continue;
        request.ids.push_back(one.key);
        references.push_back(*reference);
    }
    if (references.empty()) co_return Result<void>();
    std::set<std::string> open(request.ids.begin(), request.ids.end());
    auto worker = co_await start(std::move(request), identify_deadline_ms, std::move(references));
    Result<void> result;
    if (worker) {
        Records records(**worker);
        for (;;) {
            auto record = co_await records.next<api::NamespaceRecord>();
            if (!record) result = record.error();
            if (!record || !*record) break;
            // A key that was not asked for would be a lie about somebody else's container.
            if (open.erase((*record)->id) > 0) registry_.apply(**record);
        }
    } else {
        result = worker.error();
    }
    if (!result) {
        for (const auto& key : open)
            registry_.identify_again(key);
    }
    co_return result;
}

// --- named namespaces and the host

asio::awaitable<void> Watch::run_namespaces(std::vector<std::string> directories) {
    Backoff backoff(namespaces_lively);
    Waiters nobody;
    for (;;) {
        const auto start = Clock::now();
        const auto error = co_await follow_once(directories);
        const auto pause = backoff.after(since(start));
        if (pause.count() == 0) continue;
        spdlog::warn("op=watch_namespaces ended at once: {}", printable(words_of(error)));
        namespaces_known_ = true;
        settle();
        co_await nobody.wait(Clock::now() + pause);
    }
}

asio::awaitable<Error> Watch::follow_once(std::vector<std::string> directories) {
    api::WatchNamespacesRequest request{std::move(directories)};
    auto worker = co_await start(std::move(request), 0);
    if (!worker) co_return worker.error();
    registry_.begin_namespaces();
    Records records(**worker);
    for (;;) {
        auto record = co_await records.next<api::NamespaceRecord>();
        if (!record) co_return record.error();
        if (!*record) co_return Error{errc::operation_failed, "something changed again and again", {}, {}};
        registry_.apply(**record);
        if (!(*record)->complete) continue;
        workers_.end_of_names([this](const auto& path, auto device, auto inode) {
            return registry_.has_named(path, device, inode);
        });
        namespaces_known_ = true;
        settle();
    }
}

}  // namespace netlab::front
