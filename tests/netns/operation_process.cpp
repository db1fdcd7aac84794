#include "tests/netns/operation_process.hpp"

#include <cstdlib>
#include <stdexcept>

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace netlab::test {

namespace {

[[noreturn]] void work(std::uint16_t number, const binary::Bytes& order,
                       std::vector<operations::TargetHandle> handles, int stream,
                       const std::function<void()>& between) {
    operations::Output output(stream);
    operations::Namespaces namespaces(std::move(handles));
    // Not confined, as the operation itself is not; but the stream must end with the operation.
    namespaces.confine_beside([stream] {
        ::close(stream);
        return Result<void>();
    });
    const auto* operation = operations::find(number);
    auto prepared = operation->prepare(namespaces, order);
    if (between) between();
    if (!prepared) {
        output.error(prepared.error());
    } else if (auto result = (*prepared)->run(output); !result) {
        output.error(result.error());
    }
    output.end();
    std::_Exit(0);
}

}  // namespace

OperationProcess::OperationProcess(std::uint16_t number, binary::Bytes order,
                                   std::vector<operations::TargetHandle> namespaces,
                                   const std::function<void()>& between) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::runtime_error("socketpair");
    stream_ = UniqueFd(ends[0]);
    UniqueFd theirs(ends[1]);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ == 0) {
        stream_.reset();
        work(number, order, std::move(namespaces), theirs.get(), between);
    }
}

OperationProcess::~OperationProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

bool OperationProcess::read(void* out, std::size_t size, std::chrono::steady_clock::time_point until) {
    auto* at = static_cast<char*>(out);
    while (size > 0) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
        pollfd readable{stream_.get(), POLLIN, 0};
        if (left <= 0 || ::poll(&readable, 1, static_cast<int>(left)) <= 0) return false;
        const auto got = ::read(stream_.get(), at, size);
        if (got <= 0) return false;
        at += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

std::optional<OperationProcess::Frame> OperationProcess::next(std::chrono::milliseconds within) {
    const auto until = std::chrono::steady_clock::now() + within;
    frame::Header header;
    if (!read(&header, sizeof header, until) || header.size > frame::largest) return std::nullopt;
    Frame out{header.kind, binary::Bytes(header.size)};
    if (!read(out.payload.data(), out.payload.size(), until)) return std::nullopt;
    return out;
}

void OperationProcess::finish() const {
    ::shutdown(stream_.get(), SHUT_WR);
}

bool shell(const std::string& command) {
    return std::system(command.c_str()) == 0;
}

}  // namespace netlab::test
