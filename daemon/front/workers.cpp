#include "daemon/front/workers.hpp"

#include "common/descriptor_message.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/syscall.h>

namespace netlab::front {

using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds launcher_patience{1};
/// For a worker's own alarm to end it, and the launcher to tell.
constexpr std::chrono::seconds alarm_patience{1};
/// A launcher that has more to start than it has got to: 200 requests at once are seconds of forks on a slow
/// machine.
constexpr std::chrono::seconds backlog_patience{5};
/// A launcher answers in the order it was asked, behind what it has to start.
constexpr std::chrono::seconds peer_patience{30};

Error no_launcher() {
    return {errc::launcher_unavailable,
            "the daemon's launcher is not there just now",
            "it is being restarted: try again; if it lasts, see the log of netlabd",
            {}};
}

/// One packet with one descriptor: 0, or an errno.
int send_packet(int channel, std::span<const std::byte> packet, int descriptor) {
    while (send_with_descriptor(channel, packet, descriptor, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) return errno;
    }
    return 0;
}

asio::awaitable<void> writable(std::shared_ptr<asio::posix::stream_descriptor> channel) {
    co_await channel->async_wait(asio::posix::stream_descriptor::wait_write, awaiting);
}

asio::awaitable<void> sleep_until(Clock::time_point until) {
    asio::steady_timer timer(co_await asio::this_coro::executor, until);
    co_await timer.async_wait(awaiting);
}

}  // namespace

Worker::Worker(Workers& workers, std::uint64_t id, Socket stream, const Job& job, Quotas::Share share)
    : workers_(workers),
      id_(id),
      deadline_ms_(job.deadline_ms),
      stream_(std::move(stream)),
      share_(std::move(share)),
      noticed_(stream_.get_executor(), Clock::time_point::max()),
      overdue_(stream_.get_executor()) {
    // The first is where it runs; a path without a process is a name.
    if (!job.namespaces.empty()) {
        const auto& own = job.namespaces.front();
        if (own.way == launcher::Way::path && own.pid == 0 && own.inode != 0 && own.may_fail == 0)
            named_ = own;
    }
    workers_.workers_.emplace(id_, this);
}

Worker::~Worker() {
    workers_.workers_.erase(id_);  // a `started` that comes now finds nobody, and is answered by a kill
    if (!said_all_ && !ending_) workers_.dying_.emplace(id_, std::move(share_));
#ifdef NETLAB_SANITIZED
    // The leak check comes after the last frame; elsewhere even a worker that said `end` is not trusted to do
    // so.
    if (said_all_) return;
#endif
    kill();
}

void Worker::kill() const {
    if (!pidfd_ || (ending_ && ending_->kind == Ending::Kind::exited)) return;
    // One that has become another user cannot be signalled, but it sees its stream end, as this object does
    // with it.
    if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH) {
        spdlog::debug("req={:x} cannot kill the worker: {}", id_, std::strerror(errno));
    }
}

void Worker::stop(Error why) {
    if (stopped_) return;
    stopped_ = std::move(why);
    kill();
    boost::system::error_code ignored;
    stream_.shutdown(Socket::shutdown_both, ignored);
    stream_.cancel(ignored);
    noticed_.cancel();
}

void Worker::end_when_overdue() {
    if (deadline_ms_ == 0) return;
    overdue_.expires_after(std::chrono::milliseconds(deadline_ms_) + alarm_patience);
    overdue_.async_wait([workers = &workers_, id = id_](const boost::system::error_code& error) {
        if (error) return;
        const auto found = workers->workers_.find(id);
        // Of one that has ended the rest is read, however long that takes its client.
        if (found != workers->workers_.end() && !found->second->ending_ && !found->second->said_all_)
            found->second->stop(overdue_error(found->second->deadline_ms_));
    });
}

void Worker::finish() {
    boost::system::error_code ignored;
    stream_.shutdown(Socket::shutdown_send, ignored);
}

asio::awaitable<Error> Worker::why_it_ended(std::chrono::milliseconds patience) {
    if (!stopped_ && !ending_ && workers_.channel_) {
        noticed_.expires_after(patience);
        co_await noticed_.async_wait(awaiting);
    }
    if (stopped_) co_return *stopped_;
    auto ending = ending_.value_or(Ending{});
    if (!ending_ && !workers_.channel_) ending = {Ending::Kind::launcher_gone, pidfd_ ? 1 : 0};
    co_return ending_error(ending, deadline_ms_);
}

Workers::Workers(asio::any_io_executor executor, UniqueFd channel)
    : executor_(std::move(executor)),
      next_id_(static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() /
                                          std::chrono::seconds(1))
               << 20) {
    if (channel) replace(std::move(channel));
}

void Workers::replace(UniqueFd descriptor) {
    if (channel_) {
        const auto old = channel_;
        while (receive(*old)) {
        }
        lose(old.get());
    }
    channel_ = std::make_shared<Channel>(executor_, descriptor.release());
    asio::co_spawn(executor_, listen(channel_), asio::detached);
    waiting_.wake();
}

void Workers::lose(const Channel* channel) {
    if (channel_.get() != channel) return;
    spdlog::warn("the launcher is gone: running operations go on, new ones wait for the next one");
    boost::system::error_code ignored;
    channel_->close(ignored);
    channel_.reset();
    for (auto& [id, check] : std::exchange(peers_, {})) {
        check->launcher_lost = true;
        check->told.cancel();
    }
    dying_.clear();  // nobody tells their end any more
    for (auto& [id, worker] : workers_) {
        if (worker->ending_) continue;
        const bool started = static_cast<bool>(worker->pidfd_);
        worker->ending_ = Ending{Ending::Kind::launcher_gone, started ? 1 : 0};
        worker->noticed_.cancel();
        // Its end of the stream went down with the launcher, or with a worker that nobody will ever hear of.
        if (!started) worker->stop(no_launcher());
    }
}

asio::awaitable<void> Workers::listen(std::shared_ptr<Channel> channel) {
    for (;;) {
        const auto [error] = co_await channel->async_wait(Channel::wait_read, awaiting);
        if (error || channel_ != channel) co_return;
        while (receive(*channel)) {
        }
        if (channel_ != channel) co_return;
    }
}

bool Workers::receive(Channel& channel) {
    launcher::Notice notice;
    iovec part{&notice, sizeof notice};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const auto size = ::recvmsg(channel.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) return true;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    if (size <= 0) {
        lose(&channel);
        return false;
    }
    UniqueFd descriptor;
    const auto* header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
        descriptor.reset(fd);
    }
    if (static_cast<std::size_t>(size) != sizeof notice || notice.magic != launcher::magic) {
        spdlog::error("the launcher said something that is not a notice ({} bytes)", size);
    } else {
        last_notice_ = Clock::now();
        take(notice, std::move(descriptor));
    }
    return true;
}

void Workers::take_peer(const launcher::Notice& notice) {
    const auto found = peers_.extract(notice.id);
    if (found.empty()) return;
    found.mapped()->errno_of_launcher = notice.value;
    found.mapped()->told.cancel();
}

void Workers::take(const launcher::Notice& notice, UniqueFd descriptor) {
    if (notice.kind == launcher::NoticeKind::peer) return take_peer(notice);
    const auto found = workers_.find(notice.id);
    if (found == workers_.end()) {
        // The client went away before its worker was there.
        if (notice.kind == launcher::NoticeKind::started) {
            if (descriptor) ::syscall(SYS_pidfd_send_signal, descriptor.get(), SIGKILL, nullptr, 0);
            return;
        }
        dying_.erase(notice.id);
        return;
    }
    auto& worker = *found->second;
    switch (notice.kind) {
        case launcher::NoticeKind::started:
            worker.pidfd_ = std::move(descriptor);
            if (worker.stopped_) worker.kill();
            worker.end_when_overdue();
            return;
        case launcher::NoticeKind::refused:
            worker.ending_ = Ending{Ending::Kind::refused, notice.value};
            break;
        case launcher::NoticeKind::exited:
            worker.ending_ = Ending{Ending::Kind::exited, notice.value};
            break;
        default:
            return;
    }
    worker.noticed_.cancel();
}

void Workers::end_of_names(
    const std::function<bool(const std::string&, std::uint64_t, std::uint64_t)>& is_there) {
    for (const auto& [id, worker] : workers_) {
        if (!worker->named_) continue;
        const std::string path(worker->named_->path.data());
        if (is_there(path, worker->named_->device, worker->named_->inode)) continue;
        worker->stop({errc::target_gone,
                      "'" + path.substr(path.rfind('/') + 1) + "' has ended",
                      "netlab ls shows what is there now",
                      {}});
    }
}

asio::awaitable<Result<void>> Workers::send(std::vector<std::byte> packet, int stream) {
    const auto begin = Clock::now();
    const auto until = begin + launcher_patience;
    const auto full_until = begin + backlog_patience;
    for (;;) {
        if (!channel_) co_await waiting_.wait(until);
        if (!channel_) co_return no_launcher();
        const auto channel = channel_;
        const int error = send_packet(channel->native_handle(), packet, stream);
        if (error == 0) co_return Result<void>();
        if (error == EAGAIN || error == ENOBUFS || error == ETOOMANYREFS) {
            if (Clock::now() >= full_until) {
                co_return Error{errc::busy, "the daemon has too much to do just now", "try again", {}};
            }
            auto ready = writable(channel);
            auto late = sleep_until(full_until);
            co_await (std::move(ready) || std::move(late));
        } else if (error == EPIPE || error == ECONNRESET || error == ENOTCONN || error == ECONNREFUSED) {
            while (receive(*channel)) {
            }
            lose(channel.get());
        } else {
            co_return system_error(errc::operation_failed, "ask the launcher for a worker", error);
        }
    }
}

asio::awaitable<Result<void>> Workers::check_peer(int connection) {
    const auto until = Clock::now() + peer_patience;
    for (;;) {
        launcher::PeerQuestion question;
        question.id = next_id();
        const auto bytes = std::as_bytes(std::span(&question, 1));
        // Known before it is asked for: the answer may come at once.
        const auto check =
            std::make_shared<PeerCheck>(PeerCheck{asio::steady_timer(executor_, until), {}, false});
        peers_.emplace(question.id, check);
        auto sent = co_await send({bytes.begin(), bytes.end()}, connection);
        const auto asked = Clock::now();
        while (sent && !check->errno_of_launcher && !check->launcher_lost) {
            // One that has said nothing to anybody for so long hangs, and whoever comes next is not to wait
            // for the end of that.
            const auto silent = std::min(until, std::max(asked, last_notice_) + backlog_patience);
            if (Clock::now() >= silent) break;
            check->told.expires_at(silent);
            co_await check->told.async_wait(awaiting);
        }
        peers_.erase(question.id);
        if (!sent) co_return sent.error();
        // The next launcher may know, if there is one in time: send() waits for it.
        if (check->launcher_lost && !check->errno_of_launcher && Clock::now() < until) continue;
        if (!check->errno_of_launcher)
            co_return Error{errc::busy, "the daemon has too much to do just now", "try again", {}};
        const int error = *check->errno_of_launcher;
        if (error == 0) co_return Result<void>();
        if (error == ESRCH) co_return Error{errc::target_gone, "the client has ended", {}, {}};
        if (error != EPERM) {
            spdlog::error("cannot tell where a client lives: {}", std::strerror(error));
            co_return Error{errc::operation_failed,
                            "netlabd cannot tell where this client lives",
                            "see the log of netlabd",
                            {}};
        }
        co_return Error{errc::permission_denied, "the client lives in another user or PID namespace", {}, {}};
    }
}

asio::awaitable<Result<std::unique_ptr<Worker>>> Workers::start(Job job, std::uint64_t id,
                                                                Quotas::Share share) {
    launcher::LaunchHeader header;
    header.operation = job.operation;
    header.id = id;
    header.deadline_ms = job.deadline_ms;
    auto packet = launcher::make_launch(header, job.namespaces, job.request);
    if (!packet) co_return packet.error();
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        const int error = errno;
        co_return system_error(error == EMFILE || error == ENFILE ? errc::busy : errc::operation_failed,
                               "make a stream for the operation", error);
    }
    UniqueFd own(ends[0]);
    const UniqueFd theirs(ends[1]);
    Socket ours(executor_);
    boost::system::error_code unwatched;  // no memory for it, or no watch left (epoll(7))
    ours.assign(asio::local::stream_protocol(), own.get(), unwatched);
    if (unwatched) co_return system_error(errc::busy, "watch the operation's stream", unwatched.value());
    static_cast<void>(own.release());
    // Known before it is asked for: its notices may come at once.
    auto worker = std::make_unique<Worker>(*this, id, std::move(ours), job, std::move(share));
    auto sent = co_await send(std::move(*packet), theirs.get());
    if (!sent) {
        worker->ending_ = Ending{Ending::Kind::refused, 0};  // no notice will come
        co_return sent.error();
    }
    co_return std::move(worker);
}

}  // namespace netlab::front
