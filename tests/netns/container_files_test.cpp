#include "daemon/launcher/container_files.hpp"

#include "tests/support/catch.hpp"

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

using namespace netlab;

namespace {

namespace fs = std::filesystem;

/// A directory that plays a container's root.
struct Root {
    Root() : path("/tmp/netlab-test-root-" + std::to_string(::getpid())) {
        fs::create_directories(path + "/etc");
        directory.reset(::open(path.c_str(), O_PATH | O_CLOEXEC | O_DIRECTORY));
    }
    ~Root() { fs::remove_all(path); }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;

    /// What is read of /etc/resolv.conf: "-" where there is no file to read.
    [[nodiscard]] std::string read() const {
        const auto file = launcher::open_container_file(directory.get(), "/etc/resolv.conf");
        if (!file) return "error: " + file.error().message;
        if (!*file) return "-";
        char buffer[64];
        const auto size = ::read(file->get(), buffer, sizeof buffer);
        return {buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
    }

    std::string path;
    UniqueFd directory;
};

}  // namespace

TEST_CASE("container files: a regular file is read", "[netns]") {
    const Root root;
    std::ofstream(root.path + "/etc/resolv.conf") << "nameserver 127.0.0.11\n";
    CHECK(root.read() == "nameserver 127.0.0.11\n");
}

TEST_CASE("container files: a link is resolved inside the container's root, never outside", "[netns]") {
    const Root root;
    std::ofstream(root.path + "/inside") << "inside";
    std::ofstream outside("/tmp/netlab-test-outside");
    outside << "outside";
    outside.close();
    fs::create_symlink("/inside", root.path + "/etc/resolv.conf");
    CHECK(root.read() == "inside");
    for (const char* target : {"/tmp/netlab-test-outside", "../../../../../../tmp/netlab-test-outside",
                               "/proc/1/root/etc/passwd", "/proc/self/fd/0", "/etc/resolv.conf"}) {
        INFO(target);
        fs::remove(root.path + "/etc/resolv.conf");
        fs::create_symlink(target, root.path + "/etc/resolv.conf");
        CHECK(root.read() == "-");
    }
    fs::remove("/tmp/netlab-test-outside");
}

TEST_CASE("container files: a FIFO, a device, a directory and nothing at all are no file to read",
          "[netns]") {
    const Root root;
    const auto path = root.path + "/etc/resolv.conf";
    CHECK(root.read() == "-");
    REQUIRE(::mkfifo(path.c_str(), 0666) == 0);
    CHECK(root.read() == "-");
    fs::remove(path);
    REQUIRE(::mknod(path.c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0);
    CHECK(root.read() == "-");
    fs::remove(path);
    fs::create_directory(path);
    CHECK(root.read() == "-");
}
