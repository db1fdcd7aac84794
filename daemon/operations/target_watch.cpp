#include "daemon/operations/target_watch.hpp"

#include "daemon/kernel/namespace.hpp"
#include "daemon/kernel/pidfd.hpp"

#include <array>
#include <cerrno>
#include <vector>

#include <fcntl.h>

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
    if (auto result = watch.watch_process(target, handle.start_time); !result) return result.error();
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

Error TargetWatch::gone() const {
    return {errc::target_gone, "'" + target_ + "' has ended", "netlab ls shows what is there now", {}};
}

Result<void> TargetWatch::check() const {
    pollfd ended{process_.get(), POLLIN, 0};
    if (::poll(&ended, 1, 0) > 0 && ended.revents != 0) return gone();
    return {};
}

Result<int> TargetWatch::wait(Output& output, std::span<pollfd> descriptors,
                              std::optional<Output::Clock::time_point> until) const {
    std::vector<pollfd> all(descriptors.begin(), descriptors.end());
    // poll(2) skips a negative descriptor.
    all.push_back({process_.get(), POLLIN, 0});
    const int ready = output.wait(all, until);
    if (all.back().revents != 0) return gone();
    for (std::size_t i = 0; i < descriptors.size(); ++i)
        descriptors[i].revents = all[i].revents;
    return ready;
}

}  // namespace netlab::operations
