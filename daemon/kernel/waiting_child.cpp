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

constexpr std::chrono::milliseconds end_patience{50};

struct Slot {
    std::atomic<pid_t> who{0};  ///< 0: free; the parent until its child has a PID
    std::atomic<std::uint64_t> place{0};
    std::atomic<Clock::rep> until{0};  ///< it was to be killed then

    [[nodiscard]] bool is_of(std::uint64_t wanted) const { return who != 0 && place == wanted; }
    /// Killing it does not end it, or its parent did not live to do so.
    [[nodiscard]] bool is_stuck() const {
        return Clock::now() > Clock::time_point(Clock::duration(until)) + end_patience;
    }
    void free_of(pid_t ended) { who.compare_exchange_strong(ended, 0); }
};
using Slots = std::array<Slot, WaitingChildren::most>;

Slots own_slots;
Slots* slots = &own_slots;

bool has_ended(pid_t process) {
    const UniqueFd handle(::pidfd_open(process, 0));
    if (!handle) return errno == ESRCH;
    pollfd ended{handle.get(), POLLIN, 0};
    return ::poll(&ended, 1, 0) > 0;
}

/// Of a child that ended after its parent had given it up, and of a parent that was killed, nobody else may
/// tell: a worker may live for days.
void free_those_of_the_dead() {
    for (auto& slot : *slots) {
        if (const pid_t who = slot.who; who != 0 && has_ended(who)) slot.free_of(who);
    }
}

std::size_t stuck_at(std::uint64_t place) {
    return static_cast<std::size_t>(std::ranges::count_if(
        *slots, [&](const Slot& slot) { return slot.is_of(place) && slot.is_stuck(); }));
}

/// nullptr: none is free for that place. Who asks at the same moment may get one more each.
Slot* take_slot(std::uint64_t place, Clock::time_point until) {
    const auto count = [](auto is) { return static_cast<std::size_t>(std::ranges::count_if(*slots, is)); };
    if (count([&](const Slot& slot) { return slot.is_of(place); }) >= WaitingChildren::of_one_place)
        return nullptr;
    // Places that hang may not take what others need.
    const auto free = count([](const Slot& slot) { return slot.who == 0; });
    if (free <= WaitingChildren::kept_free && stuck_at(place) > 0) return nullptr;
    for (auto& slot : *slots) {
        pid_t nobody = 0;
        if (!slot.who.compare_exchange_strong(nobody, ::getpid())) continue;
        slot.place = place;
        slot.until = until.time_since_epoch().count();
        return &slot;
    }
    return nullptr;
}

/// nullptr with ETIMEDOUT where that place hangs, with EBUSY where there is only no room just now.
Slot* await_slot(std::uint64_t place, Clock::time_point until) {
    constexpr timespec pause{0, 5'000'000};
    for (;;) {
        if (auto* slot = take_slot(place, until)) return slot;
        free_those_of_the_dead();
        // What hangs is not waited for anew by each.
        const bool hangs = stuck_at(place) >= WaitingChildren::of_one_place;
        if (hangs || Clock::now() >= until) {
            errno = hangs ? ETIMEDOUT : EBUSY;
            return nullptr;
        }
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

/// What is left of it where it cannot be ended is not to hold the daemon's rights: only those to look,
/// without SYS_PTRACE a link through /proc/PID would be refused and not told as what it is.
bool keep_only_sight() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
    constexpr auto sight = (std::uint32_t{1} << CAP_DAC_READ_SEARCH) | (std::uint32_t{1} << CAP_SYS_PTRACE);
    const auto kept = sets[0].permitted & sight;
    sets = {};
    sets[0].permitted = sets[0].effective = kept;
    return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

/// 0 where it has ended by itself in that time.
int wait_for_end(pid_t child, Clock::time_point until) {
    const UniqueFd handle(::pidfd_open(child, 0));
    if (!handle) return errno;
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
    ::kill(child, SIGKILL);
    static_cast<void>(wait_for_end(child, Clock::now() + end_patience));
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
    for (auto& slot : *slots)
        slot.free_of(ended);
}

int run_in_child(std::uint64_t place, std::chrono::milliseconds patience, std::span<const int> kept,
                 const std::function<void()>& work) {
    const auto until = Clock::now() + patience;
    std::vector<int> sorted(kept.begin(), kept.end());
    std::ranges::sort(sorted);
    auto* slot = await_slot(place, until);
    if (slot == nullptr) return errno;
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(EXIT_FAILURE);  // it had died before
        keep_only(sorted);
        if (!keep_only_sight()) ::_exit(EXIT_FAILURE);
        work();
        ::_exit(EXIT_SUCCESS);
    }
    if (child < 0) {
        const int error = errno;
        slot->free_of(parent);
        return error;
    }
    auto reserved = parent;
    slot->who.compare_exchange_strong(reserved, child);
    if (const int error = wait_for_end(child, until); error != 0) {
        if (end(child)) slot->free_of(child);
        return error;
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    slot->free_of(child);
    return status == 0 ? 0 : EPERM;
}

}  // namespace netlab::kernel
