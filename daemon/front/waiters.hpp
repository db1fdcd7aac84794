#pragma once

#include "daemon/front/asio.hpp"

#include <list>

#include <boost/asio/steady_timer.hpp>

namespace netlab::front {

/// Coroutines that wait for the same event, each with its own deadline. No timer runs while nobody waits.
class Waiters {
  public:
    /// Until wake() or `until`, whichever comes first. This object outlives the wait.
    asio::awaitable<void> wait(std::chrono::steady_clock::time_point until) {
        asio::steady_timer timer(co_await asio::this_coro::executor, until);
        const Place place(timers_, timer);
        co_await timer.async_wait(awaiting);
    }

    void wake() {
        for (auto* timer : timers_)
            timer->cancel();
    }

  private:
    using Timers = std::list<asio::steady_timer*>;

    /// Leaves the list also where the coroutine is destroyed in the middle.
    class Place {
      public:
        Place(Timers& timers, asio::steady_timer& timer)
            : timers_(timers), at_(timers.insert(timers.end(), &timer)) {}
        ~Place() { timers_.erase(at_); }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;

      private:
        Timers& timers_;
        Timers::iterator at_;
    };

    Timers timers_;
};

}  // namespace netlab::front
