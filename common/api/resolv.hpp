#pragma once

#include "common/address.hpp"
#include "common/api/inspection.hpp"
#include "common/api/role.hpp"
#include "common/api/target.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/resolv: what a target resolves names with. A stream of one ResolvConfRow, one HostsRow, at most
/// one EmbeddedResolverRow, a ResolvServerRow for each server and each upstream, a ResolvFinding for each
/// thing that is worth a sentence, then an InspectionReport. Each server gets one question over UDP and one
/// over TCP, all at once, from the target's namespace.
struct ResolvRequest {
    std::string from;       ///< a target
    double wait_ms = 2000;  ///< for each answer; 30 seconds at most
    friend bool operator==(const ResolvRequest&, const ResolvRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(ResolvRequest, (), (from, wait_ms))

/// errc::bad_request.
[[nodiscard]] Result<void> check(const ResolvRequest& request, Roles roles);
[[nodiscard]] std::uint32_t deadline_ms(const ResolvRequest& request);

/// What is to be had of a file that a container owns.
enum class ResolvFileState : std::uint8_t {
    read,
    missing,     ///< there is no such file
    dangling,    ///< a link that leads to nothing inside the target's root
    loop,        ///< links that lead in a circle, or through /proc's links to open files
    not_a_file,  ///< a directory, a FIFO, a socket or a device: it was not opened
    unreadable,  ///< the kernel refused
    unknown,     ///< the target has no process by which its files could be reached
};
BOOST_DESCRIBE_ENUM(ResolvFileState, read, missing, dangling, loop, not_a_file, unreadable, unknown)

/// A line, or a word of one, that the resolver passes over.
struct IgnoredLine {
    std::uint32_t line = 0;  ///< counts from 1
    std::string text;        ///< 80 bytes of it at most
    std::string reason;
    friend bool operator==(const IgnoredLine&, const IgnoredLine&) = default;
};
BOOST_DESCRIBE_STRUCT(IgnoredLine, (), (line, text, reason))

/// resolv.conf(5) as glibc reads it.
struct ResolvConfRow {
    static constexpr std::string_view type = "resolv_conf";
    std::string target;
    std::string
        path;  ///< as the target has it; "/etc/netns/NAME/resolv.conf" where ip-netns(8) would show that one
    ResolvFileState state = ResolvFileState::read;
    std::string message;  ///< why it is not read, or what is odd about it; "" where there is nothing to say
    bool truncated = false;            ///< it is longer than the 64 KiB that were read
    std::vector<std::string> servers;  ///< that are asked: three at most, 127.0.0.1 where the file names
                                       ///< none; empty where nobody knows
    bool default_server = false;       ///< it names none
    std::vector<std::string> search;
    std::uint32_t ndots = 1;
    std::uint32_t timeout_s = 5;
    std::uint32_t attempts = 2;
    std::vector<std::string> options;  ///< the words of all option lines that the resolver knows
    std::vector<IgnoredLine> ignored;  ///< 20 at most
    std::uint32_t more_ignored = 0;    ///< beyond those
};
BOOST_DESCRIBE_STRUCT(ResolvConfRow, (),
                      (target, path, state, message, truncated, servers, default_server, search, ndots,
                       timeout_s, attempts, options, ignored, more_ignored))

struct HostsEntry {
    std::uint32_t line = 0;
    IpAddress address;
    std::vector<std::string> names;
    friend bool operator==(const HostsEntry&, const HostsEntry&) = default;
};
BOOST_DESCRIBE_STRUCT(HostsEntry, (), (line, address, names))

/// hosts(5), which comes before any server.
struct HostsRow {
    static constexpr std::string_view type = "hosts";
    std::string target;
    std::string path;
    ResolvFileState state = ResolvFileState::read;
    std::string message;
    bool truncated = false;
    std::vector<HostsEntry> entries;   ///< 1000 at most
    std::uint32_t more_entries = 0;    ///< beyond those
    std::vector<IgnoredLine> ignored;  ///< 20 at most
    std::uint32_t more_ignored = 0;
};
BOOST_DESCRIBE_STRUCT(HostsRow, (),
                      (target, path, state, message, truncated, entries, more_entries, ignored, more_ignored))

enum class ResolvOutcome : std::uint8_t {
    answered,     ///< whatever its rcode
    timed_out,    ///< nothing came
    refused,      ///< nobody listens: an ICMP "port unreachable", a TCP reset
    unreachable,  ///< no route to it, or another ICMP error
    forbidden,    ///< EPERM: a rule of the target's own lets the question not leave
    malformed,    ///< what came is no answer to the question
    failed,       ///< the kernel refused otherwise, or the connection broke off
    not_asked,    ///< it could only be asked from another namespace
};
BOOST_DESCRIBE_ENUM(ResolvOutcome, answered, timed_out, refused, unreachable, forbidden, malformed, failed,
                    not_asked)

/// What came of one question over one transport.
struct ResolvAnswer {
    ResolvOutcome outcome = ResolvOutcome::not_asked;
    std::optional<std::string> rcode;  ///< "NOERROR", "NXDOMAIN", …
    std::optional<double> elapsed_us;  ///< with TCP's handshake; absent where nothing came
    std::string message;               ///< the kernel's words for what went wrong
    friend bool operator==(const ResolvAnswer&, const ResolvAnswer&) = default;
};
BOOST_DESCRIBE_STRUCT(ResolvAnswer, (), (outcome, rcode, elapsed_us, message))

enum class ResolvServerKind : std::uint8_t {
    plain,     ///< some server
    docker,    ///< Docker's embedded resolver
    podman,    ///< aardvark-dns of one of the target's Podman networks
    upstream,  ///< that Docker's embedded resolver passes questions on to
};
BOOST_DESCRIBE_ENUM(ResolvServerKind, plain, docker, podman, upstream)

struct ResolvServerRow {
    static constexpr std::string_view type = "server";
    std::string target;
    std::string server;  ///< "127.0.0.11", "fe80::1%eth0"
    ResolvServerKind kind = ResolvServerKind::plain;
    std::string question;  ///< "2.0.18.172.in-addr.arpa PTR", ". NS"
    ResolvAnswer udp;
    ResolvAnswer tcp;
};
BOOST_DESCRIBE_STRUCT(ResolvServerRow, (), (target, server, kind, question, udp, tcp))

/// A rule of the target's own netfilter that the embedded resolver lives by.
struct ResolvRule {
    std::string backend;  ///< "nft" (nf_tables, iptables-nft) or "legacy" (iptables-legacy)
    std::string table;    ///< "ip nat", "ip docker-dns"
    std::string chain;
    std::optional<std::uint64_t> handle;  ///< nf_tables'
    std::optional<std::uint32_t> number;  ///< legacy: its place in the chain, from 1
    std::string text;                     ///< "-d 127.0.0.11 -p udp --dport 53 -j DNAT --to 127.0.0.11:34567"
    std::optional<std::uint64_t> packets;  ///< that it has matched, where it counts
    friend bool operator==(const ResolvRule&, const ResolvRule&) = default;
};
BOOST_DESCRIBE_STRUCT(ResolvRule, (), (backend, table, chain, handle, number, text, packets))

struct ResolvOwner {
    std::int32_t host_pid = 0;  ///< as the daemon's host counts
    std::string name;           ///< any bytes, 15 at most
    std::int32_t fd = 0;
    friend bool operator==(const ResolvOwner&, const ResolvOwner&) = default;
};
BOOST_DESCRIBE_STRUCT(ResolvOwner, (), (host_pid, name, fd))

/// A socket of the embedded resolver in the target's namespace.
struct ResolvSocket {
    std::uint64_t inode = 0;
    std::uint32_t uid = 0;             ///< of its owner, as the host counts
    std::optional<ResolvOwner> owner;  ///< absent: it is not known
    friend bool operator==(const ResolvSocket&, const ResolvSocket&) = default;
};
BOOST_DESCRIBE_STRUCT(ResolvSocket, (), (inode, uid, owner))

/// The way of a question to the engine's DNS over one transport.
struct ResolvPath {
    std::string protocol;                ///< udp, tcp
    std::optional<std::string> to;       ///< "127.0.0.11:34567": where the rules lead; absent: nowhere else
    std::optional<ResolvRule> rule;      ///< that leads there
    std::optional<ResolvSocket> socket;  ///< that is there
    std::vector<std::string>
        listening;  ///< other ports at its address where something listens: "127.0.0.11:40001"
    friend bool operator==(const ResolvPath&, const ResolvPath&) = default;
};
BOOST_DESCRIBE_STRUCT(ResolvPath, (), (protocol, to, rule, socket, listening))

/// Who says what the upstreams are.
enum class ResolvUpstreamSource : std::uint8_t {
    unknown,
    resolv_conf,  ///< a comment of the engine's in the container's resolv.conf (Docker 25 and later)
    container,    ///< the container's own --dns
    engine,       ///< the engine's configuration or command line
    host,         ///< the resolv.conf of the engine's host
};
BOOST_DESCRIBE_ENUM(ResolvUpstreamSource, unknown, resolv_conf, container, engine, host)

struct ResolvUpstream {
    std::string server;
    bool from_host = false;  ///< the engine asks it from the host's namespace, not from the target's
    friend bool operator==(const ResolvUpstream&, const ResolvUpstream&) = default;
};
BOOST_DESCRIBE_STRUCT(ResolvUpstream, (), (server, from_host))

/// What stands behind an engine's own DNS: behind 127.0.0.11 in a container of Docker's, whose rules and
/// sockets are in the container's namespace; behind a network's gateway with Podman, whose aardvark-dns is on
/// the host.
struct EmbeddedResolverRow {
    static constexpr std::string_view type = "embedded";
    std::string target;
    Runtime engine = Runtime::docker;
    std::string address;       ///< at port 53, as resolv.conf has it
    bool rules_known = false;  ///< false: the rules could not be read
    bool uncertain =
        false;  ///< rules with conditions that netlab does not know stand before the ones it tells of
    std::vector<ResolvPath> paths;         ///< udp, tcp
    std::vector<ResolvRule> source_rules;  ///< SNAT of what the resolver sends
    std::vector<ResolvUpstream> upstreams;
    ResolvUpstreamSource upstreams_from = ResolvUpstreamSource::unknown;
};
BOOST_DESCRIBE_STRUCT(EmbeddedResolverRow, (),
                      (target, engine, address, rules_known, uncertain, paths, source_rules, upstreams,
                       upstreams_from))

/// Stable names of what there is to say.
enum class ResolvFindingCode : std::uint8_t {
    no_resolv_conf,        ///< it cannot be read: programs ask 127.0.0.1
    private_resolv_conf,   ///< its mode lets only its owner read it
    nameserver_ignored,    ///< a nameserver line that is none, or the fourth and later
    no_embedded_dns,       ///< the engine's default network: no names of containers
    embedded_not_used,     ///< on a network where Docker's DNS would serve it, and not asking it
    loopback_server,       ///< a loopback address that nobody listens on here: the host's
    embedded_rules_gone,   ///< nothing leads from 127.0.0.11:53 to the embedded resolver
    embedded_socket_gone,  ///< the rules lead to where nobody listens
    embedded_silent,       ///< rules and sockets are there, the engine does not answer
    server_silent,         ///< over neither transport
    udp_silent,            ///< TCP works
    tcp_silent,            ///< UDP works
    server_failing,        ///< it answers SERVFAIL
    upstream_silent,
    loopback_down,  ///< lo is down: no loopback address can be asked
    no_network,     ///< its network mode is none: no server can be reached
};
BOOST_DESCRIBE_ENUM(ResolvFindingCode, no_resolv_conf, private_resolv_conf, nameserver_ignored,
                    no_embedded_dns, embedded_not_used, loopback_server, embedded_rules_gone,
                    embedded_socket_gone, embedded_silent, server_silent, udp_silent, tcp_silent,
                    server_failing, upstream_silent, loopback_down, no_network)

struct ResolvFinding {
    static constexpr std::string_view type = "finding";
    std::string target;
    ResolvFindingCode code = ResolvFindingCode::server_silent;
    bool problem = true;     ///< false: it is as it should be, and good to know
    std::string subject;     ///< the server, the file
    std::string message;     ///< a sentence
    std::string suggestion;  ///< what to do about it, a command where there is one
    friend bool operator==(const ResolvFinding&, const ResolvFinding&) = default;
};
BOOST_DESCRIBE_STRUCT(ResolvFinding, (), (target, code, problem, subject, message, suggestion))

}  // namespace netlab::api
