#include "daemon/launcher/launcher.hpp"

#include "common/descriptor_message.hpp"
#include "daemon/kernel/namespace.hpp"
#include "daemon/kernel/waiting_child.hpp"
#include "daemon/launcher/peer_place.hpp"
#include "daemon/launcher/worker.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <unordered_map>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace netlab::launcher {

namespace {

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

struct Packet {
    std::span<const std::byte> bytes;
    UniqueFd stream;
    bool whole = false;
};

class Launcher {
  public:
    Launcher(Credentials credentials, UniqueFd channel, UniqueFd supervisor_channel)
        : channel_(std::move(channel)),
          supervisor_(std::move(supervisor_channel)),
          host_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)),
          buffer_(largest_message) {
        if (!host_) fail("open the host's network namespace");
        setting_ = {credentials, make_filters(), host_.get()};
        // A worker's own children (operations::BesideProcess) end after it, and would be somebody else's to
        // wait for.
        if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) fail("become a subreaper");
        kernel::WaitingChildren::share();
        sigset_t child;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &child, nullptr) != 0) fail("sigprocmask");
        children_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
        if (!children_) fail("signalfd");
    }

    void serve() {
        std::array<pollfd, 3> waiting{
            {{channel_.get(), POLLIN, 0}, {children_.get(), POLLIN, 0}, {supervisor_.get(), POLLIN, 0}}};
        for (;;) {
            if (::poll(waiting.data(), waiting.size(), -1) < 0) {
                if (errno == EINTR) continue;
                fail("poll");
            }
            if (waiting[1].revents != 0) reap();
            if (waiting[2].revents != 0) waiting[2].fd = answer_supervisor();
            if (waiting[0].revents != 0 && !receive()) break;
        }
        end_workers();
    }

  private:
    /// The channel, or -1 where it has ended.
    [[nodiscard]] int answer_supervisor() const {
        char byte = 0;
        const auto size = ::recv(supervisor_.get(), &byte, 1, MSG_DONTWAIT);
        if (size == 0) return -1;
        if (size == 1) ::send(supervisor_.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        return supervisor_.get();
    }

    /// False once the front is gone.
    bool receive() {
        auto packet = read_packet();
        if (!packet) return false;
        if (const auto question = parse_peer_question(packet->bytes)) {
            const bool whole = packet->whole && packet->stream;
            notify(NoticeKind::peer, question->id, whole ? place_.check(packet->stream.get()) : EBADMSG);
            return true;
        }
        auto launch = parse_launch(packet->bytes);
        if (!launch || !packet->whole || !packet->stream || !is_operation(launch->header.operation)) {
            // The identity of a message that is none cannot be known: 0 is nobody's request.
            notify(NoticeKind::refused, launch ? launch->header.id : 0, EBADMSG);
            return true;
        }
        start(*launch, std::move(packet->stream));
        return true;
    }

    std::optional<Packet> read_packet() {
        iovec part{buffer_.data(), buffer_.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        ssize_t size = -1;
        do {
            size = ::recvmsg(channel_.get(), &message, MSG_CMSG_CLOEXEC);
        } while (size < 0 && errno == EINTR);
        if (size <= 0) return std::nullopt;
        Packet packet{std::span(buffer_).first(static_cast<std::size_t>(size)),
                      {},
                      (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0};
        for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr;
             header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
            const auto count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < count; ++i) {
                int descriptor = -1;
                std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
                if (packet.stream) packet.whole = false;  // one is what a launch takes
                packet.stream.reset(descriptor);
            }
        }
        return packet;
    }

    void start(const Launch& launch, UniqueFd stream) {
        const pid_t worker = ::fork();
        if (worker == 0) work(setting_, launch, std::move(stream));
        if (worker < 0) {
            notify(NoticeKind::refused, launch.header.id, errno);
            return;
        }
        // It is our child and not yet waited for, so the PID cannot be another's.
        const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, worker, 0)));
        workers_.emplace(worker, launch.header.id);
        notify(NoticeKind::started, launch.header.id, worker, pidfd.get());
    }

    void reap() {
        signalfd_siginfo ignored;
        while (::read(children_.get(), &ignored, sizeof ignored) > 0) {
        }
        int status = 0;
        for (pid_t worker = 0; (worker = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            kernel::WaitingChildren::forget(worker);
            const auto found = workers_.find(worker);
            if (found == workers_.end()) continue;
            notify(NoticeKind::exited, found->second, status);
            workers_.erase(found);
        }
    }

    void notify(NoticeKind kind, std::uint64_t id, std::int32_t value, int descriptor = -1) {
        Notice notice;
        notice.kind = kind;
        notice.id = id;
        notice.value = value;
        const auto bytes = std::as_bytes(std::span(&notice, 1));
        // Blocks while the front is slow to read: then it is slow to ask, too.
        constexpr int tries = 100;
        for (int i = 0; i < tries;) {
            if (send_with_descriptor(channel_.get(), bytes, descriptor, MSG_NOSIGNAL) >= 0) return;
            if (errno == EINTR) continue;
            // A front that is gone is seen at the next read.
            if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return;
            // The kernel has no memory for it just now, or too many descriptors are under way.
            if (++i < tries) ::usleep(10'000);
        }
        // Somebody waits for a notice that will not come: he is told when the launcher is gone, and the next
        // one may have more luck.
        fail("tell the front");
    }

    void end_workers() {
        for (const auto& [worker, id] : workers_)
            ::kill(worker, SIGKILL);
        // Whoever waits for a file system that does not answer cannot be ended, and has no right left.
        constexpr int patience_ms = 200;
        for (int waited = 0; waited < patience_ms; ++waited) {
            pid_t ended = 0;
            while ((ended = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
            }
            if (ended < 0) return;
            ::usleep(1'000);
        }
    }

    UniqueFd channel_;
    UniqueFd supervisor_;
    UniqueFd host_;
    UniqueFd children_;
    PeerPlace place_;
    std::vector<std::byte> buffer_;
    WorkerSetting setting_;
    std::unordered_map<pid_t, std::uint64_t> workers_;  ///< PID -> the request's id
};

}  // namespace

int run(Credentials worker_credentials, UniqueFd channel, UniqueFd supervisor_channel) {
    Launcher launcher(worker_credentials, std::move(channel), std::move(supervisor_channel));
    launcher.serve();
    return 0;
}

Result<UniqueFd> open_host_namespace(const std::string& path) {
    return kernel::open_namespace(path.c_str());
}

}  // namespace netlab::launcher
