#include "daemon/operations/docker_process.hpp"

#include "tests/support/catch.hpp"

#include <csignal>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace netlab;
using operations::DockerProcess;
using operations::UpstreamSources;

namespace {

/// An engine's socket as systemd makes it: this process listens, others accept.
struct Listener {
    Listener() : socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(socket.get(), 8) == 0);
    }
    ~Listener() { ::unlink(path.c_str()); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    [[nodiscard]] UniqueFd connect() const {
        UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        return client;
    }

    std::string path = "/tmp/netlab-test-engine-" + std::to_string(::getpid());
    sockaddr_un address{};
    UniqueFd socket;
};

/// A process of that name which holds a socket that it says the inode of.
class Named {
  public:
    Named(const char* name, int listener) {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        pid = ::fork();
        if (pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::prctl(PR_SET_NAME, name);
            // One that accepts nothing has a socket of its own.
            const int held = listener >= 0 ? ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)
                                           : ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            struct stat status {};
            ::fstat(held, &status);
            static_cast<void>(::write(ends[1], &status.st_ino, sizeof status.st_ino));
            ::pause();
            std::_Exit(0);
        }
        ::close(ends[1]);
        REQUIRE(::read(ends[0], &inode, sizeof inode) == sizeof inode);
        ::close(ends[0]);
    }
    ~Named() {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    Named(const Named&) = delete;
    Named& operator=(const Named&) = delete;

    pid_t pid = 0;
    ino_t inode = 0;
};

bool knows(const DockerProcess& docker) {
    UpstreamSources sources;
    docker.tell(sources);
    return sources.arguments.has_value();
}

}  // namespace

TEST_CASE("dockerd: with socket activation it is who accepted the connection, and no other of its name",
          "[netns]") {
    const Listener listener;
    const auto client = listener.connect();
    const Named impostor("dockerd", -1);
    const Named real("dockerd", listener.socket.get());
    const Named other("dockerd", -1);
    DockerProcess docker(client.get());
    docker.settle();
    const auto held = docker.holders().of(real.inode);
    REQUIRE(held.size() == 1);
    CHECK(docker.holders().process(held[0]).host_pid == real.pid);
    CHECK(docker.holders().of(impostor.inode).empty());
    CHECK(docker.holders().of(other.inode).empty());
    CHECK(knows(docker));
}

TEST_CASE("dockerd: a process of its name that is not at the other end is not believed", "[netns]") {
    const Listener listener;
    const auto client = listener.connect();
    const Named proxy("socket-proxy", listener.socket.get());
    const Named impostor("dockerd", -1);
    DockerProcess docker(client.get());
    docker.settle();
    CHECK(docker.holders().of(impostor.inode).empty());
    CHECK_FALSE(knows(docker));
}

TEST_CASE("dockerd: nobody accepts the connection, or there is none", "[netns]") {
    const Listener listener;
    const auto client = listener.connect();
    const Named impostor("dockerd", -1);
    DockerProcess unanswered(client.get());
    unanswered.settle();
    CHECK_FALSE(knows(unanswered));
    DockerProcess none(-1);
    none.settle();
    CHECK_FALSE(knows(none));
}
