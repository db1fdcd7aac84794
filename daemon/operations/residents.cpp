#include "daemon/operations/residents.hpp"

#include <algorithm>

namespace netlab::operations {

bool is_in_cgroup_of(std::string_view cgroups, std::string_view id) {
    // "0::/docker/ID", "…/system.slice/docker-ID.scope", "…/libpod-ID/container". Behind that its own root
    // may have added to the path whatever he likes.
    constexpr std::string_view hex = "0123456789abcdef";
    constexpr std::size_t length = 64;
    for (std::size_t at = 0; at < cgroups.size();) {
        const auto line = cgroups.substr(at, cgroups.find('\n', at) - at);
        at += line.size() + 1;
        for (auto begin = line.find_first_of(hex); begin != line.npos;
             begin = line.find_first_of(hex, begin)) {
            const auto end = std::min(line.find_first_not_of(hex, begin), line.size());
            if (end - begin == length) {
                if (line.substr(begin, length) == id) return true;
                break;
            }
            begin = end;
        }
    }
    return false;
}

std::optional<Sleep> judge_sleep(std::span<const SocketUse> sockets, const api::Target& paused) {
    const api::Target* sleeper = nullptr;
    bool runs = false;
    bool unseen = sockets.empty();
    for (const auto& socket : sockets) {
        // Any of those who have a socket takes what comes to it.
        if (socket.runs)
            runs = true;
        else if (socket.sleeper != nullptr)
            sleeper = socket.sleeper;
        unseen = unseen || (!socket.runs && (socket.sleeper == nullptr || !socket.all_seen));
    }
    using Extent = Sleep::Extent;
    if (unseen) return Sleep{Extent::unknown, sleeper == nullptr ? paused : *sleeper};
    if (sleeper == nullptr) return std::nullopt;
    return Sleep{runs ? Extent::some : Extent::all, *sleeper};
}

Residents Residents::read(const api::Context& context) {
    Residents out;
    for (const auto& resident : context.residents) {
        if (resident.state == api::State::paused) out.paused_.push_back(resident);
    }
    if (out.paused_.empty()) return out;
    std::string cgroups;
    kernel::for_each_process([&](pid_t pid, int directory) {
        constexpr std::size_t longest = 8192;
        kernel::read_small_file(directory, "cgroup", longest, cgroups);
        const auto its = std::ranges::find_if(out.paused_, [&](const api::Target& container) {
            return is_in_cgroup_of(cgroups, container.id);
        });
        if (its != out.paused_.end())
            out.sleepers_.emplace(pid, static_cast<std::size_t>(its - out.paused_.begin()));
    });
    out.all_told_ = std::ranges::all_of(
        out.paused_, [&](const api::Target& container) { return out.sleepers_.contains(container.pid); });
    return out;
}

SocketUse Residents::use_of(const kernel::SocketHolders& holders, std::uint64_t socket) const {
    SocketUse use;
    const auto found = holders.of(socket);
    for (const auto& holder : found) {
        const auto its = sleepers_.find(holders.process(holder).host_pid);
        if (its != sleepers_.end())
            use.sleeper = &paused_[its->second];
        else if (all_told_)
            use.runs = true;
    }
    use.all_seen = holders.complete() && all_told_;
    return use;
}

std::optional<Sleep> Residents::asleep(const kernel::SocketHolders& holders,
                                       std::span<const std::uint64_t> sockets,
                                       const std::optional<api::Namespace>& where) const {
    const auto lives_there = [&](const api::Target& container) {
        return where && container.namespace_ && container.namespace_->inode == where->inode &&
               container.namespace_->device == where->device;
    };
    const auto paused = std::ranges::find_if(paused_, lives_there);
    if (paused == paused_.end()) return std::nullopt;
    std::vector<SocketUse> uses;
    for (const auto socket : sockets)
        uses.push_back(use_of(holders, socket));
    return judge_sleep(uses, *paused);
}

}  // namespace netlab::operations
