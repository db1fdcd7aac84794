#pragma once

#include "common/address.hpp"
#include "common/api/role.hpp"
#include "common/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/describe.hpp>

namespace netlab::api {

enum class WhyProtocol : std::uint8_t { icmp, tcp, udp };
BOOST_DESCRIBE_ENUM(WhyProtocol, icmp, tcp, udp)

/// POST /v1/why: whether FROM can reach TO, and if not, where the packet ends and what stops it. A stream of
/// one WhyReport. What the kernels say of the way is held against one real packet (an echo, a SYN, a
/// datagram), its trace through the rules and its sightings on the interfaces.
struct WhyRequest {
    std::string from;  ///< a target
    std::string to;    ///< what a program in `from` would type, or another target's name, or "host"
    WhyProtocol protocol = WhyProtocol::icmp;
    std::uint16_t port = 0;  ///< of tcp and udp
    bool address = false;    ///< `to` is a target: take its address, ask no resolver
    std::optional<Family> family;
    bool probe = true;       ///< send the packet: takes Role::probe
    bool trace = true;       ///< have it traced through the rules, where the caller has Role::trace
    std::uint32_t size = 0;  ///< bytes of the IP packet (icmp and udp), not to be fragmented; 0: the smallest
    double wait_ms = 1000;   ///< for the answer
    friend bool operator==(const WhyRequest&, const WhyRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(WhyRequest, (),
                      (from, to, protocol, port, address, family, probe, trace, size, wait_ms))

/// errc::bad_request; errc::forbidden for a probe without Role::probe.
[[nodiscard]] Result<void> check(const WhyRequest& request, Roles roles);
[[nodiscard]] std::uint32_t deadline_ms(const WhyRequest& request);

enum class WhyVerdict : std::uint8_t {
    delivered,    ///< TO has answered; of UDP: the datagram came to a socket of TO's
    refused,      ///< it came to TO, where nothing takes it
    rejected,     ///< a rule answered with an error
    dropped,      ///< a rule or a chain's policy, without a word
    unreachable,  ///< no route, no neighbour, no forwarding, an interface that is down, or somebody says so
    unresolved,   ///< no address for the name
    lost,         ///< between two points, and no rule that netlab sees has dropped it
    unknown,      ///< what netlab sees does not settle it
};
BOOST_DESCRIBE_ENUM(WhyVerdict, delivered, refused, rejected, dropped, unreachable, unresolved, lost, unknown)

/// Where the packet ended.
struct WhyPlace {
    std::string target;  ///< "" outside of what netlab knows
    std::string point;   ///< "docker0", "veth12 and eth0" (between them), "ip filter FORWARD"
    friend bool operator==(const WhyPlace&, const WhyPlace&) = default;
};
BOOST_DESCRIBE_STRUCT(WhyPlace, (), (target, point))

/// A rule as nft(8) or iptables(8) writes it.
struct WhyRule {
    std::string target;  ///< in whose namespace
    std::string family;  ///< "ip", "inet", …; "ip (legacy)" and "ip6 (legacy)" of iptables-legacy
    std::string table;
    std::string chain;
    std::optional<std::uint64_t> handle;  ///< absent of a chain's policy
    std::string text;                     ///< without its counters; "policy drop"
    std::string owner;  ///< "docker", "podman", "ufw", …; "" where it is the administrator's or not known
    /// Netlink port, mostly the PID, of the program that alone may change the table (NFT_TABLE_F_OWNER); 0
    /// where there is one, and not known which.
    std::optional<std::uint32_t> owner_port{};
    friend bool operator==(const WhyRule&, const WhyRule&) = default;
};
BOOST_DESCRIBE_STRUCT(WhyRule, (), (target, family, table, chain, handle, text, owner, owner_port))

/// One interface on the way, or one decision.
struct WhyHop {
    std::string target;        ///< "" outside of what netlab knows
    std::string interface;     ///< "" where no interface is concerned
    std::string kind;          ///< "source", "port", "bridge", "route", "nat", "destination", "outside"
    std::optional<bool> seen;  ///< the packet passed there; absent where that was not looked at
    std::optional<bool> back;  ///< the same of its answer
    std::string detail;
    friend bool operator==(const WhyHop&, const WhyHop&) = default;
};
BOOST_DESCRIBE_STRUCT(WhyHop, (), (target, interface, kind, seen, back, detail))

/// One step of the packet through the rules, as the kernel told it.
struct WhyStep : WhyRule {
    std::string verdict;  ///< "accept", "drop", "jump DOCKER", "continue", …
    std::string hook;     ///< of the chain that the walk began in: "prerouting", "forward", …; "" unknown
    bool answer = false;  ///< of the packet that came back
    std::string input;    ///< interface
    std::string output;
    friend bool operator==(const WhyStep&, const WhyStep&) = default;
};
BOOST_DESCRIBE_STRUCT(WhyStep, (WhyRule), (verdict, hook, answer, input, output))

/// How TO became an address.
struct WhyResolution {
    std::string name;
    std::optional<IpAddress> address;   ///< absent: it did not
    std::string resolved_by;            ///< as in PingReport
    std::optional<std::string> target;  ///< whose address it is, where netlab knows
    double elapsed_ms = 0;              ///< of the report's, for this
    friend bool operator==(const WhyResolution&, const WhyResolution&) = default;
};
BOOST_DESCRIBE_STRUCT(WhyResolution, (), (name, address, resolved_by, target, elapsed_ms))

struct WhyReport {
    static constexpr std::string_view type = "report";
    std::string from;
    std::string to;
    WhyProtocol protocol = WhyProtocol::icmp;
    std::optional<std::uint16_t> port;
    WhyVerdict verdict = WhyVerdict::unknown;
    std::optional<WhyPlace> where;
    std::optional<WhyRule> rule;
    WhyResolution resolution;
    std::string source;       ///< the address that the packet left from; "" unknown
    std::string translated;   ///< "10.0.0.1:8080 -> 172.17.0.2:80": its destination on the way; "" not
    std::string masqueraded;  ///< the same of its source
    std::vector<WhyHop> hops;
    std::vector<WhyStep> trace;
    bool probed = false;             ///< a packet was sent
    bool traced = false;             ///< and traced, in all namespaces on the way
    std::vector<std::string> notes;  ///< weaker evidence, and what netlab's two ways of looking disagree on
    std::string explanation;
    std::string suggestion;  ///< a command; words where none does it; "" where netlab knows of nothing
    double elapsed_ms = 0;
    friend bool operator==(const WhyReport&, const WhyReport&) = default;
};
BOOST_DESCRIBE_STRUCT(WhyReport, (),
                      (from, to, protocol, port, verdict, where, rule, resolution, source, translated,
                       masqueraded, hops, trace, probed, traced, notes, explanation, suggestion, elapsed_ms))

}  // namespace netlab::api
