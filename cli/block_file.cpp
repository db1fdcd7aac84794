#include "cli/block_file.hpp"

#include "common/pcapng_reader.hpp"

#include <cerrno>
#include <csignal>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>

namespace netlab::cli {

namespace {

/// SIGINT and SIGTERM wait while it lives.
class SignalsHeld {
  public:
    SignalsHeld() {
        sigset_t held;
        ::sigemptyset(&held);
        ::sigaddset(&held, SIGINT);
        ::sigaddset(&held, SIGTERM);
        ::sigprocmask(SIG_BLOCK, &held, &before_);
    }
    ~SignalsHeld() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
    SignalsHeld(const SignalsHeld&) = delete;
    SignalsHeld& operator=(const SignalsHeld&) = delete;

  private:
    sigset_t before_{};
};

struct Attempt {
    std::size_t written = 0;
    int error_number = 0;
};

Attempt write_all(int file, std::span<const std::byte> bytes) {
    Attempt attempt;
    while (attempt.written < bytes.size()) {
        const auto written = ::write(file, bytes.data() + attempt.written, bytes.size() - attempt.written);
        if (written >= 0) {
            attempt.written += static_cast<std::size_t>(written);
        } else if (errno != EINTR) {
            attempt.error_number = errno;
            break;
        }
    }
    return attempt;
}

/// Of the first `limit` bytes, how many are whole blocks.
std::size_t whole_blocks(std::span<const std::byte> blocks, std::size_t limit) {
    std::size_t at = 0;
    // Behind the section any block may be the first of a write: its order has been checked when it came.
    for (auto order : {pcapng::ByteOrder::ours, pcapng::ByteOrder::swapped}) {
        at = 0;
        for (;;) {
            const auto block = pcapng::first_block(blocks.subspan(at), order);
            if (!block || !*block || at + (*block)->bytes.size() > limit) break;
            at += (*block)->bytes.size();
        }
        if (at > 0) break;
    }
    return at;
}

}  // namespace

Result<BlockFile> BlockFile::create(const std::string& path) {
    UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600));
    if (!file) return system_error(errc::operation_failed, "write " + path, errno);
    return BlockFile(std::move(file), path);
}

BlockFile::BlockFile(UniqueFd file, std::string name) : file_(std::move(file)), name_(std::move(name)) {
    struct stat status {};
    regular_ = ::fstat(file_.get(), &status) == 0 && S_ISREG(status.st_mode);
}

Error BlockFile::failed(int error_number) const {
    auto error = system_error(errc::operation_failed, "write " + name_, error_number);
    if (regular_) error.hint = "what it holds is whole packets, up to here";
    return error;
}

Result<BlockFile::Written> BlockFile::write(std::span<const std::byte> blocks) {
    std::optional<SignalsHeld> held;
    if (regular_) held.emplace();
    const auto attempt = write_all(file_.get(), blocks);
    size_ += attempt.written;
    if (attempt.error_number == 0) return Written::all;
    if (attempt.error_number == EPIPE) return Written::unwanted;
    if (regular_) {
        const auto torn = attempt.written - whole_blocks(blocks, attempt.written);
        // It ends where the last write has ended, also where it was opened for appending.
        const auto end = ::lseek(file_.get(), 0, SEEK_CUR);
        if (end >= 0 && ::ftruncate(file_.get(), end - static_cast<off_t>(torn)) != 0)
            return system_error(errc::operation_failed, "cut " + name_ + " behind its last whole packet",
                                errno);
        size_ -= torn;
    }
    return failed(attempt.error_number);
}

Result<void> BlockFile::close() {
    if (file_ && ::close(file_.release()) != 0 && errno != EINTR) return failed(errno);
    return {};
}

}  // namespace netlab::cli
