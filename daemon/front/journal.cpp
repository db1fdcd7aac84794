#include "daemon/front/journal.hpp"

#include "common/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

namespace netlab::front {

namespace {

UniqueFd channel;
std::uint64_t lost = 0;  ///< entries that journald did not take, since the last one that it took

/// 0 or an errno.
int send_entry(std::string_view entry) {
    sockaddr_un journald{};
    journald.sun_family = AF_UNIX;
    constexpr std::string_view path = "/run/systemd/journal/socket";
    std::ranges::copy(path, journald.sun_path);
    // With its address each time: journald may be another one by now.
    const auto sent = ::sendto(channel.get(), entry.data(), entry.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                               reinterpret_cast<const sockaddr*>(&journald), sizeof journald);
    return sent < 0 ? errno : 0;
}

}  // namespace

bool open_journal() {
    channel.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!channel) return false;
    const std::string first[] = {"MESSAGE=serving; requests are audited here", "PRIORITY=6",
                                 "SYSLOG_IDENTIFIER=netlabd"};
    if (write_journal(first)) return true;
    channel.reset();  // a front that was taken over could send from it to others
    return false;
}

bool write_journal(std::span<const std::string> fields) {
    if (lost > 0) {
        const auto told = "MESSAGE=" + std::to_string(lost) +
                          " entries of the audit were lost: journald did not take them\nPRIORITY=3\n"
                          "SYSLOG_IDENTIFIER=netlabd\n";
        if (send_entry(told) == 0) lost = 0;
    }
    std::string entry;
    for (const auto& field : fields)
        entry.append(field).append("\n");
    const int error = send_entry(entry);
    // One that hangs must not hold up whoever asks for something; the log would go the same way.
    if (error == EAGAIN || error == ENOBUFS) ++lost;
    return error == 0 || error == EAGAIN || error == ENOBUFS;
}

}  // namespace netlab::front
