#include "daemon/operations/resolver_files.hpp"

#include "daemon/operations/container_text.hpp"
#include "daemon/operations/hosts_file.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include <sys/stat.h>

namespace netlab::operations {

namespace {

using api::ResolvFileState;
using kernel::FileState;

std::string kind_of(std::uint32_t mode) {
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a FIFO";
    if (S_ISSOCK(mode)) return "a socket";
    if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
    return "no regular file";
}

std::string octal(std::uint32_t mode) {
    std::array<char, 16> text;
    std::snprintf(text.data(), text.size(), "%04o", mode & 07777U);
    return text.data();
}

/// Whatever the file holds, a row stays a line.
constexpr std::size_t most_ignored = 20;
constexpr std::size_t longest_text = 80;
constexpr std::size_t most_entries = 1000;

template <class Row, class Skipped>
void add_ignored(Row& row, const Skipped& skipped) {
    for (const auto& line : skipped) {
        if (row.ignored.size() >= most_ignored) break;
        row.ignored.push_back(
            {static_cast<std::uint32_t>(line.number), line.text.substr(0, longest_text), line.reason});
    }
    row.more_ignored = static_cast<std::uint32_t>(skipped.size() - row.ignored.size());
}

/// To glibc a file that it cannot open for these reasons is one that says nothing (resolv/resolv_conf.c);
/// others keep it waiting, or make it fail.
bool is_as_empty(const api::ResolvConfRow& row) {
    switch (row.state) {
        case ResolvFileState::read:
            return !row.truncated;
        case ResolvFileState::missing:
        case ResolvFileState::dangling:
        case ResolvFileState::loop:
            return true;
        default:
            return false;
    }
}

/// The text, and what the row says of it.
template <class Row>
std::string read_into(Row& row, const std::string& target, const OpenedFile& opened) {
    row.target = target;
    row.path = opened.about.path;
    auto verdict = judge(opened.about, target);
    row.state = verdict.state;
    row.message = std::move(verdict.message);
    auto content = read_container_text(opened.file);
    if (!content) {
        row.state = ResolvFileState::unreadable;
        row.message = content.error().message;
        return {};
    }
    row.truncated = content->truncated;
    if (row.truncated) row.message = row.path + " is longer than 64 KiB: what follows was not read";
    return std::move(content->text);
}

}  // namespace

FileVerdict judge(const ResolverFile& file, const std::string& target) {
    const auto& [state, mode, error] = file.look;
    switch (state) {
        case FileState::regular:
            if ((mode & S_IROTH) == 0)
                return {ResolvFileState::read,
                        "mode " + octal(mode) + ": only its owner's programs and root's can read it"};
            return {ResolvFileState::read, {}};
        case FileState::missing:
            return {ResolvFileState::missing, "there is no " + file.path};
        case FileState::dangling:
            return {ResolvFileState::dangling,
                    file.path + " is a link that leads to nothing inside " + target};
        case FileState::loop:
            return {ResolvFileState::loop,
                    file.path + " is a link that leads in a circle, or to an open file by way of /proc"};
        case FileState::special:
            return {ResolvFileState::not_a_file,
                    file.path + " is " + kind_of(mode) + ": netlab does not open it, a program in " + target +
                        " would" + (S_ISFIFO(mode) ? ", and hang there until somebody writes" : "")};
        case FileState::refused:
            return {ResolvFileState::unreadable, file.path + " cannot be opened: " + std::strerror(error)};
        case FileState::silent:
            return {ResolvFileState::unreadable,
                    "the file system under " + file.path + " does not answer: a FUSE or NFS server of " +
                        target + " hangs, and programs in it that look names up hang with it"};
        case FileState::unknown:
            break;
    }
    return {ResolvFileState::unknown, target + " has no process by which " + file.path + " could be reached"};
}

void complete(ResolverFile& about, const UniqueFd& file, const char* path) {
    if (about.path.empty()) about.path = path;
    if (file && about.look.state == FileState::unknown) about.look = {FileState::regular, 0644, 0};
}

ReadResolvConf read_resolv_conf_row(const std::string& target, const OpenedFile& opened) {
    ReadResolvConf out;
    auto& row = out.row;
    out.reading = read_resolv_conf(read_into(row, target, opened));
    const auto& conf = out.reading.conf;
    row.default_server = out.reading.default_server && is_as_empty(row);
    if (row.default_server || !out.reading.default_server) {
        for (const auto& server : conf.servers)
            row.servers.push_back(server.to_string());
    }
    for (const auto& domain : conf.search)
        row.search.push_back(domain);
    row.ndots = conf.ndots;
    row.timeout_s = static_cast<std::uint32_t>(conf.timeout.count());
    row.attempts = conf.attempts;
    for (const auto& option : out.reading.options)
        row.options.push_back(option);
    add_ignored(row, out.reading.skipped);
    row.more_ignored += static_cast<std::uint32_t>(out.reading.more_skipped);
    return out;
}

Result<void> need_known_servers(const api::ResolvConfRow& row, std::string hint) {
    if (!row.servers.empty()) return {};
    return Error{errc::operation_failed,
                 row.message + ": whom its programs would ask is not known",
                 std::move(hint),
                 {}};
}

api::HostsRow read_hosts_row(const std::string& target, const OpenedFile& opened) {
    api::HostsRow row;
    auto reading = read_hosts(read_into(row, target, opened));
    for (auto& line : reading.lines) {
        if (row.entries.size() >= most_entries) break;
        row.entries.push_back({static_cast<std::uint32_t>(line.number), line.address, std::move(line.names)});
    }
    row.more_entries = static_cast<std::uint32_t>(reading.lines.size() - row.entries.size());
    add_ignored(row, reading.skipped);
    return row;
}

}  // namespace netlab::operations
