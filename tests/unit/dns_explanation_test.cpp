#include "daemon/operations/dns_explanation.hpp"

#include "daemon/operations/dns_comparison.hpp"
#include "daemon/operations/dns_trace.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dns_bytes.hpp"

using namespace netlab;
using namespace netlab::operations;
using namespace std::chrono_literals;
using test::DnsBytes;

namespace {

using api::DnsAttemptOutcome;
using api::DnsTransport;

NameServer server(const char* address) {
    return {*IpAddress::parse(address), {}, 53};
}

api::Target container(std::string name) {
    api::Target target;
    target.name = std::move(name);
    target.runtime = api::Runtime::docker;
    target.state = api::State::running;
    target.network_mode = "net";
    return target;
}

DnsExchange answered(DnsBytes bytes, NameOutcome outcome) {
    DnsExchange exchange;
    exchange.outcome = outcome;
    exchange.message = parse_dns_message(bytes.bytes).value();
    exchange.attempts.push_back({"x.test.", "A", "192.0.2.1", DnsTransport::udp, DnsAttemptOutcome::answered,
                                 dns_rcode_name(exchange.message->rcode), 100, std::nullopt});
    return exchange;
}

DnsExchange address(std::uint8_t last, std::uint32_t ttl = 60) {
    return answered(DnsBytes().question("x.test", 1).answer(1, {10, 0, 0, last}, ttl), NameOutcome::resolved);
}

DnsExchange nxdomain() {
    return answered(DnsBytes(1, 0x8183).question("x.test", 1), NameOutcome::no_such_name);
}

DnsExchange failed(std::vector<std::pair<DnsTransport, DnsAttemptOutcome>> attempts,
                   const char* at = "192.0.2.1") {
    DnsExchange exchange;
    exchange.outcome = NameOutcome::timed_out;
    for (const auto& [transport, outcome] : attempts)
        exchange.attempts.push_back(
            {"x.test.", "A", at, transport, outcome, std::nullopt, 100, "from 192.0.2.9"});
    return exchange;
}

/// A question of co1's for the A record of x.test, which was answered; tests change what they are about.
struct Case {
    api::Context context;
    api::DnsRequest request;
    DnsPlan plan;
    DnsLookup lookup;
    std::vector<std::string> in_hosts;
    std::optional<DnsServerAnswers> as_is;
    Explanation embedded;
    Explanation upstreams;

    Case() {
        context.targets.push_back(container("co1"));
        request.from = "co1";
        request.name = "x.test";
        plan.name = request.name;
        plan.types = {dns_type::a};
        plan.conf.servers = {server("192.0.2.1")};
        lookup.name = "x.test";
        lookup.answers.push_back({server("192.0.2.1"), false, {address(1)}});
        lookup.resolution.outcome = NameOutcome::resolved;
        lookup.resolution.resolved_by = "192.0.2.1";
        lookup.resolution.candidates = {"x.test"};
        lookup.resolution.asked = {{"192.0.2.1", NameOutcome::resolved}};
    }
    void fails(DnsExchange exchange) {
        lookup.resolution.outcome = exchange.outcome;
        lookup.resolution.resolved_by.clear();
        lookup.resolution.asked[0].outcome = exchange.outcome;
        lookup.answers[0].exchanges = {std::move(exchange)};
    }
    [[nodiscard]] std::string said() const {
        const auto why = explain_dns(
            {context, request, plan, lookup, {}, in_hosts, as_is, embedded, false, false, upstreams});
        std::string text;
        for (const auto& sentence : why.sentences)
            text += sentence + "\n";
        return text + (why.suggestion.empty() ? "" : "try: " + why.suggestion + "\n");
    }
};

bool agreed(DnsExchange a, DnsExchange b) {
    const std::vector<DnsServerAnswers> answers{{server("192.0.2.1"), false, {std::move(a)}},
                                                {server("192.0.2.2"), false, {std::move(b)}}};
    return agree(answers);
}

DnsMessage parsed(const DnsBytes& bytes) {
    return parse_dns_message(bytes.bytes).value();
}

}  // namespace

TEST_CASE("dns explanation: a plain answer needs none", "[unit]") {
    CHECK(Case().said().empty());
}

TEST_CASE("dns explanation: a name of the search list is told, and what the name itself would have given",
          "[unit]") {
    Case c;
    c.request.name = "x";
    c.plan.name = "x";
    CHECK(c.said() ==
          "the answer is for 'x.test.', by the search list of co1's resolv.conf\n"
          "try: netlab dns co1 x. (a dot at its end: the name as it is)\n");
    c.as_is = DnsServerAnswers{server("192.0.2.1"), false, {nxdomain()}};
    CHECK(c.said().starts_with(
        "the answer is for 'x.test.', by the search list of co1's resolv.conf; for 'x.' as it "
        "is 192.0.2.1 says NXDOMAIN\n"));
    // Where both say the same, it makes no difference.
    c.as_is = DnsServerAnswers{server("192.0.2.1"), false, {address(1)}};
    CHECK(c.said().empty());
    c.as_is.reset();
    c.request.name = "x.test.";
    CHECK(c.said().empty());
}

TEST_CASE("dns explanation: servers agree whatever the order, the case and the TTL", "[unit]") {
    CHECK(agreed(address(1, 60), address(1, 30)));
    CHECK(agreed(answered(DnsBytes().question("x.test", 1).answer(1, {10, 0, 0, 1}).answer(1, {10, 0, 0, 2}),
                          NameOutcome::resolved),
                 answered(DnsBytes().question("X.TEST", 1).answer(1, {10, 0, 0, 2}).answer(1, {10, 0, 0, 1}),
                          NameOutcome::resolved)));
    CHECK(agreed(address(1), failed({{DnsTransport::udp, DnsAttemptOutcome::timed_out}})));
    CHECK(!agreed(address(1), address(2)));
    CHECK(!agreed(address(1), nxdomain()));
}

TEST_CASE("dns explanation: servers that disagree are told with what each says", "[unit]") {
    Case c;
    c.plan.all = true;
    c.lookup.answers.push_back({server("192.0.2.2"), false, {nxdomain()}});
    c.lookup.answers.push_back(
        {server("192.0.2.3"), false, {failed({{DnsTransport::udp, DnsAttemptOutcome::timed_out}})}});
    CHECK(c.said() ==
          "192.0.2.3 gives no answer\nthe servers disagree: 192.0.2.1 says 10.0.0.1, 192.0.2.2 says NXDOMAIN "
          "and 192.0.2.3 says "
          "nothing: a program in co1 goes by the first that answers at all\n");
}

TEST_CASE("dns explanation: a name of Docker's own is no disagreement with the servers behind it", "[unit]") {
    Case c;
    c.plan.all = true;
    c.plan.conf.servers = {server("127.0.0.11")};
    c.lookup.answers = {{server("127.0.0.11"), false, {address(1)}},
                        {server("192.0.2.1"), true, {nxdomain()}}};
    CHECK(agree(c.lookup.answers));
    CHECK(c.said() == "only 127.0.0.11 knows 'x.test.': it is a name of Docker's own\n");
    // What Docker passes on it does not change.
    c.lookup.answers[1].exchanges = {address(2)};
    CHECK(!agree(c.lookup.answers));
    CHECK(c.said().find("192.0.2.1 says 10.0.0.2") != std::string::npos);
    c.lookup.answers[0].exchanges = {nxdomain()};
    CHECK(!agree(c.lookup.answers));
    // Nor is it the only one that knows it, where another server does that programs ask too.
    c.lookup.answers = {{server("127.0.0.11"), false, {address(1)}},
                        {server("192.0.2.7"), false, {address(1)}},
                        {server("192.0.2.1"), true, {nxdomain()}}};
    CHECK(c.said().empty());
    // An alias that shadows a public name: what is behind is never asked.
    c.lookup.answers = {{server("127.0.0.11"), false, {address(1)}},
                        {server("192.0.2.1"), true, {address(2)}}};
    CHECK(
        c.said() ==
        "programs in co1 get what 127.0.0.11 says, 10.0.0.1; the servers behind it, which they never ask, "
        "say "
        "something else (192.0.2.1 says 10.0.0.2): names of Docker's own, aliases too, come before theirs\n");
    // Two of those behind are held against each other.
    c.lookup.answers = {{server("127.0.0.11"), false, {address(1)}},
                        {server("192.0.2.1"), true, {address(1)}},
                        {server("192.0.2.2"), true, {nxdomain()}}};
    CHECK(!agree(c.lookup.answers));
}

TEST_CASE("dns explanation: what is wrong with Docker's resolver is said in the place of guesses", "[unit]") {
    Case c;
    c.plan.conf.servers = {server("127.0.0.11")};
    c.fails(failed({{DnsTransport::udp, DnsAttemptOutcome::timed_out}}, "127.0.0.11"));
    c.embedded = {"the DNAT rules are gone", "docker restart co1"};
    CHECK(c.said() == "the DNAT rules are gone\ntry: docker restart co1\n");
}

TEST_CASE(
    "dns explanation: why the servers behind Docker's resolver are not reached is said in the place of "
    "what may be",
    "[unit]") {
    Case c;
    c.plan.conf.servers = {server("127.0.0.11")};
    c.fails(failed({{DnsTransport::udp, DnsAttemptOutcome::timed_out}}, "127.0.0.11"));
    CHECK(c.said().find("it passes on") != std::string::npos);
    c.upstreams = {"co1 has no default route", "netlab routes co1"};
    CHECK(c.said().find("co1 has no default route\n") != std::string::npos);
    CHECK(c.said().find("it passes on") == std::string::npos);
    c.plan.all = true;
    CHECK(c.said().find("co1 has no default route\n") != std::string::npos);
    // Not where the resolver itself is broken.
    c.embedded = {"the DNAT rules are gone", "docker restart co1"};
    CHECK(c.said().find("default route") == std::string::npos);
}

TEST_CASE("dns explanation: truncated, and no way over TCP", "[unit]") {
    Case c;
    c.fails(failed({{DnsTransport::udp, DnsAttemptOutcome::truncated},
                    {DnsTransport::tcp, DnsAttemptOutcome::refused}}));
    c.plan.types = {16};
    CHECK(c.said() ==
          "the answer of 192.0.2.1 does not fit into a datagram, and over TCP it refuses the connection: "
          "programs in co1 get none\ntry: let TCP port 53 through to 192.0.2.1\n");
}

TEST_CASE("dns explanation: a loopback server that is the host's, in a container and in a named namespace",
          "[unit]") {
    Case c;
    c.plan.conf.servers = {server("127.0.0.53")};
    c.plan.types = {16};
    c.fails(failed({{DnsTransport::udp, DnsAttemptOutcome::refused}}, "127.0.0.53"));
    CHECK(c.said() ==
          "127.0.0.53 is co1 itself, where nobody serves DNS: a loopback address that was copied from the "
          "host's resolv.conf means the host only there\ntry: docker run --dns ADDRESS …\n");
    c.context.targets[0].runtime = api::Runtime::netns;
    c.context.targets[0].name = "blue";
    CHECK(c.said().find("/etc/netns/blue/resolv.conf") != std::string::npos);
    // On the host it is as it should be, and 127.0.0.11 is Docker's.
    c.context.targets[0].runtime = api::Runtime::host;
    CHECK(c.said() == "192.0.2.1 gives no answer for 'x.test'\n");
    c.context.targets[0] = container("co1");
    c.context.targets[0].network_mode = "host";
    CHECK(c.said() == "192.0.2.1 gives no answer for 'x.test'\n");
    c.context.targets[0].network_mode = "net";
    c.plan.conf.servers = {server("127.0.0.11")};
    c.fails(failed({{DnsTransport::udp, DnsAttemptOutcome::refused}}, "127.0.0.11"));
    CHECK(c.said() == "192.0.2.1 gives no answer for 'x.test'\n");
}

TEST_CASE("dns explanation: answers that programs do not take", "[unit]") {
    Case c;
    c.plan.types = {16};
    c.fails(failed({{DnsTransport::udp, DnsAttemptOutcome::wrong_source}}));
    CHECK(c.said().find("comes from elsewhere (from 192.0.2.9): programs do not take it") !=
          std::string::npos);
    c.fails(failed({{DnsTransport::udp, DnsAttemptOutcome::wrong_id},
                    {DnsTransport::udp, DnsAttemptOutcome::wrong_id}}));
    CHECK(c.said() == "192.0.2.1 answers with another ID than was asked with: programs do not take that\n");
    c.fails(failed({{DnsTransport::udp, DnsAttemptOutcome::malformed}}));
    CHECK(c.said() == "what 192.0.2.1 sends is no DNS message\n");
}

TEST_CASE("dns explanation: a silent server in front keeps programs waiting as long as resolv.conf says",
          "[unit]") {
    Case c;
    c.plan.conf.servers = {server("192.0.2.1"), server("192.0.2.2"), server("192.0.2.3")};
    c.plan.conf.timeout = 3s;
    c.lookup.resolution.asked = {{"192.0.2.1", NameOutcome::timed_out},
                                 {"192.0.2.2", NameOutcome::timed_out},
                                 {"192.0.2.3", NameOutcome::resolved}};
    CHECK(c.said() ==
          "192.0.2.1 and 192.0.2.2 give no answer: a program in co1 waits 5 s before it asks the next "
          "server\n");
}

TEST_CASE("dns explanation: a name of the hosts file that was asked of a server", "[unit]") {
    Case c;
    c.in_hosts = {"10.9.9.9"};
    CHECK(c.said() ==
          "programs in co1 find 'x.test' in its /etc/hosts (10.9.9.9) before any server is asked\n");
}

TEST_CASE("dns explanation: an address of a container elsewhere", "[unit]") {
    Case c;
    c.request.name = "172.17.0.2";
    c.plan.types = {dns_type::ptr};
    c.lookup.resolution.candidates = {"2.0.17.172.in-addr.arpa"};
    c.fails(nxdomain());
    c.context.targets[0].networks.push_back({"net", "eth0", {}, {}, {}, {}, {}});
    c.context.peer = container("co3");
    c.context.peer->networks.push_back({"bridge", "eth0", {}, {}, {}, {}, {}});
    c.context.peer_match = api::PeerMatch::address;
    CHECK(c.said().starts_with("172.17.0.2 is an address of co3\nco1 and co3 share no network"));
    CHECK(c.said().find("docker network connect net co3") != std::string::npos);
}

TEST_CASE("dns lookup: a server gets what resolv.conf says, and no more than its share", "[unit]") {
    CHECK(share_of(5s, 5s, 4) == 1250ms);
    CHECK(share_of(60s, 5s, 2) == 5s);
    CHECK(share_of(5s, 30s, 1) == 5s);
    CHECK(share_of(5s, 1s, 0) == 1s);
}

TEST_CASE("dns trace: a name is below a zone by whole labels", "[unit]") {
    CHECK(is_below("www.example.test", "Example.TEST."));
    CHECK(is_below("example.test.", "example.test"));
    CHECK(is_below("www.example.test", "."));
    CHECK(is_below("", "."));
    CHECK(!is_below("wwwexample.test", "example.test"));
    CHECK(!is_below("test", "example.test"));
}

TEST_CASE("dns trace: what a zone's server says leads on, ends it, or leads nowhere", "[unit]") {
    const auto referral = DnsBytes(1, 0x8000)
                              .question("www.example.test", 1)
                              .record(8, "test", 2, 60, DnsBytes::encoded("ns1.test"))
                              .record(8, "elsewhere", 2, 60, DnsBytes::encoded("ns.elsewhere"))
                              .record(10, "ns1.test", 1, 60, {10, 0, 0, 1})
                              .record(10, "stranger.test", 1, 60, {10, 0, 0, 2});
    const auto message = parsed(referral);
    CHECK(trace_step(message, ".", "www.example.test") == TraceStep::referral);
    // To the zone that was asked, and to one above it.
    CHECK(trace_step(message, "test.", "www.example.test") == TraceStep::lame);
    CHECK(trace_step(message, "example.test.", "www.example.test") == TraceStep::lame);
    const auto delegation = delegation_of(message, "www.example.test");
    CHECK(delegation.zone == "test.");
    CHECK(delegation.servers.size() == 1);
    REQUIRE(delegation.glue.size() == 1);
    CHECK(delegation.glue[0].name == "ns1.test.");
    const auto step = [](std::uint16_t flags) {
        return trace_step(parsed(DnsBytes(1, flags).question("x.test", 1)), ".", "x.test");
    };
    CHECK(step(0x8403) == TraceStep::final);
    CHECK(step(0x8400) == TraceStep::final);
    CHECK(step(0x8000) == TraceStep::lame);
    CHECK(step(0x8005) == TraceStep::lame);
    CHECK(trace_step(parsed(DnsBytes().question("x.test", 1).answer(1, {10, 0, 0, 1})), ".", "x.test") ==
          TraceStep::final);
}
