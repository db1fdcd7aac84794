#include "daemon/front/front.hpp"

#include "daemon/front/seccomp.hpp"
#include "daemon/front/server.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <system_error>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

namespace netlab::front {

namespace {

using Descriptor = asio::posix::stream_descriptor;

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// Whose coroutines can be destroyed while what they use is still there.
class Loop : public asio::io_context {
  public:
    Loop() : asio::io_context(1) {}
    using asio::execution_context::shutdown;
};

/// SIGTERM as a descriptor. Ctrl-C in a terminal reaches every process of the daemon: what comes of it is the
/// supervisor's.
UniqueFd terminations() {
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGINT, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (::sigprocmask(SIG_SETMASK, &set, nullptr) != 0) fail("sigprocmask");
    UniqueFd descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!descriptor) fail("signalfd");
    return descriptor;
}

/// As many as the hard limit gives, up to what the connections can use.
Limits take_descriptors() {
    constexpr rlim_t enough = 2048;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
    if (limit.rlim_cur < enough) {
        limit.rlim_cur = std::min(enough, limit.rlim_max);
        if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
    }
    return Limits::for_descriptors(limit.rlim_cur);
}

/// The descriptor that one message brings; empty where the message brings none. nullopt at the end of the
/// channel.
std::optional<UniqueFd> receive_descriptor(int channel, bool& again) {
    char byte = 0;
    iovec part{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const auto size = ::recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    again = size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    if (size <= 0) return std::nullopt;
    const auto* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return UniqueFd();
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    return UniqueFd(descriptor);
}

class Front {
  public:
    Front(Options options, UniqueFd listener, UniqueFd launcher_channel, UniqueFd supervisor_channel)
        : options_(std::move(options)),
          quotas_(options_.quota),
          workers_(loop_.get_executor(), std::move(launcher_channel)),
          watch_(loop_.get_executor(), workers_, registry_),
          server_(loop_.get_executor(), std::move(listener),
                  Service{options_.access, registry_, workers_, watch_, quotas_}, take_descriptors()),
          supervisor_(loop_, supervisor_channel.release()),
          terminations_(loop_, terminations().release()),
          deadline_(loop_) {}

    ~Front() { loop_.shutdown(); }
    Front(const Front&) = delete;
    Front& operator=(const Front&) = delete;

    int serve() {
        spawn(follow_supervisor());
        spawn(follow_terminations());
        for (const auto& engine : options_.engines)
            watch_.follow_engine({engine.runtime, engine.socket});
        watch_.follow_namespaces(options_.namespace_directories);
        server_.start();
        loop_.run();
        return status_;
    }

  private:
    void spawn(asio::awaitable<void> work) {
        asio::co_spawn(loop_, std::move(work), [](const std::exception_ptr& exception) {
            if (exception) std::rethrow_exception(exception);
        });
    }

    asio::awaitable<void> follow_supervisor() {
        for (;;) {
            const auto [error] = co_await supervisor_.async_wait(Descriptor::wait_read, awaiting);
            if (error) co_return;
            bool again = false;
            auto channel = receive_descriptor(supervisor_.native_handle(), again);
            if (again) continue;
            if (!channel) break;
            if (!*channel) {
                ::send(supervisor_.native_handle(), "P", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
                continue;
            }
            spdlog::info("a new launcher is there");
            workers_.replace(std::move(*channel));
        }
        spdlog::error("the supervisor is gone: ending");
        status_ = 1;
        loop_.stop();
    }

    asio::awaitable<void> follow_terminations() {
        for (bool first = true;; first = false) {
            const auto [error] = co_await terminations_.async_wait(Descriptor::wait_read, awaiting);
            if (error) co_return;
            signalfd_siginfo ignored;
            while (::read(terminations_.native_handle(), &ignored, sizeof ignored) > 0) {
            }
            // A second one is from somebody who does not want to wait.
            if (first) {
                spawn(drain());
            } else {
                deadline_.cancel();
            }
        }
    }

    asio::awaitable<void> drain() {
        constexpr std::chrono::seconds last_words{1};
        spdlog::info("draining: {} connections", server_.sessions());
        deadline_.expires_after(options_.drain);
        server_.drain([this] { loop_.stop(); });
        co_await deadline_.async_wait(awaiting);
        spdlog::warn("{} connections are ended", server_.sessions());
        server_.cut();
        deadline_.expires_after(last_words);
        co_await deadline_.async_wait(awaiting);
        loop_.stop();
    }

    Options options_;
    Loop loop_;
    targets::Registry registry_;
    Quotas quotas_;
    Workers workers_;
    Watch watch_;
    Server server_;
    Descriptor supervisor_;
    Descriptor terminations_;
    asio::steady_timer deadline_;
    int status_ = 0;
};

}  // namespace

int run(Options options, UniqueFd listener, UniqueFd launcher_channel, UniqueFd supervisor_channel) {
    open_log(options.level);
    spdlog::info("serving, socket group {}", options.socket_group.empty() ? "not set" : options.socket_group);
    Front front(std::move(options), std::move(listener), std::move(launcher_channel),
                std::move(supervisor_channel));
    restrict_system_calls();
    return front.serve();
}

}  // namespace netlab::front
