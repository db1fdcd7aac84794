#include "tests/netns/running_launcher.hpp"

#include "daemon/launcher/launcher.hpp"
#include "tests/support/command.hpp"

#include <cstring>
#include <stdexcept>

#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace netlab::test {

using namespace launcher;

namespace {

constexpr Credentials nobody{65534, 65534};

bool read_all(int stream, void* to, std::size_t size) {
    return ::recv(stream, to, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

}  // namespace

std::array<UniqueFd, 2> socket_pair(int type) {
    int ends[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

RunningLauncher::RunningLauncher() {
    auto [ours, launchers] = socket_pair(SOCK_SEQPACKET);
    channel_ = std::move(ours);
    pid_ = ::fork();
    if (pid_ == 0) {
        channel_.reset();
        int status = 1;
        try {
            become_launcher(nobody);
            status = launcher::run(nobody, std::move(launchers));
        } catch (const std::exception& exception) {
            std::fprintf(stderr, "%s\n", exception.what());
        }
        std::_Exit(status);
    }
}

RunningLauncher::~RunningLauncher() {
    channel_.reset();
    ::waitpid(pid_, nullptr, 0);
}

void RunningLauncher::send(std::span<const std::byte> packet, int descriptor) {
    iovec part{const_cast<std::byte*>(packet.data()), packet.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (descriptor >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        auto* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    REQUIRE(::sendmsg(channel_.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(packet.size()));
}

std::optional<Notice> RunningLauncher::notice(std::chrono::milliseconds patience) {
    pollfd waiting{channel_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(patience.count())) != 1) return std::nullopt;
    Notice notice;
    iovec part{&notice, sizeof notice};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(channel_.get(), &message, MSG_CMSG_CLOEXEC) != sizeof notice) return std::nullopt;
    if (auto* header = CMSG_FIRSTHDR(&message)) {
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
        ::close(descriptor);
    }
    return notice;
}

std::vector<Frame> frames(int stream) {
    std::vector<Frame> all;
    for (frame::Header header; read_all(stream, &header, sizeof header);) {
        Frame next{header.kind, std::vector<std::byte>(header.size)};
        if (header.size > 0 && !read_all(stream, next.payload.data(), header.size)) break;
        all.push_back(std::move(next));
    }
    return all;
}

std::string error_code_of(const Frame& frame) {
    std::uint16_t code = 0;
    std::memcpy(&code, frame.payload.data(), sizeof code);
    return std::string(described::enumerator_name(static_cast<errc>(code)));
}

NamespaceReference by_path(const std::string& path) {
    NamespaceReference reference;
    reference.way = Way::path;
    path.copy(reference.path.data(), reference.path.size() - 1);
    return reference;
}

NamedNamespace::NamedNamespace() : name("netlab-test-" + std::to_string(::getpid())) {
    support::run_well({"ip", "netns", "add", name});
    support::run_well({"ip", "-n", name, "link", "set", "lo", "up"});
    support::run_well({"ip", "-n", name, "addr", "add", "192.0.2.77/32", "dev", "lo"});
    struct stat status {};
    ::stat(path().c_str(), &status);
    inode = status.st_ino;
    device = status.st_dev;
}

NamedNamespace::~NamedNamespace() {
    support::run({"ip", "netns", "del", name});
}

}  // namespace netlab::test
