#include "daemon/supervisor.hpp"

#include "common/descriptor_message.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace netlab {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

std::array<UniqueFd, 2> packet_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) fail("socketpair");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// How long to wait before a process that keeps dying is started again.
class BackOff {
  public:
    void started(Clock::time_point now) { started_ = now; }
    [[nodiscard]] Clock::duration died(Clock::time_point now) {
        if (now - started_ > 1s) next_ = 0ms;
        const auto delay = next_;
        next_ = std::clamp<Clock::duration>(next_ * 2, 100ms, 5s);
        return delay;
    }

  private:
    Clock::time_point started_;
    Clock::duration next_ = 0ms;
};

/// Whether a child still turns its loop: it sends back what it is sent.
class Pulse {
  public:
    void begin(UniqueFd channel) {
        channel_ = std::move(channel);
        answered_ = Clock::now();
        asked_ = false;
    }
    void end() { channel_.reset(); }
    [[nodiscard]] int channel() const { return channel_.get(); }

    /// Asks where it has answered, and again now and then: an answer may get lost where the kernel has no
    /// memory for it. False where it has not answered for longer than `patience`.
    [[nodiscard]] bool beats(Clock::time_point now, Clock::duration patience) {
        if (!channel_) return true;
        char byte = 0;
        while (::recv(channel_.get(), &byte, 1, MSG_DONTWAIT) == 1) {
            answered_ = now;
            asked_ = false;
        }
        constexpr int questions = 4;  // within `patience`
        if (!asked_ || now - sent_ >= patience / questions) {
            // From the first question on: while this process was stopped itself nobody was asked. A channel
            // that cannot be asked on is silent, too.
            if (!std::exchange(asked_, true)) answered_ = now;
            sent_ = now;
            (void)::send(channel_.get(), "P", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        return now - answered_ <= patience;
    }

  private:
    UniqueFd channel_;
    Clock::time_point answered_;
    Clock::time_point sent_;
    bool asked_ = false;
};

std::string describe(int status) {
    if (WIFSIGNALED(status)) return std::string("was killed by ") + ::strsignal(WTERMSIG(status));
    return "ended with status " + std::to_string(WEXITSTATUS(status));
}

class Supervisor {
  public:
    Supervisor(const Children& children, UniqueFd listener, Watchdog watchdog)
        : children_(children), listener_(std::move(listener)), patience_(watchdog.patience) {
        sigemptyset(&signals_);
        for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP})
            sigaddset(&signals_, signal);
        if (sigprocmask(SIG_BLOCK, &signals_, &before_) != 0) fail("sigprocmask");
        // Workers of a launcher that was killed become ours, and are waited for.
        if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) fail("PR_SET_CHILD_SUBREAPER");
    }

    int supervise() {
        start_both();
        ::sd_notify(0, "READY=1\nSTATUS=Serving.");
        const auto interval = watch_interval();
        for (;;) {
            const int signal = wait_signal(signals_, Clock::now() + interval);
            if (signal == SIGTERM || signal == SIGINT) return stop();
            if (signal == SIGCHLD && !reap()) return stop();
            look_after(front_, front_pulse_, "front");
            look_after(launcher_, launcher_pulse_, "launcher");
            ::sd_notify(0, "WATCHDOG=1");
        }
    }

  private:
    /// A third of what the children have, or of what the service manager gives (sd_watchdog_enabled(3)).
    [[nodiscard]] Clock::duration watch_interval() const {
        Clock::duration interval = patience_ > 0s ? Clock::duration(patience_) / 3 : Clock::duration(1h);
        std::uint64_t manager = 0;
        if (::sd_watchdog_enabled(0, &manager) > 0)
            interval = std::min<Clock::duration>(interval, std::chrono::microseconds(manager) / 3);
        return interval;
    }

    void look_after(pid_t child, Pulse& pulse, const char* name) {
        if (patience_ == 0s || child <= 0 || pulse.beats(Clock::now(), patience_)) return;
        spdlog::error("the {} (pid {}) has not answered for {} s: it is killed", name, child,
                      patience_.count());
        ::kill(child, SIGKILL);
    }

    /// False where a stop was asked for while it waited.
    bool reap() {
        bool launcher_died = false;
        bool front_died = false;
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            if (pid == launcher_) {
                launcher_died = true;
                launcher_ = -1;
                spdlog::error("the launcher (pid {}) {}", pid, describe(status));
            } else if (pid == front_) {
                front_died = true;
                front_ = -1;
                spdlog::error("the front (pid {}) {}", pid, describe(status));
            }
        }
        if (front_died) {
            if (!launcher_died) end(launcher_, 2s);  // it ends by itself, and its workers before it
            return start_again(front_back_off_, [&] { start_both(); });
        }
        return !launcher_died || start_again(launcher_back_off_, [&] { hand_over(start_launcher()); });
    }

    /// After its pause, and again where not even a process can be had. False where a stop was asked for
    /// meanwhile.
    template <class Start>
    bool start_again(BackOff& back_off, Start start) {
        for (;;) {
            if (!pause(back_off.died(Clock::now()))) return false;
            try {
                start();
                return true;
            } catch (const std::system_error& failure) {
                spdlog::error("cannot start it again: {}", failure.what());
                end(launcher_, 2s);  // where it was the front that could not be had
            }
        }
    }

    /// False where a stop was asked for meanwhile.
    bool pause(Clock::duration delay) {
        sigset_t stops;
        sigemptyset(&stops);
        sigaddset(&stops, SIGTERM);
        sigaddset(&stops, SIGINT);
        return wait_signal(stops, Clock::now() + delay) == 0;
    }

    /// The signal, or 0 at `until`.
    static int wait_signal(const sigset_t& set, Clock::time_point until) {
        for (;;) {
            const auto left =
                std::max<std::int64_t>(0, std::chrono::nanoseconds(until - Clock::now()).count());
            const timespec timeout{static_cast<time_t>(left / 1'000'000'000),
                                   static_cast<long>(left % 1'000'000'000)};
            const int signal = ::sigtimedwait(&set, nullptr, &timeout);
            if (signal > 0) return signal;
            if (errno != EINTR) return 0;
        }
    }

    void start_both() {
        auto launcher_channel = start_launcher();
        auto channel = packet_pair();
        front_pulse_.begin(std::move(channel[0]));
        front_ = fork_child([&] {
            front_pulse_.end();
            launcher_pulse_.end();
            return children_.front(std::move(listener_), std::move(launcher_channel), std::move(channel[1]));
        });
        front_back_off_.started(Clock::now());
        spdlog::info("the front is pid {}, the launcher pid {}", front_, launcher_);
    }

    /// Returns the front's end of the new launcher's channel.
    UniqueFd start_launcher() {
        auto channel = packet_pair();
        auto control = packet_pair();
        launcher_pulse_.begin(std::move(control[0]));
        launcher_ = fork_child([&] {
            listener_.reset();
            front_pulse_.end();
            launcher_pulse_.end();
            channel[1].reset();
            return children_.launcher(std::move(channel[0]), std::move(control[1]));
        });
        launcher_back_off_.started(Clock::now());
        return std::move(channel[1]);
    }

    template <class Life>
    pid_t fork_child(Life life) {
        const pid_t parent = ::getpid();
        const pid_t child = ::fork();
        if (child < 0) fail("fork");
        if (child > 0) return child;
        int status = EXIT_FAILURE;
        try {
            sigprocmask(SIG_SETMASK, &before_, nullptr);
            ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
            ::unsetenv("NOTIFY_SOCKET");
            if (::getppid() == parent) status = life();
        } catch (const std::exception& exception) {
            spdlog::error("{}", exception.what());
        }
        // The supervisor's own objects are not this process' to destroy.
        std::_Exit(status);
    }

    void hand_over(UniqueFd channel) {
        const auto byte = std::byte{'L'};
        // A front that does not take it is hanging or dead; either way its end will come by SIGCHLD, not
        // here.
        if (send_with_descriptor(front_pulse_.channel(), std::span(&byte, 1), channel.get(),
                                 MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            spdlog::error("cannot hand the new launcher to the front: {}", std::strerror(errno));
        } else {
            spdlog::info("the launcher is pid {}", launcher_);
        }
    }

    /// Waits for a child, and kills it at the end of `patience`. With `impatient` it is told of a second
    /// SIGTERM or SIGINT.
    static void end(pid_t& child, Clock::duration patience, bool impatient = false) {
        if (child <= 0) return;
        const auto until = Clock::now() + patience;
        sigset_t chld;
        sigemptyset(&chld);
        sigaddset(&chld, SIGCHLD);
        if (impatient) {
            sigaddset(&chld, SIGTERM);
            sigaddset(&chld, SIGINT);
        }
        while (::waitpid(child, nullptr, WNOHANG) == 0) {
            const int signal = wait_signal(chld, until);
            if (signal == SIGTERM || signal == SIGINT) ::kill(child, SIGTERM);
            if (signal == 0) {
                ::kill(child, SIGKILL);
                ::waitpid(child, nullptr, 0);
                break;
            }
        }
        child = -1;  // its number may be somebody else's from now on
    }

    int stop() {
        ::sd_notify(0, "STOPPING=1");
        spdlog::info("stopping");
        if (front_ > 0) ::kill(front_, SIGTERM);
        end(front_, 15s, true);
        end(launcher_, 5s);
        return EXIT_SUCCESS;
    }

    const Children& children_;
    UniqueFd listener_;
    std::chrono::seconds patience_;
    Pulse front_pulse_;  ///< its channel also takes new launchers' channels
    Pulse launcher_pulse_;
    sigset_t signals_{};
    sigset_t before_{};
    pid_t launcher_ = -1;
    pid_t front_ = -1;
    BackOff launcher_back_off_;
    BackOff front_back_off_;
};

}  // namespace

int supervise(const Children& children, UniqueFd listener, Watchdog watchdog) {
    return Supervisor(children, std::move(listener), watchdog).supervise();
}

}  // namespace netlab
