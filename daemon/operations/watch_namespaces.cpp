#include "daemon/kernel/namespace.hpp"
#include "daemon/operations/directory_watch.hpp"
#include "daemon/operations/interface_facts.hpp"
#include "daemon/operations/operation.hpp"

#include <algorithm>
#include <memory>

#include <dirent.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/stat.h>

namespace netlab::operations::watch_namespaces {

namespace {

using Clock = Output::Clock;
using std::chrono::milliseconds;

/// For one dump. What changes without end is shown as it was when the time was over.
constexpr milliseconds patience{250};
/// Enough for what a machine has; each costs a descriptor here. Those beyond are left out.
constexpr std::size_t most_namespaces = 2000;
constexpr std::uint32_t groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;

/// What belongs together comes within this time: a veth, its address, its state.
constexpr milliseconds burst{20};
/// The front backs off where a watcher ended sooner than 50 ms: names that come and go are no failure.
constexpr milliseconds shortest_life{60};
/// `ip netns add` makes a file first and binds the namespace to it then, and nothing tells of the second
/// step.
constexpr milliseconds youth{1500};

struct Watched {
    api::NamespaceRecord record;
    UniqueFd socket;  ///< empty where none could be opened: its identity is all that is known
};

struct Handles {
    DirectoryWatch watch;
    std::vector<Watched> namespaces;
    std::optional<milliseconds> look_again;  ///< there are files that may become namespaces
};

bool is_young(const std::string& path, milliseconds& age) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
    const auto changed =
        std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::seconds(status.st_ctim.tv_sec) + std::chrono::nanoseconds(status.st_ctim.tv_nsec)));
    age = std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now() - changed);
    return age >= milliseconds(-1000) && age < youth;
}

std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), &::closedir);
    if (!open) return names;
    while (const dirent* entry = ::readdir(open.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    std::ranges::sort(names);
    return names;
}

Result<Watched> watch_namespace(int net, std::string id) {
    const auto identity = kernel::identity_of(net);
    if (!identity) return identity.error();
    Watched watched;
    watched.record.id = std::move(id);
    watched.record.device = identity->device;
    watched.record.inode = identity->inode;
    if (::setns(net, CLONE_NEWNET) != 0)
        return system_error(errc::operation_failed, "enter a network namespace", errno);
    if (auto socket = kernel::open_route_socket(groups)) watched.socket = std::move(*socket);
    return watched;
}

void watch_directory(const std::string& directory, Handles& handles) {
    for (const auto& name : names_in(directory)) {
        if (handles.namespaces.size() >= most_namespaces) return;
        auto path = directory + "/" + name;
        const auto net = kernel::open_namespace(path.c_str());
        if (net) {
            if (auto watched = watch_namespace(net->get(), path))
                handles.namespaces.push_back(std::move(*watched));
            continue;
        }
        milliseconds age{};
        if (!is_young(path, age)) continue;
        // Soon at first, then seldom, and never for ever: it is no longer young after two or three times.
        const auto wait = age < milliseconds(200) ? milliseconds(60) : milliseconds(400);
        handles.look_again = std::min(handles.look_again.value_or(wait), wait);
    }
}

Result<Handles> prepare(Namespaces&, const api::WatchNamespacesRequest& request, const api::Context&) {
    auto watch = DirectoryWatch::open();
    if (!watch) return watch.error();
    Handles handles{std::move(*watch), {}, {}};
    const auto own = kernel::open_own_namespace();
    if (!own) return own.error();
    auto host = watch_namespace(own->get(), "");
    if (!host) return host.error();
    handles.namespaces.push_back(std::move(*host));
    for (auto directory : request.directories) {
        while (directory.size() > 1 && directory.ends_with('/'))
            directory.pop_back();
        if (auto added = handles.watch.add(directory); !added) return added.error();
        watch_directory(directory, handles);
    }
    return handles;
}

/// Which of them have changed, and when each is to be read.
class Following {
  public:
    Following(Handles& handles, Output& output) : handles_(handles), output_(output) {
        polled_.push_back({handles.watch.descriptor(), POLLIN, 0});
        for (const auto& watched : handles.namespaces)
            polled_.push_back({watched.socket.get(), POLLIN, 0});
        pauses_.resize(handles.namespaces.size());
    }

    void say_all() {
        for (std::size_t i = 0; i < handles_.namespaces.size(); ++i) {
            read(i);
            output_.record(handles_.namespaces[i].record);
        }
        api::NamespaceRecord mark;
        mark.complete = true;
        output_.record(mark);
    }

    /// Until a name comes or goes.
    void follow(std::optional<Clock::time_point> until) {
        const auto start = Clock::now();
        while (!until || Clock::now() < *until) {
            auto wake = until;
            for (const auto& pause : pauses_) {
                if (pause.due) wake = wake ? std::min(*wake, *pause.due) : *pause.due;
            }
            output_.wait(polled_, wake);
            if (polled_[0].revents != 0 && handles_.watch.changed()) {
                const auto end = std::max(Clock::now() + burst, start + shortest_life);
                until = until ? std::min(*until, end) : end;
            }
            for (std::size_t i = 0; i < pauses_.size(); ++i)
                attend(i);
        }
    }

  private:
    /// A namespace that has changed is read once a burst is over; until then nobody listens to it. Each has a
    /// pause of its own: one that changes without end holds up no other, and gets a tenth of this process'
    /// time.
    struct Pause {
        std::optional<Clock::time_point> due;
        Clock::duration cost{};
    };

    void attend(std::size_t i) {
        auto& pause = pauses_[i];
        auto& polled = polled_[i + 1];
        const auto length = std::max<Clock::duration>(burst, 10 * pause.cost);
        if (!pause.due) {
            if (polled.revents == 0) return;
            pause.due = Clock::now() + length;
            polled.fd = -1;  // poll(2) skips it
            polled.revents = 0;
        } else if (Clock::now() >= *pause.due) {
            auto& record = handles_.namespaces[i].record;
            const auto before = record.interfaces;
            const auto start = Clock::now();
            const bool again = read(i);
            pause.cost = Clock::now() - start;
            if (record.interfaces != before) output_.record(record);
            pause.due.reset();
            if (again) {
                pause.due = Clock::now() + std::max<Clock::duration>(burst, 10 * pause.cost);
            } else {
                polled.fd = handles_.namespaces[i].socket.get();
            }
        }
    }

    /// True where it changed again meanwhile.
    bool read(std::size_t i) {
        auto& [record, socket] = handles_.namespaces[i];
        if (!socket) return false;
        static_cast<void>(kernel::drain(socket.get()));
        auto interfaces = read_interfaces(socket.get(), patience);
        if (!interfaces) return interfaces.error().code == errc::timed_out;
        // Every container's start and end would change the host's record by a bridge port that nobody asks
        // for.
        std::erase_if(interfaces->facts,
                      [](const auto& facts) { return facts.port && facts.addresses.empty(); });
        record.interfaces = std::move(interfaces->facts);
        return interfaces->notified;
    }

    Handles& handles_;
    Output& output_;
    std::vector<pollfd> polled_;  ///< the directories, then each namespace's socket
    std::vector<Pause> pauses_;   ///< of each namespace
};

Result<void> run(Handles& handles, const api::WatchNamespacesRequest&, const api::Context&, Output& output) {
    Following following(handles, output);
    following.say_all();
    following.follow(handles.look_again ? std::optional(Clock::now() + *handles.look_again) : std::nullopt);
    return {};
}

// An hour of CPU time for a process that lives for months; the front starts it again after that.
const Registration<api::WatchNamespacesRequest> registered{
    operation<prepare, run>({.cpu_seconds = 3600, .descriptors = most_namespaces + 64})};

}  // namespace

}  // namespace netlab::operations::watch_namespaces
