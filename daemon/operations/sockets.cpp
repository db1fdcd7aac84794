#include "common/api/sockets.hpp"

#include "daemon/kernel/processes.hpp"
#include "daemon/kernel/sock_diag.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/interface_names.hpp"
#include "daemon/operations/socket_rows.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

/// `netlab sockets`: sock_diag of each target, and /proc for who holds them.
namespace netlab::operations::sockets {

namespace {

using api::SocketKind;
using kernel::DumpEnd;

struct TargetSockets {
    UniqueFd diag;
    UniqueFd route;  ///< for the names of interfaces
    UniqueFd raw;    ///< /proc/net/raw and raw6, for kernels without raw_diag
    UniqueFd raw6;
};

struct Handles {
    std::vector<Result<TargetSockets>> targets;
    std::vector<bool> is_host;  ///< for each target: it is the namespace that the daemon is in
    kernel::SocketHolders holders;
};

Result<TargetSockets> open_sockets(bool raw) {
    auto diag = kernel::open_sock_diag_socket();
    if (!diag) return diag.error();
    auto route = kernel::open_route_socket();
    if (!route) return route.error();
    TargetSockets sockets{std::move(*diag), std::move(*route), {}, {}};
    if (raw) {
        sockets.raw = UniqueFd(::open("/proc/thread-self/net/raw", O_RDONLY | O_CLOEXEC));
        sockets.raw6 = UniqueFd(::open("/proc/thread-self/net/raw6", O_RDONLY | O_CLOEXEC));
    }
    return sockets;
}

Result<Handles> prepare(Namespaces& namespaces, const api::SocketsRequest& request,
                        const api::Context& context) {
    Handles handles;
    struct stat own {};
    // Of this thread: it is in the daemon's own until it enters another.
    const bool known = ::stat("/proc/thread-self/ns/net", &own) == 0;
    for (std::size_t i = 0; i < context.targets.size(); ++i) {
        const auto& target = namespaces[i];
        handles.is_host.push_back(!known || (target.device == own.st_dev && target.inode == own.st_ino));
    }
    if (request.processes && !request.summary) handles.holders = kernel::SocketHolders::read();
    const bool raw = is_wanted(request, SocketKind::raw);
    handles.targets =
        open_in_each(namespaces, 0, context.targets.size(), [&](std::size_t) { return open_sockets(raw); });
    return handles;
}

/// The sockets of one target, as rows or counted.
class Inspection {
  public:
    Inspection(const api::SocketsRequest& request, const std::string& target, const TargetSockets& sockets,
               const kernel::SocketHolders* holders, Rows& rows)
        : request_(request), sockets_(sockets), holders_(holders), rows_(rows) {
        row_.target = target;
    }

    Result<void> run() {
        Result<void> last;
        for (const auto kind :
             {SocketKind::tcp, SocketKind::udp, SocketKind::raw, SocketKind::unix_, SocketKind::packet}) {
            const auto states = is_wanted(request_, kind) ? wanted_states(request_, kind) : 0;
            if (states == 0) continue;
            if (auto done = dump(kind, states); !done) {
                if (done.error().code != errc::unsupported) return done;
                last = done;  // the other kinds are to be seen all the same
            }
        }
        for (const auto& [protocol, state, count] : counts_)
            rows_.add(api::SocketSummaryRow{row_.target, std::string(protocol),
                                            std::string(socket_state_name(state)), count});
        return last;
    }

  private:
    struct Count {
        std::string_view protocol;
        std::uint8_t state = 0;
        std::uint64_t count = 0;
    };

    Result<void> dump(SocketKind kind, std::uint32_t states) {
        switch (kind) {
            case SocketKind::tcp:
                if (!request_.family) return dump_inet("tcp", AF_UNSPEC, IPPROTO_TCP, states);
                return dump_inet("tcp", family(), IPPROTO_TCP, states);
            case SocketKind::udp:
                return dump_families("udp", IPPROTO_UDP, states);
            case SocketKind::raw:
                return dump_families("raw", IPPROTO_RAW, states);
            case SocketKind::unix_:
                return dump_unix(states);
            case SocketKind::packet:
                return dump_packet();
        }
        return {};
    }

    [[nodiscard]] std::uint8_t family() const { return request_.family == Family::ipv4 ? AF_INET : AF_INET6; }

    Result<void> dump_families(std::string_view name, std::uint8_t protocol, std::uint32_t states) {
        for (const std::uint8_t each : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
            if (request_.family && each != family()) continue;
            if (auto done = dump_inet(name, each, protocol, states); !done) return done;
        }
        return {};
    }

    Result<void> dump_inet(std::string_view name, std::uint8_t family, std::uint8_t protocol,
                           std::uint32_t states) {
        kernel::InetQuery query{family, protocol, states};
        query.local_port = request_.source_port.value_or(0);
        query.remote_port = request_.destination_port.value_or(0);
        query.tcp_info = request_.tcp_info && !request_.summary;
        query.memory = request_.memory && !request_.summary;
        const auto take = [&](const kernel::InetSocket& socket) {
            // RAW is not asked by state (raw_diag.c), and 0 asks for any port.
            if ((states & (1U << socket.state)) == 0) return;
            if (request_.source_port && socket.local_port != *request_.source_port) return;
            if (request_.destination_port && socket.remote_port != *request_.destination_port) return;
            if (request_.summary) return count(name, socket.state);
            fill_row(row_, socket, name);
            add(socket.interface);
        };
        const auto end = kernel::dump_inet_sockets(sockets_.diag.get(), query, take);
        if (end && !end->supported && protocol == IPPROTO_RAW) {
            const int file = family == AF_INET ? sockets_.raw.get() : sockets_.raw6.get();
            if (file >= 0) read_raw_file(file, family, take);
            return file >= 0 || family == AF_INET6 ? Result<void>() : not_told("raw");
        }
        return ended(end, name);
    }

    /// Unknown is not none.
    static Error not_told(std::string_view kind) {
        return {errc::unsupported,
                "this kernel does not tell of " + std::string(kind) + " sockets",
                "its module " + std::string(kind) + "_diag is missing",
                {}};
    }

    static void read_raw_file(int file, std::uint8_t family,
                              const std::function<void(const kernel::InetSocket&)>& take) {
        std::string text;
        std::array<char, 16 * 1024> piece;
        kernel::InetSocket socket;
        for (;;) {
            const auto got = ::read(file, piece.data(), piece.size());
            if (got <= 0) return;
            text.append(piece.data(), static_cast<std::size_t>(got));
            std::size_t begin = 0;
            for (auto end = text.find('\n'); end != text.npos; end = text.find('\n', begin)) {
                if (kernel::parse_proc_raw(std::string_view(text).substr(begin, end - begin), family, socket))
                    take(socket);
                begin = end + 1;
            }
            text.erase(0, begin);
        }
    }

    Result<void> dump_unix(std::uint32_t states) {
        const bool memory = request_.memory && !request_.summary;
        if (!request_.summary) {
            if (auto named = read_names(); !named) return named;
        }
        const auto end = kernel::dump_unix_sockets(
            sockets_.diag.get(), states, memory, [&](const kernel::UnixSocket& socket) {
                if (request_.summary) return count(unix_protocol(socket.type), socket.state);
                fill_row(row_, socket);
                if (socket.peer) {
                    if (const auto found = names_.find(*socket.peer); found != names_.end())
                        row_.remote.address = found->second;
                }
                add(0);
            });
        return ended(end, "unix");
    }

    /// What a connection's other end is called, which the kernel only tells by its inode.
    Result<void> read_names() {
        const auto end = kernel::dump_unix_sockets(
            sockets_.diag.get(), kernel::every_socket_state, false, [&](const kernel::UnixSocket& socket) {
                if (!socket.name.empty()) names_.emplace(socket.inode, unix_name(socket.name));
            });
        return ended(end, "unix");
    }

    Result<void> dump_packet() {
        const auto end =
            kernel::dump_packet_sockets(sockets_.diag.get(), [&](const kernel::PacketSocket& socket) {
                constexpr std::uint8_t closed = 7;
                if (request_.summary) return count(packet_protocol(socket.type), closed);
                fill_row(row_, socket);
                if (!request_.memory) row_.memory.reset();
                add(socket.interface);
            });
        return ended(end, "packet");
    }

    Result<void> ended(const Result<DumpEnd>& end, std::string_view kind) {
        if (!end) return end.error();
        if (!end->supported) return not_told(kind);
        rows_.note(end->consistent);
        return {};
    }

    void count(std::string_view protocol, std::uint8_t state) {
        for (auto& entry : counts_) {
            if (entry.protocol == protocol && entry.state == state) {
                ++entry.count;
                return;
            }
        }
        counts_.push_back({protocol, state, 1});
    }

    void add(std::uint32_t interface) {
        row_.interface.reset();
        if (interface != 0) row_.interface = interface_name(interface);
        find_processes();
        rows_.add(row_);
    }

    std::string interface_name(std::uint32_t index) {
        if (!names_read_) {
            names_read_ = true;
            auto read = InterfaceNames::read(sockets_.route.get());
            if (read) interfaces_ = std::move(*read);
        }
        return interfaces_[index];
    }

    void find_processes() {
        if (!holders_) return;
        row_.more_processes.reset();
        const auto holders = holders_->of(row_.inode);
        // Somebody may hold it whose descriptors could not be seen: then it is not known.
        if (row_.inode != 0 && holders.empty() && !holders_->complete()) {
            row_.processes.reset();
            return;
        }
        auto& list = row_.processes ? *row_.processes : row_.processes.emplace();
        // One socket may be held a million times; its row must stay one line.
        constexpr std::size_t most = 64;
        const auto count = row_.inode == 0 ? 0 : holders.size();
        list.resize(std::min(count, most));
        if (count > most) row_.more_processes = count - most;
        for (std::size_t i = 0; i < list.size(); ++i) {
            const auto& process = holders_->process(holders[i]);
            list[i].pid = process.pid;
            list[i].host_pid = process.host_pid;
            list[i].name = process.name;
            list[i].fd = holders[i].fd;
        }
    }

    const api::SocketsRequest& request_;
    const TargetSockets& sockets_;
    const kernel::SocketHolders* holders_;
    Rows& rows_;
    api::SocketRow row_;
    std::vector<Count> counts_;
    std::unordered_map<std::uint64_t, std::string> names_;
    InterfaceNames interfaces_{std::vector<kernel::Link>{}};
    bool names_read_ = false;
};

Result<void> run(Handles& handles, const api::SocketsRequest& request, const api::Context& context,
                 Output& output) {
    handles.holders.settle();
    const bool host_role = std::ranges::count(context.roles, api::Role::host) > 0;
    return inspect_each(context, output, [&](std::size_t i, Rows& rows) -> Result<void> {
        if (!handles.targets[i]) return handles.targets[i].error();
        const bool may = request.processes && !request.summary && (host_role || !handles.is_host[i]);
        return Inspection(request, context.targets[i].name, *handles.targets[i],
                          may ? &handles.holders : nullptr, rows)
            .run();
    });
}

const Registration<api::SocketsRequest> registered{
    operation<prepare, run>({.processes = true,
                             .cpu_seconds = 60,
                             .address_space = 1ULL << 30,
                             .descriptors = 4 * many_descriptors})};

}  // namespace

}  // namespace netlab::operations::sockets
