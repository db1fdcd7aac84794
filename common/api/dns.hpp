#pragma once

#include "common/address.hpp"
#include "common/api/role.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace netlab::api {

/// POST /v1/dns: a question to DNS from a target's namespace, as its programs would ask it unless told
/// otherwise. A stream of DnsAnswer (one for each type, with `all_servers` for each server too; with `trace`
/// DnsReferral first), then a DnsReport.
struct DnsRequest {
    std::string from;  ///< a target
    std::string name;  ///< a name, or an address: its PTR record is meant
    std::string type;  ///< one of dns_types(), in any case; "": A and AAAA, of an address PTR
    /// "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353", "fe80::1%eth0": asked in their
    /// order in place of those of resolv.conf
    std::vector<std::string> servers;
    bool all_servers = false;  ///< each server is asked, those behind Docker's 127.0.0.11 too, and compared
    bool tcp = false;          ///< over TCP from the start
    bool search = true;        ///< the search list of resolv.conf is gone through
    bool trace = false;        ///< from the root down, as `dig +trace`
    std::string root;  ///< with `trace`: a root server, in the form of `servers`; "": FROM's server knows one
    double wait_ms = 5000;  ///< for all of it

    friend bool operator==(const DnsRequest&, const DnsRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(DnsRequest, (),
                      (from, name, type, servers, all_servers, tcp, search, trace, root, wait_ms))

struct DnsLimits {
    static constexpr std::size_t servers = 8;
    static constexpr double wait_ms = 60'000;
};

/// errc::bad_request.
[[nodiscard]] Result<void> check(const DnsRequest& request, Roles roles);
/// The time after which a worker with this request must have ended, in ms.
[[nodiscard]] std::uint32_t deadline_ms(const DnsRequest& request);

/// A type that may be asked for.
struct DnsType {
    std::string_view name;
    std::uint16_t number = 0;
};
[[nodiscard]] std::span<const DnsType> dns_types();
/// By its name, in any case; nullptr where there is none.
[[nodiscard]] const DnsType* find_dns_type(std::string_view name);

/// A DNS server as a user writes it.
struct DnsServerWord {
    IpAddress address;
    std::string zone;  ///< after '%', an interface's name or index
    std::uint16_t port = 53;
    friend bool operator==(const DnsServerWord&, const DnsServerWord&) = default;
};
/// errc::bad_request for what is none of DnsRequest::servers' forms.
[[nodiscard]] Result<DnsServerWord> parse_dns_server(std::string_view text);

enum class DnsTransport : std::uint8_t {
    udp,
    tcp,
    file,  ///< no server was asked: the target's hosts file, or the meaning of "localhost"
};
BOOST_DESCRIBE_ENUM(DnsTransport, udp, tcp, file)

/// What became of a question that was sent to a server. Of the datagrams that are no answer (wrong_source to
/// malformed) the last one's kind is said, once nothing better came in time.
enum class DnsAttemptOutcome : std::uint8_t {
    answered,        ///< with whatever response code
    truncated,       ///< over UDP, with the TC bit: asked again over TCP
    timed_out,       ///< nothing came
    refused,         ///< ICMP port unreachable, or a RST
    unreachable,     ///< another ICMP error, no route, or an interface that is not there
    forbidden,       ///< EPERM: a rule of FROM's own lets it not leave
    closed,          ///< the TCP connection ended before an answer
    wrong_source,    ///< it came from another address or port than was asked
    wrong_id,        ///< an answer with another ID
    wrong_question,  ///< an answer to another question
    malformed,       ///< not a DNS message, or one that cannot be taken apart
};
BOOST_DESCRIBE_ENUM(DnsAttemptOutcome, answered, truncated, timed_out, refused, unreachable, forbidden,
                    closed, wrong_source, wrong_id, wrong_question, malformed)

/// One question as it was put to one server over one transport.
struct DnsAttempt {
    std::string name;
    std::string type;
    std::string server;  ///< "127.0.0.11", "192.0.2.1:5353", "[2001:db8::1]:5353"
    DnsTransport transport = DnsTransport::udp;
    DnsAttemptOutcome outcome = DnsAttemptOutcome::timed_out;
    std::optional<std::string> rcode;  ///< of an answer
    double elapsed_us = 0;  ///< from the question to its answer or error; of silence, how long it was
    std::optional<std::string> detail;  ///< "port unreachable, from 192.0.2.1"
    friend bool operator==(const DnsAttempt&, const DnsAttempt&) = default;
};
BOOST_DESCRIBE_STRUCT(DnsAttempt, (), (name, type, server, transport, outcome, rcode, elapsed_us, detail))

/// RFC 1035, 4.1.1, and RFC 4035, 3.1.6
struct DnsFlags {
    bool aa = false;
    bool tc = false;
    bool rd = false;
    bool ra = false;
    bool ad = false;
    friend bool operator==(const DnsFlags&, const DnsFlags&) = default;
};
BOOST_DESCRIBE_STRUCT(DnsFlags, (), (aa, tc, rd, ra, ad))

struct DnsRecord {
    std::string name;                        ///< with a dot at its end, as in a zone file (RFC 1035, 5.1)
    std::string type;                        ///< "A", "TYPE65280"
    std::optional<std::uint32_t> ttl;        ///< seconds; absent where no server said it
    std::string data;                        ///< as in a zone file; of an unknown type as RFC 3597 has it
    std::optional<std::string> dns_class{};  ///< where it is not IN: "CH", "CLASS32"; then it is no answer
    friend bool operator==(const DnsRecord&, const DnsRecord&) = default;
};
BOOST_DESCRIBE_STRUCT(DnsRecord, (), (name, type, ttl, data, dns_class))

enum class DnsOutcome : std::uint8_t {
    answered,        ///< there are records
    no_data,         ///< the name is there, without records of this type
    no_such_name,    ///< NXDOMAIN
    server_failure,  ///< SERVFAIL, or an answer that cannot be taken apart
    refused,         ///< REFUSED, NOTIMP, FORMERR: a server that will not answer this
    timed_out,       ///< no server said anything
    no_server,       ///< no server could even be asked
    invalid_name,    ///< nothing that DNS could be asked for
};
BOOST_DESCRIBE_ENUM(DnsOutcome, answered, no_data, no_such_name, server_failure, refused, timed_out,
                    no_server, invalid_name)

/// What came of one type; with `all_servers` of one type at one server. (The type is `qtype`, as RFC 1035 has
/// it: `type` is the line's.)
struct DnsAnswer {
    static constexpr std::string_view type = "answer";
    std::string from;
    std::string name;   ///< that was asked for last, with a dot at its end
    std::string qtype;  ///< "A"
    DnsOutcome outcome = DnsOutcome::timed_out;
    std::string
        server;  ///< that answered, else the last that was asked; "/etc/hosts", "localhost"; "" nobody
    std::string server_note;  ///< where it is neither of resolv.conf nor of the request: "behind 127.0.0.11"
    DnsTransport transport = DnsTransport::udp;
    std::optional<std::string> rcode;  ///< "NOERROR", "NXDOMAIN", …; absent where no server answered
    std::optional<DnsFlags> flags;
    std::vector<DnsRecord> answers;
    std::vector<DnsRecord> authority;
    std::vector<DnsRecord> additional;          ///< without OPT
    std::optional<std::uint32_t> more_records;  ///< of the message, beyond those shown
    std::optional<std::uint32_t> bytes;         ///< of the message
    std::optional<std::uint32_t> extra_bytes;   ///< of those, behind its end: they do not count
    double elapsed_us = 0;                      ///< of the last attempt
    std::vector<DnsAttempt> attempts;           ///< all that were made for this type, in their order
};
BOOST_DESCRIBE_STRUCT(DnsAnswer, (),
                      (from, name, qtype, outcome, server, server_note, transport, rcode, flags, answers,
                       authority, additional, more_records, bytes, extra_bytes, elapsed_us, attempts))

/// With `trace`: a server that named the servers of a zone nearer to the name.
struct DnsReferral {
    static constexpr std::string_view type = "referral";
    std::string from;
    std::string zone;         ///< that the server answered for: "."
    std::string server;       ///< its address
    std::string server_name;  ///< "" for a root server that was given, and for FROM's own server
    DnsTransport transport = DnsTransport::udp;
    std::vector<DnsRecord> records;  ///< the NS records of the next zone
    std::vector<DnsRecord> glue;     ///< addresses that came with them
    std::uint32_t bytes = 0;
    double elapsed_us = 0;
    std::vector<DnsAttempt> attempts;  ///< at servers of this zone, in their order
};
BOOST_DESCRIBE_STRUCT(DnsReferral, (),
                      (from, zone, server, server_name, transport, records, glue, bytes, elapsed_us,
                       attempts))

struct DnsReport {
    static constexpr std::string_view type = "report";
    std::string from;
    std::string name;  ///< as it was asked
    DnsOutcome outcome = DnsOutcome::timed_out;
    std::uint64_t records = 0;  ///< in all answers
    std::vector<std::string>
        candidates;              ///< the names that were asked for, in their order, with a dot at the end
    std::optional<bool> agreed;  ///< with `all_servers`: whether those that answered say the same
    std::optional<std::uint64_t> silent;  ///< with `all_servers`: how many servers did not answer
    std::vector<std::string> explanations;
    std::optional<std::string> suggestion;  ///< a command, and another way behind `  # `
    double elapsed_ms = 0;
};
BOOST_DESCRIBE_STRUCT(DnsReport, (),
                      (from, name, outcome, records, candidates, agreed, silent, explanations, suggestion,
                       elapsed_ms))

}  // namespace netlab::api
