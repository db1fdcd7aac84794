#include "daemon/front/engine_watch.hpp"

#include "daemon/front/audit.hpp"
#include "daemon/front/backoff.hpp"
#include "daemon/front/records.hpp"

#include <spdlog/spdlog.h>

namespace netlab::front {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds lively{1000};
/// An engine that takes longer hangs. Its inspection costs nothing but an idle process meanwhile.
constexpr std::uint32_t inspect_deadline_ms = 30'000;
constexpr std::size_t ids_at_once = 256;

}  // namespace

EngineWatch::EngineWatch(OwnWorkers& workers, targets::Registry& registry, targets::Engine engine,
                         Listener listener)
    : workers_(workers), registry_(registry), engine_(std::move(engine)), listener_(std::move(listener)) {}

void EngineWatch::begin() {
    workers_.spawn(run());
}

std::string EngineWatch::label() const {
    return std::string(described::enumerator_name(engine_.runtime)) + ":" + engine_.socket;
}

// --- what it says

asio::awaitable<void> EngineWatch::run() {
    Backoff backoff(lively);
    Waiters nobody;
    for (;;) {
        const auto start = Clock::now();
        const auto error = co_await follow();
        down(error.message);
        for (const auto& detail : error.details)
            spdlog::warn("op=watch_engine target={} {}", label(), printable(detail));
        const auto lived = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
        const auto pause = backoff.after(lived);
        if (pause.count() > 0) co_await nobody.wait(Clock::now() + pause);
    }
}

asio::awaitable<Error> EngineWatch::follow() {
    api::WatchEngineRequest request{engine_.runtime, engine_.socket};
    auto worker = co_await workers_.start(std::move(request), 0);
    if (!worker) co_return worker.error();
    Records records(**worker);
    for (;;) {
        auto record = co_await records.next<api::EngineRecord>();
        if (!record) co_return record.error();
        if (!*record) {
            const auto* why = why_down_.empty() ? "its watcher ended" : why_down_.c_str();
            co_return Error{errc::engine_unavailable, why, {}, {}};
        }
        take(std::move(**record));
    }
}

void EngineWatch::take(api::EngineRecord record) {
    switch (record.kind) {
        case api::EngineRecordKind::up:
            spdlog::info("op=watch_engine target={} up", label());
            up_ = true;
            why_down_.clear();
            all_ = true;
            registry_.set_state(engine_, {true, {}});
            // One that asked before may hang on a connection to an engine that is no more.
            if (inspector_ != nullptr)
                inspector_->stop({errc::engine_unavailable, "the engine was restarted", {}, {}});
            break;
        case api::EngineRecordKind::down:
            down(std::move(record.message));
            return;
        case api::EngineRecordKind::container_changed:
            ids_.insert(std::move(record.container));
            break;
        case api::EngineRecordKind::container_removed:
            registry_.remove(record.container);
            ids_.erase(record.container);
            if (inspecting_) removed_.insert(std::move(record.container));
            return;
        case api::EngineRecordKind::networks_changed:
            all_ = true;
            break;
    }
    retry_.wake();  // it speaks: an inspection that failed may be tried again
    inspect();
}

void EngineWatch::down(std::string why) {
    const bool news = up_ || !known_ || why_down_ != why;
    if (news) spdlog::info("op=watch_engine target={} down: {}", label(), printable(why));
    up_ = false;
    known_ = true;
    why_down_ = std::move(why);
    registry_.set_state(engine_, {false, why_down_});
    if (inspector_ != nullptr) inspector_->stop({errc::engine_unavailable, "the engine is down", {}, {}});
    retry_.wake();
    listener_.settled();
}

// --- what its containers are

void EngineWatch::inspect() {
    if (inspecting_) return;
    inspecting_ = true;
    workers_.spawn(run_inspections());
}

asio::awaitable<void> EngineWatch::run_inspections() {
    Backoff backoff(milliseconds::max());
    while (up_ && (all_ || !ids_.empty())) {
        auto request = next_inspection();
        removed_.clear();
        const auto done = co_await inspect_once(request);
        listener_.inspected();
        if (done) {
            backoff = Backoff(milliseconds::max());
            known_ = known_ || request.all;
            listener_.settled();
            continue;
        }
        // What was not learnt is still to be learnt, unless it is no more.
        all_ = all_ || request.all;
        for (auto& id : request.containers) {
            if (!removed_.contains(id)) ids_.insert(std::move(id));
        }
        if (!up_) break;
        spdlog::debug("op=inspect_engine target={} failed: {}", label(), printable(words_of(done.error())));
        const auto pause = backoff.after(milliseconds(0));
        if (pause.count() > 0) co_await retry_.wait(Clock::now() + pause);
    }
    inspecting_ = false;
}

api::InspectEngineRequest EngineWatch::next_inspection() {
    api::InspectEngineRequest request{engine_.runtime, engine_.socket, all_, {}};
    if (all_) ids_.clear();
    while (request.containers.size() < ids_at_once && !ids_.empty())
        request.containers.push_back(std::move(ids_.extract(ids_.begin()).value()));
    all_ = false;
    return request;
}

asio::awaitable<Result<void>> EngineWatch::inspect_once(api::InspectEngineRequest request) {
    const bool all = request.all;
    auto worker = co_await workers_.start(std::move(request), inspect_deadline_ms);
    if (!worker) co_return worker.error();
    struct Current {
        Worker*& inspector;
        Current(Worker*& place, Worker* worker_) : inspector(place) { inspector = worker_; }
        ~Current() { inspector = nullptr; }
    };
    const Current current(inspector_, worker->get());
    Records records(**worker);
    std::vector<api::ContainerRecord> snapshot;
    for (;;) {
        auto record = co_await records.next<api::ContainerRecord>();
        if (!record) co_return record.error();
        if (!*record) break;
        if (removed_.contains((*record)->target.id)) continue;
        if (all) {
            snapshot.push_back(std::move(**record));
        } else {
            registry_.apply(engine_, **record);
        }
    }
    if (all) {
        std::erase_if(snapshot, [&](const auto& record) { return removed_.contains(record.target.id); });
        registry_.replace(engine_, snapshot);
    }
    co_return Result<void>();
}

}  // namespace netlab::front
