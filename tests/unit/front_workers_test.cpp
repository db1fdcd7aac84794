#include "common/descriptor_message.hpp"
#include "daemon/front/workers.hpp"
#include "tests/support/catch.hpp"

#include <cstring>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::front;
using namespace std::chrono_literals;

namespace {

/// The launcher's end of the channel, played by the test.
class Channel {
  public:
    Channel() {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
        own_.reset(ends[0]);
        fronts.reset(ends[1]);
    }

    /// The descriptor that comes with the next packet.
    [[nodiscard]] UniqueFd take_stream() const {
        char bytes[65'536];
        iovec part{bytes, sizeof bytes};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        if (::recvmsg(own_.get(), &message, MSG_CMSG_CLOEXEC) <= 0) return {};
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
        return UniqueFd(descriptor);
    }

    void say_started(std::uint64_t id, pid_t worker) const {
        const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, worker, 0)));
        launcher::Notice notice;
        notice.kind = launcher::NoticeKind::started;
        notice.id = id;
        notice.value = worker;
        CHECK(send_with_descriptor(own_.get(), std::as_bytes(std::span(&notice, 1)), pidfd.get(),
                                   MSG_NOSIGNAL) > 0);
    }

    UniqueFd fronts;

  private:
    UniqueFd own_;
};

asio::awaitable<void> read_it(Workers& workers, std::optional<Error>& why) {
    Job job;
    job.operation = 1;
    job.deadline_ms = 100;
    auto worker = co_await workers.start(std::move(job), 7);
    if (!worker) {
        why = worker.error();
        co_return;
    }
    char byte = 0;
    static_cast<void>(co_await (*worker)->stream().async_read_some(asio::buffer(&byte, 1), awaiting));
    why = co_await (*worker)->why_it_ended(1s);
}

}  // namespace

TEST_CASE("front workers: one that outlives its deadline is ended by the front", "[unit]") {
    const pid_t process = ::fork();
    if (process == 0) {
        for (;;)
            ::pause();
    }
    Channel channel;
    asio::io_context loop;
    Workers workers(loop.get_executor(), std::move(channel.fronts));
    std::optional<Error> why;
    asio::co_spawn(loop, read_it(workers, why), asio::detached);
    const auto begin = std::chrono::steady_clock::now();
    loop.run_for(50ms);
    // Held as long as the worker would hold it: its stream does not end.
    const auto stream = channel.take_stream();
    channel.say_started(7, process);
    while (!why && std::chrono::steady_clock::now() - begin < 5s)
        loop.run_for(50ms);
    REQUIRE(why);
    CHECK(why->code == errc::timed_out);
    CHECK(why->message == "the operation took longer than 100 ms");
    int status = 0;
    CHECK(::waitpid(process, &status, 0) == process);
    CHECK(WTERMSIG(status) == SIGKILL);
}
