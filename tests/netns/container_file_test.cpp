#include "daemon/kernel/container_file.hpp"

#include "daemon/kernel/waiting_child.hpp"
#include "tests/netns/hanging_mount.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/netlabd.hpp"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace netlab;
using kernel::FileState;
using test::HangingMount;
using test::Mount;

namespace {

namespace fs = std::filesystem;

/// A directory that plays a container's root.
struct Root {
    explicit Root(const std::string& name = "root")
        : path("/tmp/netlab-test-" + name + "-" + std::to_string(::getpid())) {
        fs::create_directories(path + "/etc");
        directory.reset(::open(path.c_str(), O_PATH | O_CLOEXEC | O_DIRECTORY));
    }
    ~Root() { fs::remove_all(path); }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;

    [[nodiscard]] std::string file() const { return path + "/etc/resolv.conf"; }
    [[nodiscard]] kernel::ContainerFile open() const {
        return kernel::open_container_file(directory.get(), "/etc/resolv.conf");
    }
    [[nodiscard]] FileState state() const {
        const auto opened = open();
        CHECK(static_cast<bool>(opened.file) == (opened.look.state == FileState::regular));
        return opened.look.state;
    }
    /// The first bytes of /etc/resolv.conf: "-" where there is no file to read.
    [[nodiscard]] std::string read() const {
        const auto opened = open();
        if (!opened.file) return "-";
        char buffer[64];
        const auto size = ::read(opened.file.get(), buffer, sizeof buffer);
        return {buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
    }

    std::string path;
    UniqueFd directory;
};

/// The child is killed and not waited for longer than a moment, which a busy machine may be late by.
bool all_children_end() {
    return support::eventually([] { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; },
                               std::chrono::seconds(5));
}

/// This process' children that wait for a file system, whatever signal comes.
std::vector<pid_t> waiting_children() {
    std::ifstream file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
    std::vector<pid_t> out;
    for (pid_t child = 0; file >> child;) {
        if (support::process_status(child, "State").starts_with('D')) out.push_back(child);
    }
    return out;
}

}  // namespace

TEST_CASE("container files: a regular file is read", "[netns]") {
    const Root root;
    std::ofstream(root.file()) << "nameserver 127.0.0.11\n";
    CHECK(root.state() == FileState::regular);
    CHECK(root.read() == "nameserver 127.0.0.11\n");
    CHECK((root.open().look.mode & 0777U) == 0644);
}

TEST_CASE("container files: a link is resolved inside the container's root, never outside", "[netns]") {
    const Root root;
    std::ofstream(root.path + "/inside") << "inside";
    std::ofstream outside("/tmp/netlab-test-outside");
    outside << "outside";
    outside.close();
    for (const char* target : {"/inside", "../inside", "../../../../inside"}) {
        INFO(target);
        fs::remove(root.file());
        fs::create_symlink(target, root.file());
        CHECK(root.read() == "inside");
    }
    const auto leads_to = [&](const char* target) {
        INFO(target);
        fs::remove(root.file());
        fs::create_symlink(target, root.file());
        CHECK(root.read() == "-");
        return root.state();
    };
    CHECK(leads_to("/tmp/netlab-test-outside") == FileState::dangling);
    CHECK(leads_to("../../../../../../tmp/netlab-test-outside") == FileState::dangling);
    CHECK(leads_to("/proc/1/root/etc/passwd") == FileState::dangling);
    CHECK(leads_to("/proc/self/fd/0") == FileState::dangling);
    CHECK(leads_to("/etc/resolv.conf") == FileState::loop);
    CHECK(leads_to("resolv.conf") == FileState::loop);
    fs::remove("/tmp/netlab-test-outside");
}

TEST_CASE("container files: a directory on the way may be a link, too, and a file is none", "[netns]") {
    const Root root;
    fs::create_directories(root.path + "/run");
    std::ofstream(root.path + "/run/resolv.conf") << "moved";
    fs::remove(root.path + "/etc");
    fs::create_directory_symlink("/run", root.path + "/etc");
    CHECK(root.read() == "moved");
    fs::remove(root.path + "/etc");
    std::ofstream(root.path + "/etc") << "a file";
    CHECK(root.state() == FileState::missing);
}

TEST_CASE("container files: the links that /proc makes lead nowhere", "[netns]") {
    const UniqueFd real(::open("/", O_PATH | O_CLOEXEC | O_DIRECTORY));
    CHECK(kernel::open_container_file(real.get(), "/proc/self/fd/0").look.state == FileState::loop);
    CHECK(kernel::open_container_file(real.get(), "/proc/self/root/etc/passwd").look.state ==
          FileState::loop);
}

TEST_CASE("container files: a FIFO, a device, a socket, a directory and nothing at all are no file to read",
          "[netns]") {
    const Root root;
    const auto path = root.file();
    CHECK(root.state() == FileState::missing);
    const auto is_special = [&](mode_t kind) {
        const auto opened = root.open();
        CHECK_FALSE(opened.file);
        CHECK(opened.look.state == FileState::special);
        CHECK((opened.look.mode & S_IFMT) == kind);
        fs::remove(path);
    };
    REQUIRE(::mkfifo(path.c_str(), 0666) == 0);
    is_special(S_IFIFO);
    for (const auto& [major, minor] : {std::pair(1, 3), std::pair(1, 5), std::pair(5, 0)}) {
        REQUIRE(::mknod(path.c_str(), S_IFCHR | 0666, makedev(major, minor)) == 0);
        is_special(S_IFCHR);
    }
    REQUIRE(::mknod(path.c_str(), S_IFBLK | 0666, makedev(7, 0)) == 0);
    is_special(S_IFBLK);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    is_special(S_IFSOCK);
    fs::create_directory(path);
    is_special(S_IFDIR);
}

TEST_CASE("container files: a file that nobody may read is read, and its mode told", "[netns]") {
    const Root root;
    std::ofstream(root.file()) << "secret";
    REQUIRE(::chmod(root.file().c_str(), 0) == 0);
    CHECK(root.read() == "secret");
    CHECK((root.open().look.mode & 0777U) == 0);
}

TEST_CASE("container files: a file of 1 GiB is opened at once", "[netns]") {
    const Root root;
    std::ofstream(root.file()) << "nameserver 192.0.2.1\n";
    REQUIRE(::truncate(root.file().c_str(), 1 << 30) == 0);
    const auto start = std::chrono::steady_clock::now();
    CHECK(root.read().starts_with("nameserver 192.0.2.1\n"));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(100));
}

TEST_CASE("container files: a file system without a disk is read from by a child, and says the same",
          "[netns]") {
    const Root root;
    const Mount memory("tmpfs", root.path + "/etc", "tmpfs");
    CHECK(root.state() == FileState::missing);
    std::ofstream(root.file()) << "nameserver 127.0.0.11\n";
    CHECK(root.state() == FileState::regular);
    CHECK(root.read() == "nameserver 127.0.0.11\n");
    CHECK((root.open().look.mode & 0777U) == 0644);
    REQUIRE(::truncate(root.file().c_str(), 1 << 30) == 0);
    CHECK(root.read().starts_with("nameserver 127.0.0.11\n"));
    struct stat copy {};
    REQUIRE(::fstat(root.open().file.get(), &copy) == 0);
    CHECK(copy.st_size == kernel::ContainerFile::copied);
    fs::remove(root.file());
    fs::create_symlink("/proc/self/fd/0", root.file());
    CHECK(root.state() == FileState::dangling);
    fs::remove(root.file());
    fs::create_directory(root.file());
    CHECK(root.state() == FileState::special);
    CHECK(all_children_end());
}

TEST_CASE("container files: one on a disk is opened itself, without a child", "[netns]") {
    const Root root;
    std::ofstream(root.file()) << "nameserver 127.0.0.11\n";
    struct stat there {};
    REQUIRE(::stat(root.file().c_str(), &there) == 0);
    struct stat opened {};
    REQUIRE(::fstat(root.open().file.get(), &opened) == 0);
    // Where /tmp is on no disk this is a copy.
    const bool on_disk = major(there.st_dev) != 0;
    CHECK((opened.st_ino == there.st_ino && opened.st_dev == there.st_dev) == on_disk);
}

TEST_CASE("container files: a file system that never answers is given up in time, and nobody waits on",
          "[netns]") {
    const Root root;
    fs::create_directories(root.path + "/fuse");
    const HangingMount hanging(root.path + "/fuse", HangingMount::Server::reads_nothing);
    fs::create_symlink("/fuse/resolv.conf", root.file());
    const auto start = std::chrono::steady_clock::now();
    CHECK(root.state() == FileState::silent);
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(took >= kernel::file_patience);
    CHECK(took < kernel::file_patience + std::chrono::seconds(2));
    CHECK(all_children_end());
}

TEST_CASE("container files: of a file system that cannot be left only so many wait, without privileges",
          "[netns]") {
    using namespace std::chrono_literals;
    const Root root;
    const Root other("other-root");
    const Mount memory("tmpfs", other.path + "/etc", "tmpfs");
    std::ofstream(other.file()) << "nameserver 127.0.0.11\n";
    fs::create_directories(root.path + "/fuse");
    fs::create_symlink("/fuse/resolv.conf", root.file());
    {
        const HangingMount hanging(root.path + "/fuse", HangingMount::Server::reads_and_is_silent);
        const auto look = [&] {
            return kernel::open_container_file(root.directory.get(), "/etc/resolv.conf", 50ms).look;
        };
        // One that is ended before the server has read its question does end.
        CHECK(support::eventually(
            [&] {
                (void)look();
                return waiting_children().size() >= kernel::WaitingChildren::of_one_place;
            },
            20s));
        CHECK(support::eventually([&] { return look().state == FileState::silent; }, 2s));
        for (int i = 0; i < 4; ++i)
            CHECK(look().state == FileState::silent);
        const auto waiting = waiting_children();
        CHECK(waiting.size() == kernel::WaitingChildren::of_one_place);
        for (const auto child : waiting) {
            constexpr const char* to_look = "0000000000080004";  // DAC_READ_SEARCH, SYS_PTRACE
            CHECK(support::process_status(child, "CapPrm") == to_look);
            CHECK(support::process_status(child, "CapEff") == to_look);
        }
        // Nobody else waits for them.
        CHECK(other.read() == "nameserver 127.0.0.11\n");
    }
    fs::remove(root.file());
    const Mount memory_here("tmpfs", root.path + "/etc", "tmpfs");
    std::ofstream(root.file()) << "nameserver 192.0.2.1\n";
    // Nobody has waited for those that have ended by now.
    CHECK(support::eventually([&] { return root.read() == "nameserver 192.0.2.1\n"; }, 5s));
    CHECK(all_children_end());
}
