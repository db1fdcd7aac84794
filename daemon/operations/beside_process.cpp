#include "daemon/operations/beside_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netlab::operations {

namespace {

/// False at the end of the other side.
bool read_whole(int channel, std::span<std::byte> out) {
    while (!out.empty()) {
        const auto size = ::read(channel, out.data(), out.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return false;
        out = out.subspan(static_cast<std::size_t>(size));
    }
    return true;
}

bool write_whole(int channel, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto size = ::send(channel, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(size));
    }
    return true;
}

/// The operation's ends of the channels to processes that it has started before: whoever had one could give
/// that process orders, and hear its answers.
std::vector<int>& operations_own() {
    static std::vector<int> ends;
    return ends;
}

[[noreturn]] void serve_orders(Namespaces& namespaces, int channel, const BesideProcess::Serve& serve) {
    const Namespaces::Confine confine = namespaces.confine_beside();
    namespaces = Namespaces({});
    for (const int other : operations_own())
        ::close(other);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    // It asks for the signal again, as a change of the user forgets it.
    if (confine && !confine()) std::_Exit(EXIT_FAILURE);
    BesideProcess::Order order{};
    while (read_whole(channel, order)) {
        auto answer = serve(order);
        if (answer.size() > BesideProcess::largest_answer) break;
        const auto size = static_cast<std::uint32_t>(answer.size());
        if (!write_whole(channel, std::as_bytes(std::span(&size, 1))) || !write_whole(channel, answer)) break;
    }
    std::_Exit(EXIT_SUCCESS);
}

Error gone() {
    return {errc::operation_failed, "the process that reads the rules has ended", {}, {}};
}

}  // namespace

void keep_from_beside(int descriptor) {
    operations_own().push_back(descriptor);
}

Result<BesideProcess> BesideProcess::start(Namespaces& namespaces, const Serve& serve) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return system_error(errc::operation_failed, "make a channel to a process beside", errno);
    UniqueFd own(ends[0]);
    UniqueFd other(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) return system_error(errc::operation_failed, "fork a process beside", errno);
    if (child == 0) {
        own.reset();
        serve_orders(namespaces, other.get(), serve);
    }
    keep_from_beside(own.get());
    return BesideProcess(std::move(own));
}

Result<void> BesideProcess::read(std::span<std::byte> out, Output& output,
                                 Output::Clock::time_point until) const {
    while (!out.empty()) {
        pollfd waiting{channel_.get(), POLLIN, 0};
        if (output.wait(std::span(&waiting, 1), until) == 0)
            return Error{errc::operation_failed, "the process that reads the rules does not answer", {}, {}};
        const auto size = ::recv(channel_.get(), out.data(), out.size(), MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (size <= 0) return gone();
        out = out.subspan(static_cast<std::size_t>(size));
    }
    return {};
}

Result<BesideProcess::Bytes> BesideProcess::ask(const Order& order, Output& output,
                                                std::chrono::milliseconds patience) {
    if (!write_whole(channel_.get(), order)) return gone();
    const auto until = Output::Clock::now() + patience;
    std::uint32_t size = 0;
    if (auto header = read(std::as_writable_bytes(std::span(&size, 1)), output, until); !header)
        return header.error();
    if (size > largest_answer)
        return Error{
            errc::operation_failed, "the process that reads the rules answered with nonsense", {}, {}};
    Bytes answer(size);
    if (auto body = read(answer, output, until); !body) return body.error();
    return answer;
}

}  // namespace netlab::operations
