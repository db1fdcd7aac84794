#include "daemon/operations/target_watch.hpp"

#include "daemon/kernel/namespace.hpp"
#include "daemon/kernel/pidfd.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

namespace netlab::operations {

namespace {

/// False only where /proc says that this PID is another process now, or none.
bool is_still(std::int32_t pid, std::uint64_t start_time) {
    const UniqueFd file(::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return errno != ENOENT && errno != ESRCH;
    std::array<char, 1024> text;
    const auto length = ::read(file.get(), text.data(), text.size());
    if (length < 0) return errno != ESRCH;
    const auto started = kernel::parse_start_time({text.data(), static_cast<std::size_t>(length)});
    return !started || *started == start_time;
}

}  // namespace

Result<TargetWatch> TargetWatch::open(const api::Target& target, const TargetHandle& handle) {
    TargetWatch watch;
    watch.target_ = target.name;
    auto result = target.runtime == api::Runtime::netns ? watch.watch_name(target, handle)
                                                        : watch.watch_process(target, handle.start_time);
    if (!result) return result.error();
    return watch;
}

Result<void> TargetWatch::watch_process(const api::Target& target, std::uint64_t start_time) {
    // A handle without a start time was not reached by this process: its PID may be anybody's.
    if (target.runtime == api::Runtime::host || target.pid <= 0 || start_time == 0) return {};
    process_.reset(::pidfd_open(target.pid, 0));
    if (!process_) {
        if (errno == ESRCH) return gone();
        return {};
    }
    // From here on the pidfd is that process or a dead one, so the start time settles which it is.
    if (!is_still(target.pid, start_time)) return gone();
    return {};
}

Result<void> TargetWatch::watch_name(const api::Target& target, const TargetHandle& handle) {
    const auto slash = target.id.rfind('/');
    if (slash == 0 || slash == std::string::npos) return {};
    file_ = target.id.substr(slash + 1);
    names_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!names_) return {};
    constexpr std::uint32_t events = IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    if (::inotify_add_watch(names_.get(), target.id.substr(0, slash).c_str(), events) < 0) {
        names_.reset();
        return {};
    }
    // It may have gone between its opening by the launcher and the watch.
    struct stat now {};
    if (::stat(target.id.c_str(), &now) != 0) {
        if (errno == ENOENT) return gone();
    } else if (handle.inode != 0 && (now.st_dev != handle.device || now.st_ino != handle.inode)) {
        return gone();
    }
    return {};
}

bool TargetWatch::name_is_gone() const {
    alignas(inotify_event) std::array<char, 4096> buffer;
    for (;;) {
        const auto length = ::read(names_.get(), buffer.data(), buffer.size());
        if (length <= 0) return false;
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(length);) {
            inotify_event event;
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const std::string_view name(buffer.data() + at + sizeof event,
                                        ::strnlen(buffer.data() + at + sizeof event, event.len));
            if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0 || name == file_)
                return true;
            at += sizeof event + event.len;
        }
    }
}

Error TargetWatch::gone() const {
    return {errc::target_gone, "'" + target_ + "' has ended", "netlab ls shows what is there now", {}};
}

Result<int> TargetWatch::wait(Output& output, std::span<pollfd> descriptors,
                              std::optional<Output::Clock::time_point> until) const {
    std::vector<pollfd> all(descriptors.begin(), descriptors.end());
    // poll(2) skips a negative descriptor.
    all.push_back({process_.get(), POLLIN, 0});
    all.push_back({names_.get(), POLLIN, 0});
    for (;;) {
        int ready = output.wait(all, until);
        const bool name_event = all.back().revents != 0;
        if (all[descriptors.size()].revents != 0) return gone();
        if (name_event && name_is_gone()) return gone();
        // Other names come and go in that directory too.
        if (name_event && --ready == 0 && (!until || Output::Clock::now() < *until)) continue;
        for (std::size_t i = 0; i < descriptors.size(); ++i)
            descriptors[i].revents = all[i].revents;
        return ready;
    }
}

}  // namespace netlab::operations
