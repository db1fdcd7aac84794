#include "tests/netns/hanging_mount.hpp"

#include "tests/support/catch.hpp"

#include <array>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <unistd.h>

namespace netlab::test {

Mount::Mount(const char* source, std::string at, const char* type, const std::string& options)
    : path(std::move(at)) {
    REQUIRE(::mount(source, path.c_str(), type, 0, options.c_str()) == 0);
}

Mount::~Mount() {
    ::umount2(path.c_str(), MNT_DETACH);
}

HangingMount::HangingMount(const std::string& path, Server server)
    : fuse_(::open("/dev/fuse", O_RDWR | O_CLOEXEC)),
      mount_("netlab-test", path, "fuse",
             "fd=" + std::to_string(fuse_.get()) + ",rootmode=40000,user_id=0,group_id=0"),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    if (server == Server::reads_and_is_silent) reader_ = std::thread([this] { read_on(); });
}

HangingMount::~HangingMount() {
    const std::uint64_t one = 1;
    CHECK(::write(stop_.get(), &one, sizeof one) == sizeof one);
    if (reader_.joinable()) reader_.join();
}

void HangingMount::read_on() const {
    std::vector<char> buffer(FUSE_MIN_READ_BUFFER + 128 * 1024);
    std::array<pollfd, 2> waiting{{{fuse_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    while (::poll(waiting.data(), waiting.size(), -1) > 0 && waiting[1].revents == 0) {
        const auto size = ::read(fuse_.get(), buffer.data(), buffer.size());
        fuse_in_header question{};
        if (size < static_cast<ssize_t>(sizeof question)) continue;
        std::memcpy(&question, buffer.data(), sizeof question);
        if (question.opcode != FUSE_INIT) continue;
        struct {
            fuse_out_header header;
            fuse_init_out init;
        } answer{};
        answer.header = {sizeof answer, 0, question.unique};
        answer.init.major = FUSE_KERNEL_VERSION;
        answer.init.minor = FUSE_KERNEL_MINOR_VERSION;
        answer.init.max_write = 64 * 1024;
        static_cast<void>(::write(fuse_.get(), &answer, sizeof answer));
    }
}

}  // namespace netlab::test
