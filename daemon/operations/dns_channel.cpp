#include "daemon/operations/dns_channel.hpp"

#include <array>
#include <charconv>
#include <cstring>

#include <ares.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace netlab::operations {

namespace {

/// A question under way. Its callback may come at once, later, or from ares_cancel.
struct Question {
    Family family = Family::ipv4;
    bool answered = false;
    NameOutcome outcome = NameOutcome::timed_out;
    std::vector<IpAddress> addresses;
};

Error ares_error(const char* what, int status) {
    return {errc::operation_failed, std::string("cannot ") + what + ": " + ::ares_strerror(status), {}, {}};
}

template <class Ttl, auto parse, auto bytes_of>
NameOutcome parse_addresses(unsigned char* message, int length, std::vector<IpAddress>& out) {
    std::array<Ttl, 64> rows;
    int count = static_cast<int>(rows.size());
    const int status = parse(message, length, nullptr, rows.data(), &count);
    // An alias to a name that has no address.
    if (status == ARES_ENODATA) return NameOutcome::no_data;
    if (status != ARES_SUCCESS) return NameOutcome::server_failure;
    for (int i = 0; i < count; ++i)
        out.push_back(bytes_of(rows[static_cast<std::size_t>(i)]));
    return out.empty() ? NameOutcome::no_data : NameOutcome::resolved;
}

IpAddress address_of(const ares_addrttl& row) {
    std::array<std::uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &row.ipaddr, bytes.size());
    return IpAddress::from_bytes(bytes);
}

IpAddress address_of_v6(const ares_addr6ttl& row) {
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &row.ip6addr, bytes.size());
    return IpAddress::from_bytes(bytes);
}

/// A server that neither knows, nor recurses, nor points elsewhere: glibc goes on to the next one.
bool is_lame(const unsigned char* message, int length) {
    if (message == nullptr || length < NS_HFIXEDSZ) return false;
    const bool authoritative = (message[2] & 0x04) != 0;
    const bool recursive = (message[3] & 0x80) != 0;
    const bool additional = message[10] != 0 || message[11] != 0;
    return !authoritative && !recursive && !additional;
}

NameOutcome outcome_of(int status, const unsigned char* message, int length) {
    switch (status) {
        case ARES_ENODATA:
            return is_lame(message, length) ? NameOutcome::refused : NameOutcome::no_data;
        case ARES_ENOTFOUND:
            return NameOutcome::no_such_name;
        case ARES_EREFUSED:
        case ARES_ENOTIMP:
        case ARES_EFORMERR:
            return NameOutcome::refused;
        case ARES_ECONNREFUSED:
            return NameOutcome::no_server;
        case ARES_ETIMEOUT:
        case ARES_ECANCELLED:
            return NameOutcome::timed_out;
        case ARES_EBADNAME:
        case ARES_EBADSTR:
            return NameOutcome::invalid_name;
        default:
            return NameOutcome::server_failure;
    }
}

extern "C" void netlab_dns_answered(void* argument, int status, int, unsigned char* message, int length) {
    auto& question = *static_cast<Question*>(argument);
    question.answered = true;
    if (status != ARES_SUCCESS) {
        question.outcome = outcome_of(status, message, length);
    } else if (question.family == Family::ipv4) {
        question.outcome = parse_addresses<ares_addrttl, &ares_parse_a_reply, &address_of>(
            message, length, question.addresses);
    } else {
        question.outcome = parse_addresses<ares_addr6ttl, &ares_parse_aaaa_reply, &address_of_v6>(
            message, length, question.addresses);
    }
}

/// c-ares 1.18 has no scope in a server's address: the socket itself is put on the interface. Without
/// privilege since Linux 5.7; before, such a server cannot be asked.
extern "C" int netlab_dns_zone(ares_socket_t socket, int, void* argument) {
    const auto& zone = *static_cast<const std::string*>(argument);
    int index = 0;
    const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), index);
    const bool numeric = error == std::errc{} && end == zone.data() + zone.size();
    const int result = numeric ? ::setsockopt(socket, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof index)
                               : ::setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, zone.data(),
                                              static_cast<socklen_t>(zone.size()));
    return result == 0 ? ARES_SUCCESS : ARES_ECONNREFUSED;
}

Result<void> set_server(ares_channel channel, const NameServer& server) {
    ares_addr_port_node node{};
    const auto bytes = server.address.bytes();
    node.family = server.address.is_v4() ? AF_INET : AF_INET6;
    std::memcpy(&node.addr, bytes.data(), bytes.size());
    node.udp_port = node.tcp_port = NAMESERVER_PORT;
    const int status = ::ares_set_servers_ports(channel, &node);
    if (status != ARES_SUCCESS) return ares_error("set the DNS server", status);
    auto* zone = server.zone.empty() ? nullptr : const_cast<std::string*>(&server.zone);
    ::ares_set_socket_configure_callback(channel, zone ? &netlab_dns_zone : nullptr, zone);
    return {};
}

/// The sockets that c-ares waits for now.
std::vector<pollfd> sockets_of(ares_channel channel) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets;
    const auto bits = static_cast<unsigned>(::ares_getsock(channel, sockets.data(), ARES_GETSOCK_MAXNUM));
    std::vector<pollfd> descriptors;
    for (unsigned i = 0; i < sockets.size(); ++i) {
        short events = 0;
        if (ARES_GETSOCK_READABLE(bits, i)) events |= POLLIN;
        if (ARES_GETSOCK_WRITABLE(bits, i)) events |= POLLOUT;
        if (events != 0) descriptors.push_back({sockets[i], events, 0});
    }
    return descriptors;
}

/// Ends what is still asked, so that no callback outlives its Question.
struct Cancelling {
    ares_channel channel;
    ~Cancelling() { ::ares_cancel(channel); }
};

}  // namespace

void AresDestroy::operator()(ares_channeldata* channel) const noexcept {
    ::ares_destroy(channel);
}

Result<DnsChannel> DnsChannel::open() {
    ares_options options{};
    in_addr nobody{htonl(INADDR_LOOPBACK)};
    char lookups[] = "b";
    // Every answer is wanted as it is; whom to ask next, and when, is decided by the resolver.
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP;
    options.timeout = 600'000;
    options.tries = 1;
    options.ndots = 1;
    options.servers = &nobody;
    options.nservers = 1;
    options.lookups = lookups;
    // All that c-ares would else read from the host's files is given, so it opens none but /dev/urandom.
    constexpr int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
                         ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST |
                         ARES_OPT_NOROTATE;
    ares_channel channel = nullptr;
    if (const int status = ::ares_init_options(&channel, &options, mask); status != ARES_SUCCESS) {
        return ares_error("set up the resolver", status);
    }
    return DnsChannel(AresChannel(channel));
}

Result<DnsReply> DnsChannel::ask(const NameServer& server, const std::string& name,
                                 std::span<const Family> families, Output::Clock::time_point until,
                                 const TargetWatch& watch, Output& output) {
    auto* channel = channel_.get();
    if (auto set = set_server(channel, server); !set) return set.error();
    std::vector<Question> questions(families.size());
    bool gone = false;
    {
        const Cancelling cancelling{channel};
        for (std::size_t i = 0; i < families.size(); ++i) {
            questions[i].family = families[i];
            const int type = families[i] == Family::ipv4 ? ns_t_a : ns_t_aaaa;
            ::ares_query(channel, name.c_str(), ns_c_in, type, &netlab_dns_answered, &questions[i]);
        }
        // "Connection refused" is told once for a socket, whichever question it is the answer to.
        const auto done = [&] {
            gone =
                std::ranges::find(questions, NameOutcome::no_server, &Question::outcome) != questions.end();
            return gone || std::ranges::all_of(questions, &Question::answered);
        };
        while (!done() && Output::Clock::now() < until) {
            auto sockets = sockets_of(channel);
            if (auto ready = watch.wait(output, sockets, until); !ready) return ready.error();
            for (const auto& socket : sockets) {
                const bool readable = (socket.revents & (POLLIN | POLLERR | POLLHUP)) != 0;
                const bool writable = (socket.revents & POLLOUT) != 0;
                if (!readable && !writable) continue;
                ::ares_process_fd(channel, readable ? socket.fd : ARES_SOCKET_BAD,
                                  writable ? socket.fd : ARES_SOCKET_BAD);
            }
        }
    }
    DnsReply reply;
    std::vector<NameOutcome> outcomes;
    for (auto& question : questions) {
        outcomes.push_back(gone && question.addresses.empty() ? NameOutcome::no_server : question.outcome);
        reply.addresses.insert(reply.addresses.end(), question.addresses.begin(), question.addresses.end());
    }
    reply.outcome = join(outcomes);
    return reply;
}

NameOutcome join(std::span<const NameOutcome> outcomes) {
    // The first that occurs is what the whole exchange came to.
    constexpr std::array order{
        NameOutcome::resolved, NameOutcome::no_data,   NameOutcome::no_such_name, NameOutcome::server_failure,
        NameOutcome::refused,  NameOutcome::timed_out, NameOutcome::no_server,    NameOutcome::invalid_name};
    for (const auto outcome : order) {
        if (std::ranges::find(outcomes, outcome) != outcomes.end()) return outcome;
    }
    return NameOutcome::timed_out;
}

}  // namespace netlab::operations
