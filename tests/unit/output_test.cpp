#include "daemon/operations/output.hpp"

#include "common/unique_fd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <thread>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace netlab;
using operations::Output;
using namespace std::chrono_literals;

namespace {

struct Stream {
    UniqueFd worker;
    UniqueFd front;
    Stream() {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        worker = UniqueFd(ends[0]);
        front = UniqueFd(ends[1]);
    }
    /// All that is there, without waiting.
    std::string read() const {
        std::string out;
        char piece[4096];
        for (ssize_t got = 0; (got = ::recv(front.get(), piece, sizeof piece, MSG_DONTWAIT)) > 0;)
            out.append(piece, static_cast<std::size_t>(got));
        return out;
    }
};

std::vector<std::byte> bytes(std::size_t size) {
    std::vector<std::byte> out(size);
    for (std::size_t i = 0; i < size; ++i)
        out[i] = static_cast<std::byte>(i * 7);
    return out;
}

}  // namespace

TEST_CASE("output: what is offered is one frame, whole and in order, however slowly it is taken", "[unit]") {
    const Stream stream;
    // As small as the kernel allows, so that a piece does not fit.
    const int small = 1;
    ::setsockopt(stream.worker.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    Output output(stream.worker.get());
    const auto piece = bytes(100'000);
    output.offer(piece);
    CHECK(output.owes());
    std::string came;
    while (output.owes()) {
        came += stream.read();
        output.wait({}, Output::Clock::now() + 10ms);
    }
    came += stream.read();
    frame::Header header;
    REQUIRE(came.size() == sizeof header + piece.size());
    std::memcpy(&header, came.data(), sizeof header);
    CHECK(header.kind == frame::Kind::data);
    CHECK(header.size == piece.size());
    CHECK(std::memcmp(came.data() + sizeof header, piece.data(), piece.size()) == 0);
    // And what comes after it is a frame of its own.
    output.counts({3, 4});
    CHECK(stream.read().size() == sizeof header + sizeof(frame::Counts));
}

TEST_CASE("output: an operation that finishes is told once that no more is wanted, and can still say things",
          "[unit]") {
    const Stream stream;
    Output output(stream.worker.get());
    output.finish_on_hangup();
    CHECK(!output.wants_no_more());
    output.wait({}, Output::Clock::now() + 1ms);
    CHECK(!output.wants_no_more());
    ::shutdown(stream.front.get(), SHUT_WR);
    output.wait({}, std::nullopt);
    CHECK(output.wants_no_more());
    const auto before = Output::Clock::now();
    output.wait({}, before + 50ms);  // not ready again and again
    CHECK(Output::Clock::now() - before >= 50ms);
    output.end();
    CHECK(stream.read().size() == sizeof(frame::Header));
}

TEST_CASE("output: a process whose listener is gone ends, one that finishes too", "[unit]") {
    const bool finishing = GENERATE(false, true);
    Stream stream;
    const auto child = ::fork();
    if (child == 0) {
        stream.front.reset();
        Output output(stream.worker.get());
        if (finishing) output.finish_on_hangup();
        output.wait({}, std::nullopt);
        ::_exit(9);  // it came back
    }
    stream.worker.reset();
    stream.front.reset();
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
