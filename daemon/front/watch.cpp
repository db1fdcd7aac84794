#include "daemon/front/watch.hpp"

#include "daemon/front/audit.hpp"
#include "daemon/front/backoff.hpp"
#include "daemon/front/records.hpp"
#include "daemon/front/references.hpp"

#include <algorithm>
#include <set>

#include <spdlog/spdlog.h>

namespace netlab::front {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

constexpr std::chrono::seconds snapshot_patience{3};
constexpr milliseconds namespaces_lively{50};
constexpr std::uint32_t identify_deadline_ms = 5'000;

}  // namespace

Watch::Watch(asio::any_io_executor executor, Workers& workers, targets::Registry& registry)
    : workers_(workers),
      own_(std::move(executor), workers),
      registry_(registry),
      settled_by_(Clock::now() + snapshot_patience) {}

void Watch::follow_engine(targets::Engine engine) {
    EngineWatch::Listener listener{[this] { identify(); }, [this] { settle(); }};
    engines_.emplace_back(own_, registry_, std::move(engine), std::move(listener)).begin();
}

void Watch::follow_namespaces(std::vector<std::string> directories) {
    namespaces_known_ = false;
    own_.spawn(run_namespaces(std::move(directories)));
}

asio::awaitable<void> Watch::first_snapshot() {
    settle();
    if (settled_) co_return;
    co_await settling_.wait(settled_by_);
    settled_ = true;
}

void Watch::settle() {
    if (settled_) return;
    const bool known =
        namespaces_known_ && !identifying_ && std::ranges::all_of(engines_, &EngineWatch::known);
    if (!known && Clock::now() < settled_by_) return;
    settled_ = true;
    settling_.wake();
}

// --- which namespaces they live in

void Watch::identify() {
    if (identifying_) return;
    identifying_ = true;
    own_.spawn(run_identifications());
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
    auto worker = co_await own_.start(std::move(request), identify_deadline_ms, std::move(references));
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
        const auto pause = backoff.after(std::chrono::duration_cast<milliseconds>(Clock::now() - start));
        if (pause.count() == 0) continue;
        spdlog::warn("op=watch_namespaces ended at once: {}", printable(words_of(error)));
        namespaces_known_ = true;
        settle();
        co_await nobody.wait(Clock::now() + pause);
    }
}

asio::awaitable<Error> Watch::follow_once(std::vector<std::string> directories) {
    api::WatchNamespacesRequest request{std::move(directories)};
    auto worker = co_await own_.start(std::move(request), 0);
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
