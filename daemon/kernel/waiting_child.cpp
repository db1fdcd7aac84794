#include "daemon/kernel/waiting_child.hpp"

#include "common/unique_fd.hpp"
#include "daemon/kernel/pidfd.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <new>
#include <system_error>
#include <vector>

#include <linux/capability.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace netlab::kernel {

namespace {

using Clock = std::chrono::steady_clock;

struct Slot {
    std::atomic<pid_t> who{0};  ///< 0: free; the parent until its child has a PID
    std::atomic<std::uint64_t> place{0};
    std::atomic<bool> stuck{false};  ///< it was killed, and does not end
};
using Slots = std::array<Slot, WaitingChildren::most>;

Slots own_slots;
Slots* slots = &own_slots;

std::size_t count_of(std::uint64_t place, bool stuck_ones) {
    return static_cast<std::size_t>(std::ranges::count_if(*slots, [&](const Slot& slot) {
        return slot.who != 0 && slot.place == place && (!stuck_ones || slot.stuck);
    }));
}

/// nullptr: none is free for that place. Who asks at the same moment may get one more.
Slot* take_slot(std::uint64_t place) {
    if (count_of(place, false) >= WaitingChildren::of_one_place) return nullptr;
    for (auto& slot : *slots) {
        pid_t nobody = 0;
        if (!slot.who.compare_exchange_strong(nobody, ::getpid())) continue;
        slot.place = place;
        slot.stuck = false;
        return &slot;
    }
    return nullptr;
}

Slot* await_slot(std::uint64_t place, Clock::time_point until) {
    constexpr timespec pause{0, 5'000'000};
    for (;;) {
        if (auto* slot = take_slot(place)) return slot;
        // What hangs is not waited for anew by each.
        if (Clock::now() >= until || count_of(place, true) >= WaitingChildren::of_one_place) return nullptr;
        ::nanosleep(&pause, nullptr);
    }
}

void keep_only(std::span<const int> kept) {
    auto next = static_cast<unsigned>(STDERR_FILENO) + 1;
    for (const int fd : kept) {
        const auto here = static_cast<unsigned>(fd);
        if (here > next) ::close_range(next, here - 1, 0);
        next = here + 1;
    }
    ::close_range(next, ~0U, 0);
}

/// What is left of it where it cannot be ended is not to hold the daemon's rights.
bool keep_only_search() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
    constexpr auto search = std::uint32_t{1} << CAP_DAC_READ_SEARCH;
    const auto kept = sets[0].permitted & search;
    sets = {};
    sets[0].permitted = sets[0].effective = kept;
    return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

/// 0 where it has ended by itself in that time.
int wait_for_end(pid_t child, Clock::time_point until) {
    const UniqueFd handle(::pidfd_open(child, 0));
    pollfd ended{handle.get(), POLLIN, 0};
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
        const auto ready = ::poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (ready > 0) return 0;
        if (ready == 0) return ETIMEDOUT;
        if (errno != EINTR) return errno;
    }
}

/// False where it does not end: then it is left to whoever reaps those of this process, with its slot.
bool end(pid_t child) {
    constexpr std::chrono::milliseconds patience{50};
    ::kill(child, SIGKILL);
    static_cast<void>(wait_for_end(child, Clock::now() + patience));
    return ::waitpid(child, nullptr, WNOHANG) == child;
}

}  // namespace

void WaitingChildren::share() {
    void* shared = ::mmap(nullptr, sizeof(Slots), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    slots = new (shared) Slots;
}

void WaitingChildren::leave() {
    if (slots == &own_slots) return;
    ::munmap(slots, sizeof(Slots));
    slots = &own_slots;
}

void WaitingChildren::forget(pid_t ended) {
    for (auto& slot : *slots) {
        auto who = ended;
        slot.who.compare_exchange_strong(who, 0);
    }
}

int run_in_child(std::uint64_t place, std::chrono::milliseconds patience, std::span<const int> kept,
                 const std::function<void()>& work) {
    const auto until = Clock::now() + patience;
    std::vector<int> sorted(kept.begin(), kept.end());
    std::ranges::sort(sorted);
    auto* slot = await_slot(place, until);
    if (slot == nullptr) return ETIMEDOUT;
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(EXIT_FAILURE);  // it had died before
        keep_only(sorted);
        if (!keep_only_search()) ::_exit(EXIT_FAILURE);
        work();
        ::_exit(EXIT_SUCCESS);
    }
    const int fork_error = child < 0 ? errno : 0;
    slot->who = child < 0 ? 0 : child;
    if (child < 0) return fork_error;
    if (const int error = wait_for_end(child, until); error != 0) {
        if (end(child)) {
            slot->who = 0;
        } else {
            slot->stuck = true;
        }
        return error;
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    slot->who = 0;
    return status == 0 ? 0 : EPERM;
}

}  // namespace netlab::kernel
