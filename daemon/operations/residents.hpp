#pragma once

#include "common/api/context.hpp"
#include "daemon/kernel/processes.hpp"

#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

/// Containers that live in one network namespace, one of them paused: whose program would take what comes to
/// a socket there. The cgroup freezer stops a container's processes, whatever their namespaces.
namespace netlab::operations {

/// A paused container whose programs would take it.
struct Sleep {
    enum class Extent : std::uint8_t {
        all,   ///< nobody else has the socket
        some,  ///< others have sockets of the same place, too (SO_REUSEPORT): it is theirs or the sleeper's
        unknown,  ///< who has the socket could not be seen, and it may be that one
    };
    Extent extent = Extent::all;
    api::Target target;
    friend bool operator==(const Sleep&, const Sleep&) = default;
};

/// No program runs that would take it.
[[nodiscard]] inline bool is_asleep(const std::optional<Sleep>& sleep) {
    return sleep && sleep->extent == Sleep::Extent::all;
}

/// Whether /proc/PID/cgroup is that of a process of the container: engines put the full ID, 64 hexadecimal
/// digits, into the path, and the first of a line counts.
/// Pure.
[[nodiscard]] bool is_in_cgroup_of(std::string_view cgroups, std::string_view id);

/// Who has one socket.
struct SocketUse {
    bool runs = false;                     ///< somebody who is not paused
    const api::Target* sleeper = nullptr;  ///< a paused container
    bool all_seen = true;                  ///< false: somebody else may have it, too
};
/// Of all sockets of one place. `paused`: who it may be where that could not be seen. nullopt: whoever would
/// take it runs. Pure.
[[nodiscard]] std::optional<Sleep> judge_sleep(std::span<const SocketUse> sockets, const api::Target& paused);

class Residents {
  public:
    /// For `prepare` with Needs::processes. Looks at processes only where somebody is paused, and of
    /// `context` at its residents.
    [[nodiscard]] static Residents read(const api::Context& context);

    /// Whether whose socket it is counts anywhere.
    [[nodiscard]] bool matter() const { return !paused_.empty(); }
    /// Of the sockets of one place in that namespace, by their inodes. `holders` must be settled.
    [[nodiscard]] std::optional<Sleep> asleep(const kernel::SocketHolders& holders,
                                              std::span<const std::uint64_t> sockets,
                                              const std::optional<api::Namespace>& where) const;

  private:
    [[nodiscard]] SocketUse use_of(const kernel::SocketHolders& holders, std::uint64_t socket) const;

    std::vector<api::Target> paused_;
    std::map<std::int32_t, std::size_t> sleepers_;  ///< a process' container in `paused_`
    bool all_told_ = true;                          ///< each has a process in a cgroup of its own
};

}  // namespace netlab::operations
