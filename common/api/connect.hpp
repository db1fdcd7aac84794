#pragma once

#include "common/api/cost.hpp"
#include "common/api/ping.hpp"
#include "common/api/role.hpp"

#include <optional>
#include <string_view>

namespace netlab::api {

/// POST /v1/connect: TCP connections, or UDP datagrams, from a target's namespace to one port. A stream of
/// the events below, the report last. One attempt is made after the other; a connection is given up with a
/// reset, so that neither side keeps anything of it (no TIME-WAIT).
struct ConnectRequest {
    std::string from;  ///< a target
    std::string to;    ///< what a program in `from` would type, or another target's name, or "host"
    std::uint16_t port = 0;
    bool udp = false;
    std::uint32_t count = 1;  ///< 0: until the client goes away
    double interval_ms =
        1000;  ///< from the beginning of one attempt to that of the next, if it is decided by then
    /// For each step: the handshake, the banner, the TLS handshake, a datagram's answer. The default is
    /// enough for two retransmissions and for the kernel to give up on a silent neighbour.
    double wait_ms = 4000;
    std::optional<Family> family;
    std::string interface;  ///< connect through this interface of `from`
    bool address = false;   ///< `to` is a target: take its address, ask no resolver
    bool banner = false;  ///< read what the other end says first (of UDP: show its answer), 256 bytes at most
    bool tls = false;     ///< send a ClientHello and see what comes
    std::string data;     ///< UDP: what to send; nothing is an empty datagram

    friend bool operator==(const ConnectRequest&, const ConnectRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(ConnectRequest, (),
                      (from, to, port, udp, count, interval_ms, wait_ms, family, interface, address, banner,
                       tls, data))

struct ConnectLimits {
    static constexpr std::uint32_t count = 10'000;  ///< of callers without the host role, as `interval_ms`
    static constexpr double interval_ms = 10;
    static constexpr std::size_t data = 1'200;  ///< bytes: fits into IPv6's smallest MTU
    static constexpr std::size_t banner = 256;  ///< bytes
};

/// errc::bad_request, or errc::limit_exceeded where only the caller's roles forbid it.
[[nodiscard]] Result<void> check(const ConnectRequest& request, Roles roles);

/// The time after which a worker with this request must have ended, in ms; 0 for an endless one.
[[nodiscard]] std::uint32_t deadline_ms(const ConnectRequest& request);

[[nodiscard]] Cost cost(const ConnectRequest& request, const Context& context);

struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
BOOST_DESCRIBE_STRUCT(Endpoint, (), (address, port))

/// First event: where it goes.
struct ConnectStart {
    static constexpr std::string_view type = "start";
    std::string from;
    std::string to;
    std::string protocol;  ///< tcp, udp
    Endpoint remote;
    std::string resolved_by;  ///< as in PingReport
};
BOOST_DESCRIBE_STRUCT(ConnectStart, (), (from, to, protocol, remote, resolved_by))

enum class ConnectOutcome : std::uint8_t {
    connected,    ///< TCP: the handshake was completed
    answered,     ///< UDP: a datagram came back
    silent,       ///< UDP: nothing came back, which says nothing
    refused,      ///< a reset, or an ICMP "port unreachable": what a program sees as ECONNREFUSED
    unreachable,  ///< another ICMP error, or the kernel of `from` itself would not send
    timed_out,    ///< TCP: nothing came back
    unresolved,   ///< no address for the name, nothing was sent
    partial,      ///< of a report: some attempts were connected or answered, others were not
};
BOOST_DESCRIBE_ENUM(ConnectOutcome, connected, answered, silent, refused, unreachable, timed_out, unresolved,
                    partial)

enum class RefusalWay : std::uint8_t {
    reset,  ///< a TCP segment with RST
    icmp,   ///< an ICMP error
    local,  ///< the kernel of `from` would not send
};
BOOST_DESCRIBE_ENUM(RefusalWay, reset, icmp, local)

/// Who said no, and how. What was not seen is absent.
struct Refusal {
    RefusalWay way = RefusalWay::local;
    /// The source of the ICMP error, or of the reset: anybody on the way can send a reset in the other end's
    /// name.
    std::optional<IpAddress> from;
    std::optional<std::uint32_t> icmp_type;
    std::optional<std::uint32_t> icmp_code;
    std::optional<std::uint32_t> ttl;      ///< that the reset arrived with
    std::optional<std::string> mac;        ///< of the machine that the reset came from on the link
    std::optional<std::string> interface;  ///< of `from` that the reset came in by
    std::string message;                   ///< "connection refused", "host unreachable", "no route"
    friend bool operator==(const Refusal&, const Refusal&) = default;
};
BOOST_DESCRIBE_STRUCT(Refusal, (), (way, from, icmp_type, icmp_code, ttl, mac, interface, message))

/// What came of a ClientHello. The certificate is not verified.
struct TlsAnswer {
    bool server_hello = false;
    std::optional<std::string> version;  ///< "TLSv1.3"
    std::optional<std::string> cipher;
    std::optional<std::string> alpn;     ///< the protocol that was chosen of h2 and http/1.1
    std::optional<std::string> subject;  ///< of the certificate, RFC 2253
    std::optional<std::string> error;    ///< why there is no ServerHello, or why the handshake ended after it
    friend bool operator==(const TlsAnswer&, const TlsAnswer&) = default;
};
BOOST_DESCRIBE_STRUCT(TlsAnswer, (), (server_hello, version, cipher, alpn, subject, error))

struct ConnectAttempt {
    static constexpr std::string_view type = "attempt";
    std::uint64_t seq = 0;  ///< counts from 1
    ConnectOutcome outcome = ConnectOutcome::timed_out;
    std::optional<Endpoint> local;  ///< absent where the kernel had not chosen one
    Endpoint remote;
    std::optional<double> handshake_us;  ///< from connect(2) to its end, as a program sees it
    std::optional<double> rtt_us;        ///< TCP: as the kernel measured the handshake; UDP: to the answer
    std::optional<std::uint32_t> mss;    ///< bytes of payload in a segment to the other end
    std::optional<std::uint32_t> retransmits;  ///< of the SYN; absent: none
    std::optional<std::uint32_t> bytes;        ///< of the datagram that came back
    std::optional<Refusal> refusal;
    /// `banner` of the request: what came, with \n, \r, \t, \\ and \xNN for what is no printable text; ""
    /// where nothing came in time.
    std::optional<std::string> banner;
    std::optional<std::string> closed;  ///< "end", "reset": the other end closed before anything else
    std::optional<TlsAnswer> tls;
};
BOOST_DESCRIBE_STRUCT(ConnectAttempt, (),
                      (seq, outcome, local, remote, handshake_us, rtt_us, mss, retransmits, bytes, refusal,
                       banner, closed, tls))

/// A socket of the other target that takes connections, or datagrams.
struct Listener {
    IpAddress address;  ///< 0.0.0.0 or ::: any
    std::uint16_t port = 0;
    std::optional<bool> v6only;            ///< of an IPv6 socket: false where it takes IPv4 too
    std::optional<std::string> interface;  ///< that it is bound to
    std::optional<std::uint32_t> waiting;  ///< TCP: connections that wait for accept(2)
    std::optional<std::uint32_t> backlog;  ///< TCP: how many may wait
    friend bool operator==(const Listener&, const Listener&) = default;
};
BOOST_DESCRIBE_STRUCT(Listener, (), (address, port, v6only, interface, waiting, backlog))

struct ConnectReport {
    static constexpr std::string_view type = "report";
    std::string from;
    std::string to;
    std::string protocol;
    std::optional<Endpoint> remote;
    std::string resolved_by;
    /// The attempts' where they agree; else partial, or the last one's where none came through.
    ConnectOutcome outcome = ConnectOutcome::unresolved;
    std::uint64_t attempts = 0;
    std::uint64_t connected = 0;
    std::uint64_t answered = 0;
    std::uint64_t silent = 0;
    std::uint64_t refused = 0;
    std::uint64_t unreachable = 0;
    std::uint64_t timed_out = 0;
    std::optional<RttSummary> handshake_us;  ///< of those connected; of UDP of those answered
    double elapsed_ms = 0;
    /// Where it did not come through and `to` is a target: its sockets, those of the port first, 32 at most.
    std::optional<std::vector<Listener>> listening;
    std::optional<std::string> explanation;  ///< why it is as it is, where netlab knows
    std::optional<std::string> suggestion;   ///< what to do about it, a command where there is one
};
BOOST_DESCRIBE_STRUCT(ConnectReport, (),
                      (from, to, protocol, remote, resolved_by, outcome, attempts, connected, answered,
                       silent, refused, unreachable, timed_out, handshake_us, elapsed_ms, listening,
                       explanation, suggestion))

/// Counts one more attempt in a report: its own counter, and what all of them come to until now.
void count(ConnectReport& report, ConnectOutcome outcome);

}  // namespace netlab::api
