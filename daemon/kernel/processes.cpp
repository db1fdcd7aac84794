#include "daemon/kernel/processes.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace netlab::kernel {

namespace {

constexpr std::size_t largest_small_file = 1 << 20;

/// Sockets that are held, of all processes together: 64 MiB of them.
constexpr std::size_t most_holders = 4'000'000;

/// The numbers of a line such as "Uid:\t0\t0\t0\t0".
template <class Each>
void for_each_number(std::string_view line, Each each) {
    while (!line.empty()) {
        const auto begin = std::min(line.find_first_of("0123456789"), line.size());
        line.remove_prefix(begin);
        std::uint32_t number = 0;
        const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
        if (error != std::errc{}) return;
        each(number);
        line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    }
}

bool is_number(const char* name) {
    return *name >= '0' && *name <= '9';
}

/// Calls `each(name, inode)` for every descriptor that is a socket, until it returns false. False where there
/// is no time left.
template <class Each>
bool for_each_socket(int descriptors, std::chrono::steady_clock::time_point until, Each each) {
    DirectoryReader names(descriptors);
    std::size_t seen = 0;
    for (const char* name = names.next(); *name != '\0'; name = names.next()) {
        if (!is_number(name)) continue;
        constexpr std::size_t now_and_then = 256;
        if (seen++ % now_and_then == 0 && std::chrono::steady_clock::now() > until) return false;
        char link[64];
        const auto length = ::readlinkat(descriptors, name, link, sizeof link);
        if (length <= 0) continue;
        const auto inode = socket_inode({link, static_cast<std::size_t>(length)});
        if (inode != 0 && !each(name, inode)) break;
    }
    return true;
}

}  // namespace

ProcessStatus parse_process_status(std::string_view text) {
    ProcessStatus status;
    // The name comes first, and the kernel escapes its newlines.
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        if (line.starts_with("NSpid:")) {
            for_each_number(
                line, [&](std::uint32_t number) { status.inner_pid = static_cast<std::int32_t>(number); });
        } else if (line.starts_with("PPid:")) {
            for_each_number(
                line, [&](std::uint32_t number) { status.parent_pid = static_cast<std::int32_t>(number); });
        } else if (line.starts_with("Threads:")) {
            for_each_number(line, [&](std::uint32_t number) { status.threads = number; });
        } else if (line.starts_with("State:\t") && line.size() > 7) {
            status.state = line[7];
        } else if (line.starts_with("Uid:")) {
            int column = 0;
            for_each_number(line, [&](std::uint32_t number) {
                if (column++ == 1) status.effective_uid = number;
            });
        }
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return status;
}

std::uint64_t socket_inode(std::string_view link) {
    constexpr std::string_view prefix = "socket:[";
    if (!link.starts_with(prefix)) return 0;
    link.remove_prefix(prefix.size());
    std::uint64_t inode = 0;
    const auto [end, error] = std::from_chars(link.data(), link.data() + link.size(), inode);
    return error == std::errc{} && end != link.data() + link.size() && *end == ']' ? inode : 0;
}

DirectoryReader::DirectoryReader(int directory) : directory_(directory) {}

const char* DirectoryReader::next() {
    constexpr std::size_t size = 32 * 1024;
    if (buffer_.empty()) buffer_.resize(size);
    if (at_ >= end_) {
        const auto got = ::syscall(SYS_getdents64, directory_, buffer_.data(), buffer_.size());
        if (got <= 0) return "";
        at_ = 0;
        end_ = static_cast<std::size_t>(got);
    }
    const auto* entry = reinterpret_cast<const dirent64*>(buffer_.data() + at_);
    at_ += entry->d_reclen;
    return entry->d_name;
}

bool for_each_process(const std::function<void(pid_t pid, int directory)>& each) {
    const UniqueFd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!proc) return false;
    DirectoryReader names(proc.get());
    for (const char* name = names.next(); *name != '\0'; name = names.next()) {
        if (!is_number(name)) continue;
        const UniqueFd directory(::openat(proc.get(), name, O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (directory) each(static_cast<pid_t>(std::strtol(name, nullptr, 10)), directory.get());
    }
    return true;
}

void read_small_file(int directory, const char* name, std::size_t most, std::string& out) {
    out.clear();
    const UniqueFd file(::openat(directory, name, O_RDONLY | O_CLOEXEC));
    if (!file) return;
    // Not into `out` itself, which would keep room for the most that there could be.
    static const auto buffer = std::make_unique_for_overwrite<char[]>(largest_small_file);
    most = std::min(most, largest_small_file);
    std::size_t size = 0;
    while (size < most) {
        const auto got = ::read(file.get(), buffer.get() + size, most - size);
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
    }
    out.assign(buffer.get(), size);
}

void read_status(int directory, std::string& out) {
    read_small_file(directory, "status", largest_small_file, out);
    const auto begin = out.find("\nGroups:");
    if (begin == out.npos) return;
    out.erase(begin, std::min(out.find('\n', begin + 1), out.size()) - begin);
    out.shrink_to_fit();
}

bool holds_socket(int directory, std::uint64_t inode) {
    const UniqueFd descriptors(::openat(directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    bool held = false;
    const auto compare = [&](const char*, std::uint64_t other) {
        held = other == inode;
        return !held;
    };
    if (descriptors)
        for_each_socket(descriptors.get(), std::chrono::steady_clock::now() + SocketHolders::patience,
                        compare);
    return held;
}

void SocketHolders::add(pid_t pid, int directory) {
    const UniqueFd descriptors(::openat(directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!descriptors) {
        // One that has just ended holds nothing.
        if (errno != ENOENT && errno != ESRCH) complete_ = false;
        return;
    }
    const auto before = holders_.size();
    const auto number = static_cast<std::uint32_t>(raw_.size());
    const bool all = for_each_socket(descriptors.get(), until_, [&](const char* name, std::uint64_t inode) {
        if (holders_.size() >= most_holders) {
            complete_ = false;
            return false;
        }
        int fd = 0;
        for (const char* digit = name; is_number(digit); ++digit)
            fd = fd * 10 + (*digit - '0');
        holders_.push_back({inode, number, fd});
        return true;
    });
    complete_ = complete_ && all;
    if (holders_.size() == before) return;
    auto& raw = raw_.emplace_back();
    raw.pid = pid;
    constexpr std::size_t longest_name = 64;
    read_small_file(directory, "comm", longest_name, raw.name);
    read_status(directory, raw.status);
}

SocketHolders SocketHolders::read() {
    SocketHolders holders;
    const bool all = for_each_process([&](pid_t pid, int directory) { holders.add(pid, directory); });
    holders.complete_ = holders.complete_ && all;
    return holders;
}

void SocketHolders::settle() {
    std::ranges::sort(holders_);
    for (auto& raw : raw_) {
        auto& process = processes_.emplace_back();
        process.host_pid = raw.pid;
        const auto inner = parse_process_status(raw.status).inner_pid;
        process.pid = inner != 0 ? inner : raw.pid;
        // The kernel adds one newline of its own.
        if (raw.name.ends_with('\n')) raw.name.pop_back();
        process.name = std::move(raw.name);
    }
    raw_.clear();
}

std::span<const SocketHolders::Holder> SocketHolders::of(std::uint64_t inode) const {
    // Not ranges::equal_range: clang 14 cannot take libstdc++'s subrange apart.
    const auto first = std::ranges::lower_bound(holders_, inode, {}, &Holder::inode);
    const auto last = std::ranges::upper_bound(holders_, inode, {}, &Holder::inode);
    return {first, last};
}

}  // namespace netlab::kernel
