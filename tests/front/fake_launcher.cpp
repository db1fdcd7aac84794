#include "tests/front/fake_launcher.hpp"

#include "common/api/catalogue.hpp"
#include "common/api/context.hpp"
#include "common/binary.hpp"
#include "common/frame.hpp"
#include "common/json.hpp"
#include "daemon/launcher/protocol.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <sstream>
#include <thread>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace netlab::front_test {

namespace {

/// A worker's end of its stream.
class Mouth {
  public:
    Mouth(int stream, Stage& stage) : stream_(stream), stage_(stage) {}

    void raw(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const auto sent = ::send(stream_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0) std::_Exit(0);
            stage_.written += static_cast<std::uint64_t>(sent);
            bytes = bytes.subspan(static_cast<std::size_t>(sent));
        }
    }
    void frame(frame::Kind kind, std::span<const std::byte> payload) {
        const frame::Header header{kind, static_cast<std::uint32_t>(payload.size())};
        raw(std::as_bytes(std::span(&header, 1)));
        raw(payload);
    }
    void line(std::string text) {
        text += '\n';
        frame(frame::Kind::data, std::as_bytes(std::span(text)));
    }
    void error(const Error& error) {
        const auto code = static_cast<std::uint16_t>(error.code);
        const auto text = json::write_error(error);
        binary::Bytes payload(sizeof code + text.size());
        std::memcpy(payload.data(), &code, sizeof code);
        std::memcpy(payload.data() + sizeof code, text.data(), text.size());
        frame(frame::Kind::error, payload);
    }
    template <class T>
    void record(const T& value) {
        frame(frame::Kind::record, binary::encode(value));
    }
    void end() { frame(frame::Kind::end, {}); }
    [[noreturn]] void wait_for_hangup() {
        pollfd waiting{stream_, POLLRDHUP, 0};
        ::poll(&waiting, 1, -1);
        std::_Exit(0);
    }
    [[nodiscard]] int stream() const { return stream_; }

  private:
    int stream_;
    Stage& stage_;
};

std::string reply(std::uint32_t seq) {
    return R"({"type":"reply","seq":)" + std::to_string(seq) + "}";
}

[[noreturn]] void stubborn() {
    for (;;)
        ::pause();
}

[[noreturn]] void ping(Mouth mouth, const api::PingRequest& request) {
    const auto& script = request.to;
    if (script == "answers") {
        for (std::uint32_t seq = 1; seq <= request.count; ++seq)
            mouth.line(reply(seq));
        mouth.end();
    } else if (script == "refuses") {
        mouth.error({errc::no_address, "co1 has no address", {}, {}});
        mouth.end();
    } else if (script == "fails") {
        mouth.line(reply(1));
        mouth.error({errc::target_gone, "co1 is gone", {}, {}});
        mouth.end();
    } else if (script == "dies") {
        mouth.line(reply(1));
        ::kill(::getpid(), SIGSYS);
    } else if (script == "halves") {
        const frame::Header header{frame::Kind::data, 100};
        mouth.raw(std::as_bytes(std::span(&header, 1)));
        mouth.raw(std::as_bytes(std::span(std::string_view("{\"half\""))));
        std::_Exit(3);
    } else if (script == "garbles") {
        mouth.line(reply(1));
        mouth.frame(static_cast<frame::Kind>(77), {});
        mouth.wait_for_hangup();
    } else if (script == "endless") {
        for (std::uint32_t seq = 1;; ++seq) {
            mouth.line(reply(seq));
            ::usleep(5'000);
        }
    } else if (script == "floods") {
        const std::string much(8000, 'x');
        for (;;)
            mouth.line(much);
    } else if (script == "stubborn") {
        mouth.line(reply(1));
        stubborn();
    } else if (script == "late") {
        stubborn();
    }
    if (script == "silent") mouth.wait_for_hangup();
    std::_Exit(0);
}

std::vector<api::ContainerRecord> containers(const Stage& stage) {
    std::vector<api::ContainerRecord> records;
    std::istringstream lines(stage.containers);
    std::string name;
    char digit = 0;
    std::int32_t pid = 0;
    while (lines >> name >> digit >> pid) {
        auto& record = records.emplace_back();
        record.target.name = name;
        record.target.id = std::string(64, digit);
        record.target.pid = pid;
        record.target.state = pid > 0 ? api::State::running : api::State::exited;
        record.target.networks.emplace_back().name = "net";
    }
    return records;
}

[[noreturn]] void watch_engine(Mouth mouth, int events, const Stage& stage) {
    if (stage.silent_watcher) mouth.wait_for_hangup();
    mouth.record(api::EngineRecord{api::EngineRecordKind::up, {}, {}});
    for (;;) {
        std::array<pollfd, 2> waiting{{{events, POLLIN, 0}, {mouth.stream(), POLLRDHUP, 0}}};
        ::poll(waiting.data(), waiting.size(), -1);
        if (waiting[1].revents != 0) std::_Exit(0);
        std::array<std::byte, 4096> packet;
        const auto size = ::recv(events, packet.data(), packet.size(), MSG_DONTWAIT);
        if (size == 0) mouth.wait_for_hangup();
        if (size > 0)
            mouth.frame(frame::Kind::record, std::span(packet).first(static_cast<std::size_t>(size)));
    }
}

[[noreturn]] void inspect(Mouth mouth, const api::InspectEngineRequest& request, Stage& stage) {
    ++stage.inspections;
    if (stage.engine_hangs) mouth.wait_for_hangup();
    const auto known = containers(stage);
    while (stage.engine_holds)
        ::usleep(1000);
    for (const auto& record : known) {
        if (request.all ||
            std::ranges::find(request.containers, record.target.id) != request.containers.end()) {
            mouth.record(record);
        }
    }
    mouth.end();
    std::_Exit(0);
}

[[noreturn]] void identify(Mouth mouth, const api::IdentifyRequest& request) {
    std::uint64_t inode = 4026530000;
    for (const auto& id : request.ids) {
        api::NamespaceRecord record;
        record.id = id;
        record.device = 4;
        record.inode = inode++;
        mouth.record(record);
    }
    mouth.end();
    std::_Exit(0);
}

[[noreturn]] void watch_namespaces(Mouth mouth) {
    api::NamespaceRecord host;
    host.device = 4;
    host.inode = 4026531840;
    mouth.record(host);
    api::NamespaceRecord complete;
    complete.complete = true;
    mouth.record(complete);
    mouth.wait_for_hangup();
}

/// Its filter is the script: `finishes` says a packet, and at its client's wish a last one; `goes_on` says
/// packets until nobody listens.
[[noreturn]] void packets(Mouth mouth, const api::PacketsRequest& request) {
    mouth.line(R"({"type":"packet"})");
    if (request.filter == "goes_on") {
        for (;;)
            mouth.line(R"({"type":"packet"})");
    }
    pollfd waiting{mouth.stream(), POLLRDHUP, 0};
    ::poll(&waiting, 1, -1);
    if ((waiting.revents & (POLLHUP | POLLERR)) != 0) std::_Exit(0);
    mouth.line(R"({"type":"report"})");
    const frame::Counts counts{7, 2};
    mouth.frame(frame::Kind::counts, std::as_bytes(std::span(&counts, 1)));
    mouth.end();
    std::_Exit(0);
}

template <class Request>
Request request_of(const launcher::Launch& launch) {
    auto order = binary::decode<api::Order<Request>>(launch.request);
    if (!order) std::_Exit(99);
    return order->request;
}

template <class Request>
bool is(const launcher::Launch& launch) {
    return launch.header.operation == api::operation_number<Request>();
}

[[noreturn]] void work(const launcher::Launch& launch, UniqueFd stream, int events, Stage& stage) {
    Mouth mouth(stream.get(), stage);
    if (is<api::WatchEngineRequest>(launch)) {
        ++stage.watchers;
        watch_engine(mouth, events, stage);
    }
    if (is<api::InspectEngineRequest>(launch))
        inspect(mouth, request_of<api::InspectEngineRequest>(launch), stage);
    if (is<api::IdentifyRequest>(launch)) identify(mouth, request_of<api::IdentifyRequest>(launch));
    if (is<api::WatchNamespacesRequest>(launch)) watch_namespaces(mouth);
    stage.written = 0;
    stage.worker = ::getpid();
    ++stage.started;
    if (is<api::PacketsRequest>(launch)) packets(mouth, request_of<api::PacketsRequest>(launch));
    ping(mouth, request_of<api::PingRequest>(launch));
}

class FakeLauncher {
  public:
    FakeLauncher(UniqueFd channel, int events, Stage& stage)
        : channel_(std::move(channel)), events_(events), stage_(stage) {
        sigset_t child;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        ::sigprocmask(SIG_SETMASK, &child, nullptr);
        children_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    }

    void serve() {
        for (;;) {
            std::array<pollfd, 2> waiting{{{channel_.get(), POLLIN, 0}, {children_.get(), POLLIN, 0}}};
            ::poll(waiting.data(), waiting.size(), -1);
            if (waiting[1].revents != 0) reap();
            if (waiting[0].revents != 0 && !receive()) return;
        }
    }

  private:
    bool receive() {
        std::vector<std::byte> packet(launcher::largest_message);
        iovec part{packet.data(), packet.size()};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const auto size = ::recvmsg(channel_.get(), &message, MSG_CMSG_CLOEXEC);
        if (size <= 0 || CMSG_FIRSTHDR(&message) == nullptr) return false;
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
        UniqueFd stream(descriptor);
        const auto bytes = std::span(packet).first(static_cast<std::size_t>(size));
        if (const auto question = launcher::parse_peer_question(bytes)) {
            while (stage_.hangs || stage_.busy) {
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
                if (!stage_.hangs) notify(launcher::NoticeKind::exited, 0, 0, -1);  // of no worker
            }
            notify(launcher::NoticeKind::peer, question->id, stage_.foreign_peers ? EPERM : 0, -1);
            return true;
        }
        const auto launch = launcher::parse_launch(bytes);
        if (!launch) return false;
        start(*launch, std::move(stream));
        return true;
    }

    void start(const launcher::Launch& launch, UniqueFd stream) {
        std::string script;
        if (is<api::PingRequest>(launch)) script = request_of<api::PingRequest>(launch).to;
        if (script == "refused") return notify(launcher::NoticeKind::refused, launch.header.id, EAGAIN, -1);
        const auto parent = ::getpid();
        const auto worker = ::fork();
        if (worker == 0) {
            channel_.reset();
            if (script == "stubborn" || script == "late") {
                ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // nothing else would end it
                if (::getppid() != parent) std::_Exit(1);
            }
            work(launch, std::move(stream), events_, stage_);
        }
        stream.reset();
        if (script == "late") ::usleep(300'000);
        workers_[worker] = launch.header.id;
        const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, worker, 0)));
        notify(launcher::NoticeKind::started, launch.header.id, worker, pidfd.get());
    }

    void reap() {
        signalfd_siginfo ignored;
        while (::read(children_.get(), &ignored, sizeof ignored) > 0) {
        }
        int status = 0;
        for (pid_t worker = 0; (worker = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            notify(launcher::NoticeKind::exited, workers_[worker], status, -1);
            workers_.erase(worker);
        }
    }

    void notify(launcher::NoticeKind kind, std::uint64_t id, std::int32_t value, int descriptor) {
        launcher::Notice notice;
        notice.kind = kind;
        notice.id = id;
        notice.value = value;
        iovec part{&notice, sizeof notice};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (descriptor >= 0) {
            message.msg_control = control;
            message.msg_controllen = sizeof control;
            auto* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
        }
        ::sendmsg(channel_.get(), &message, MSG_NOSIGNAL);
    }

    UniqueFd channel_;
    UniqueFd children_;
    int events_;
    Stage& stage_;
    std::map<pid_t, std::uint64_t> workers_;
};

}  // namespace

void play_launcher(UniqueFd channel, int events, Stage& stage) {
    FakeLauncher(std::move(channel), events, stage).serve();
    std::_Exit(0);
}

}  // namespace netlab::front_test
