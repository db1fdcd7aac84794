#pragma once

#include "common/api/catalogue.hpp"
#include "common/api/context.hpp"
#include "common/binary.hpp"
#include "daemon/front/workers.hpp"

#include <exception>

#include <boost/asio/co_spawn.hpp>

namespace netlab::front {

/// How the daemon starts workers of its own, and the coroutines that listen to them.
class OwnWorkers {
  public:
    /// Both outlive this object.
    OwnWorkers(asio::any_io_executor executor, Workers& workers)
        : executor_(std::move(executor)), workers_(workers) {}

    /// errc as Workers::start(). `deadline_ms` 0: it runs until it is dropped.
    template <class Request>
    asio::awaitable<Result<std::unique_ptr<Worker>>> start(
        Request request, std::uint32_t deadline_ms,
        std::vector<launcher::NamespaceReference> namespaces = {}) {
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

    /// Whatever it refers to outlives the executor's last handler.
    void spawn(asio::awaitable<void> work) {
        asio::co_spawn(executor_, std::move(work), [](const std::exception_ptr& exception) {
            // Without its watchers the registry would go stale in silence: the supervisor's restart is the
            // cure.
            if (exception) std::rethrow_exception(exception);
        });
    }

  private:
    asio::any_io_executor executor_;
    Workers& workers_;
};

/// For the log: with what the worker itself said.
[[nodiscard]] std::string words_of(const Error& error);

}  // namespace netlab::front
