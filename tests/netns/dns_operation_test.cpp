#include "common/api/dns.hpp"
#include "tests/netns/dns_responder.hpp"
#include "tests/netns/hostile_dns.hpp"
#include "tests/netns/operation_stream.hpp"
#include "tests/netns/packet_counter.hpp"
#include "tests/netns/test_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <boost/json/serialize.hpp>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::test;
using namespace std::chrono_literals;

namespace {

using api::DnsRequest;
using boost::json::object;
using Clock = std::chrono::steady_clock;

/// All that one question brought.
struct Said : Told {
    double cpu_ms = 0;

    /// The answer of that type.
    [[nodiscard]] const object& answer(std::string_view qtype = "A") const {
        for (const auto& event : events) {
            if (event.at("type").as_string() == "answer" && event.at("qtype").as_string() == qtype)
                return event;
        }
        throw std::runtime_error("no answer of that type");
    }
    [[nodiscard]] std::string outcome() const { return std::string(report().at("outcome").as_string()); }
    /// "udp timed_out, tcp answered": the attempts for A.
    [[nodiscard]] std::string attempts(std::string_view qtype = "A") const {
        std::string text;
        for (const auto& attempt : answer(qtype).at("attempts").as_array())
            text += (text.empty() ? "" : ", ") + std::string(attempt.at("transport").as_string()) + " " +
                    std::string(attempt.at("outcome").as_string());
        return text;
    }
    [[nodiscard]] std::vector<std::string> data(std::string_view qtype = "A") const {
        std::vector<std::string> all;
        for (const auto& record : answer(qtype).at("answers").as_array())
            all.emplace_back(record.at("data").as_string());
        return all;
    }
    [[nodiscard]] std::string explanations() const {
        std::string text;
        for (const auto& sentence : report().at("explanations").as_array())
            text += std::string(sentence.as_string()) + "\n";
        return text;
    }
};

double cpu_of_children() {
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto milliseconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) * 1000 + static_cast<double>(time.tv_usec) / 1000;
    };
    return milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
}

api::Context from_a(api::Runtime runtime = api::Runtime::docker) {
    api::Target target;
    target.name = "a";
    target.runtime = runtime;
    target.state = api::State::running;
    api::Context context;
    context.targets.push_back(target);
    return context;
}

Said ask(const DnsRequest& request, operations::TargetHandle from, const api::Context& context = from_a()) {
    Said said;
    const auto cpu = cpu_of_children();
    {
        std::vector<operations::TargetHandle> handles;
        handles.push_back(std::move(from));
        OperationProcess process(request, std::move(handles), context);
        static_cast<Told&>(said) = listen_to(process);
    }
    said.cpu_ms = cpu_of_children() - cpu;
    return said;
}

DnsRequest question(std::string name, std::string type = {}) {
    DnsRequest request;
    request.from = "a";
    request.name = std::move(name);
    request.type = std::move(type);
    request.wait_ms = 2000;
    return request;
}

/// a (10.1.0.1) -- b (10.1.0.2), where the well-behaved server of dns_responder.hpp listens at 10.1.0.2, and
/// c.
struct Served {
    TestNetwork network{"abc"};
    std::optional<NamespaceProcess> server;
    std::string conf = "nameserver 10.1.0.2\n";
    Served() {
        network.veth('a', "eth0", "10.1.0.1/24", 'b', "eth0", "10.1.0.2/24");
        server.emplace(network.name('b'), [](int ready) { serve_dns(ready, "10.1.0.2"); });
        // The kernel takes its time to notice that a veth has a carrier, and drops what is sent before.
        REQUIRE(support::eventually([&] { return ask(question("good.test", "A")).outcome() == "answered"; },
                                    10s));
    }
    [[nodiscard]] Said ask(const DnsRequest& request, const std::string& hosts = {}) const {
        return ::ask(request, network.handle('a', conf, hosts));
    }
};

/// The same with the server of hostile_dns.hpp.
struct Hostile {
    TestNetwork network{"ab"};
    std::optional<NamespaceProcess> server;
    explicit Hostile(bool tcp) {
        network.veth('a', "eth0", "10.1.0.1/24", 'b', "eth0", "10.1.0.2/24");
        server.emplace(network.name('b'), [tcp](int ready) { serve_hostile_dns(ready, "10.1.0.2", tcp); });
        REQUIRE(support::eventually([&] { return ask("good.test").outcome() == "answered"; }, 10s));
    }
    [[nodiscard]] Said ask(const std::string& name, double wait_ms = 400) const {
        auto request = question(name, "A");
        request.wait_ms = wait_ms;
        return ::ask(request, network.handle('a', "nameserver 10.1.0.2\noptions attempts:1\n"));
    }
};

}  // namespace

TEST_CASE("dns: A and AAAA at once, as the target's resolv.conf says, and dig says the same", "[netns]") {
    const Served net;
    const auto said = net.ask(question("both.test"));
    CHECK(said.ended);
    CHECK(said.outcome() == "answered");
    CHECK(said.events.size() == 3);
    CHECK(said.data("A") == std::vector<std::string>{"10.77.0.10"});
    CHECK(said.data("AAAA") == std::vector<std::string>{"fd77::10"});
    const auto& a = said.answer("A");
    CHECK(a.at("from") == "a");
    CHECK(a.at("name") == "both.test.");
    CHECK(a.at("server") == "10.1.0.2");
    CHECK(a.at("transport") == "udp");
    CHECK(a.at("rcode") == "NOERROR");
    CHECK(a.at("flags").at("rd") == true);
    CHECK(a.at("flags").at("ra") == true);
    CHECK(a.at("flags").at("aa") == false);
    CHECK(a.at("answers").at(0).at("name") == "both.test.");
    CHECK(a.at("answers").at(0).at("type") == "A");
    CHECK(a.at("answers").at(0).at("ttl") == 60);
    CHECK(a.at("elapsed_us").to_number<double>() > 0);
    CHECK(a.at("elapsed_us").to_number<double>() < 100'000);
    CHECK(said.attempts() == "udp answered");
    CHECK(said.report().at("records") == 2);
    const auto dig = support::run_well({"ip", "netns", "exec", net.network.name('a'), "dig", "@10.1.0.2",
                                        "both.test", "A", "+noall", "+answer"});
    CHECK(dig.out == "both.test.\t\t60\tIN\tA\t10.77.0.10\n");
}

TEST_CASE("dns: one type, no data, no such name, and a server that fails", "[netns]") {
    const Served net;
    CHECK(net.ask(question("six.test", "aaaa")).data("AAAA") == std::vector<std::string>{"fd77::10"});
    const auto none = net.ask(question("good.test", "AAAA"));
    CHECK(none.outcome() == "no_data");
    CHECK(none.answer("AAAA").at("rcode") == "NOERROR");
    const auto unknown = net.ask(question("nobody.test"));
    CHECK(unknown.outcome() == "no_such_name");
    CHECK(unknown.answer().at("rcode") == "NXDOMAIN");
    CHECK(unknown.explanations().find("10.1.0.2 says that there is no 'nobody.test' (NXDOMAIN)") !=
          std::string::npos);
    CHECK(net.ask(question("fail.test", "A")).outcome() == "server_failure");
    CHECK(net.ask(question("refused.test", "A")).outcome() == "refused");
    const auto invalid = net.ask(question("a..b"));
    CHECK(invalid.outcome() == "invalid_name");
    CHECK(invalid.explanations().find("is no name") != std::string::npos);
}

TEST_CASE("dns: a truncated answer is asked for over TCP, and --tcp begins with it", "[netns]") {
    const Served net;
    const auto big = net.ask(question("big.test", "A"));
    CHECK(big.attempts() == "udp truncated, tcp answered");
    CHECK(big.answer().at("transport") == "tcp");
    CHECK(big.data() == std::vector<std::string>{"10.77.0.10"});
    auto request = question("good.test");
    request.tcp = true;
    const auto tcp = net.ask(request);
    CHECK(tcp.attempts() == "tcp answered");
    CHECK(tcp.data() == std::vector<std::string>{"10.77.0.10"});
}

TEST_CASE("dns: the hosts file comes first, where programs would look there first", "[netns]") {
    const Served net;
    const std::string hosts = "10.9.9.9 good.test alias # x\nfd99::9 six.test\n";
    const auto said = net.ask(question("Good.test"), hosts);
    CHECK(said.answer().at("server") == "/etc/hosts");
    CHECK(said.answer().at("transport") == "file");
    CHECK(!said.answer().contains("rcode"));
    CHECK(said.data() == std::vector<std::string>{"10.9.9.9"});
    CHECK(said.answer("AAAA").at("outcome") == "no_data");
    CHECK(said.outcome() == "answered");
    // An address' name.
    CHECK(net.ask(question("10.9.9.9"), hosts).data("PTR") == std::vector<std::string>{"good.test."});
    // Another server is not what a program would ask: said is what it would find.
    auto request = question("good.test", "A");
    request.servers = {"10.1.0.2"};
    const auto asked = net.ask(request, hosts);
    CHECK(asked.data() == std::vector<std::string>{"10.77.0.10"});
    CHECK(asked.explanations().find("find 'good.test' in its /etc/hosts (10.9.9.9)") != std::string::npos);
    // localhost is nobody's to tell.
    CHECK(net.ask(question("localhost")).data("AAAA") == std::vector<std::string>{"::1"});
    CHECK(net.ask(question("localhost")).answer().at("server") == "localhost");
    // Types that the file cannot have.
    CHECK(net.ask(question("good.test", "MX"), hosts).answer("MX").at("server") == "10.1.0.2");
}

TEST_CASE("dns: the search list is gone through, and told where it changed the answer", "[netns]") {
    Served net;
    net.conf = "nameserver 10.1.0.2\nsearch none.test ok.test\noptions ndots:1\n";
    const auto said = net.ask(question("good", "A"));
    // The responder goes by the first label: the first name of the list is answered.
    CHECK(said.answer().at("name") == "good.none.test.");
    CHECK(said.report().at("candidates").as_array().size() == 1);
    // The name itself has the same answer: the list makes no difference.
    CHECK(said.explanations().empty());
    CHECK(!said.report().contains("suggestion"));
    net.conf = "nameserver 10.1.0.2\nsearch test\noptions ndots:1\n";
    const auto searched = net.ask(question("twofold", "A")).explanations();
    CHECK(searched.find("'twofold.test.', by the search list") != std::string::npos);
    CHECK(searched.find("for 'twofold.' as it is 10.1.0.2 says 10.77.0.99") != std::string::npos);
    net.conf = "nameserver 10.1.0.2\nsearch none.test ok.test\noptions ndots:1\n";
    auto request = question("good", "A");
    request.search = false;
    const auto plain = net.ask(request);
    CHECK(plain.answer().at("name") == "good.");
    CHECK(plain.explanations().empty());
    const auto nobody = net.ask(question("nobody", "A"));
    CHECK(nobody.report().at("candidates").as_array().size() == 3);
    CHECK(nobody.answer().at("attempts").as_array().size() == 3);
    CHECK(net.ask(question("good.", "A")).answer().at("name") == "good.");
}

TEST_CASE("dns: a server that is not there is passed over, by ICMP at once and in silence within its share",
          "[netns]") {
    Served net;
    net.network.ip('b', "addr add 10.1.0.3/24 dev eth0");
    net.network.ip('a', "neigh add 10.1.0.66 lladdr 02:00:00:00:00:66 dev eth0");
    SECTION("a closed port") {
        net.conf = "nameserver 10.1.0.3\nnameserver 10.1.0.2\n";
        const auto said = net.ask(question("good.test", "A"));
        CHECK(said.attempts() == "udp refused, udp answered");
        const auto& attempt = said.answer().at("attempts").at(0).as_object();
        CHECK(attempt.at("server") == "10.1.0.3");
        CHECK(attempt.at("detail") == "port unreachable, from 10.1.0.3");
        CHECK(said.took < 500ms);
        CHECK(said.explanations().empty());  // it costs a program nothing
    }
    SECTION("slowness, which is no silence") {
        const auto said = net.ask(question("slow.test", "A"));
        CHECK(said.attempts() == "udp answered");
        CHECK(said.took > 1200ms);
        CHECK(said.took < 2s);
    }
    SECTION("silence") {
        net.conf = "nameserver 10.1.0.66\nnameserver 10.1.0.2\n";
        const auto said = net.ask(question("good.test", "A"));
        CHECK(said.attempts() == "udp timed_out, udp answered");
        CHECK(said.took > 900ms);
        CHECK(said.took < 1500ms);
        CHECK(said.explanations().find(
                  "10.1.0.66 gives no answer: a program in a waits 5 s before it asks") != std::string::npos);
    }
    SECTION("only silence") {
        net.conf = "nameserver 10.1.0.66\n";
        const auto said = net.ask(question("good.test", "A"));
        CHECK(said.attempts() == "udp timed_out");
        CHECK(said.outcome() == "timed_out");
        CHECK(
            said.explanations().find("the time of -W ran out: 10.1.0.66 had 2 s, a program in a waits 5 s") !=
            std::string::npos);
        CHECK(said.report().at("suggestion") == "netlab dns a good.test A -W 11");
        CHECK(said.took > 1900ms);
        CHECK(said.took < 2300ms);
    }
    SECTION("no route") {
        net.conf = "nameserver 192.0.2.1\n";
        const auto said = net.ask(question("good.test", "A"));
        CHECK(said.attempts() == "udp unreachable, udp unreachable");
        CHECK(said.outcome() == "no_server");
        CHECK(said.took < 500ms);
    }
    SECTION("over TCP") {
        net.conf = "nameserver 10.1.0.3\nnameserver 10.1.0.2\n";
        auto request = question("good.test", "A");
        request.tcp = true;
        CHECK(net.ask(request).attempts() == "tcp refused, tcp answered");
    }
}

TEST_CASE("dns: one lost datagram is no silence", "[netns]") {
    const Served net;
    // The first is over a limit of none, and dropped; the second is within it.
    REQUIRE(shell("ip netns exec " + net.network.name('b') +
                  " nft 'add table ip t; add chain ip t c { type filter hook input priority 0; }; "
                  "add rule ip t c udp dport 53 limit rate over 1/hour burst 1 packets accept; "
                  "add rule ip t c udp dport 53 drop'"));
    const auto said = net.ask(question("good.test", "A"));
    CHECK(said.attempts() == "udp answered");
    CHECK(said.took > 950ms);
    CHECK(said.took < 1500ms);
    CHECK(said.answer().at("attempts").at(0).at("detail").as_string().starts_with("asked once more after "));
}

namespace {

/// A container of Docker's, as its programs see it: 127.0.0.11 is in its own namespace and knows "good"; the
/// servers behind it say nothing. Another target is called "good" and shares a network with it.
struct Embedded {
    TestNetwork network{"a"};
    std::optional<NamespaceProcess> server;
    api::Context context = from_a();
    std::string conf = "nameserver 127.0.0.11\nsearch foo.mute\noptions ndots:3\n";
    Embedded() {
        server.emplace(network.name('a'), [](int ready) { serve_dns(ready, "127.0.0.11"); });
        auto& from = context.targets.front();
        from.networks.emplace_back().name = "net";
        context.peer = from;
        context.peer->name = "good";
        context.peer_match = api::PeerMatch::name;
    }
    [[nodiscard]] Said ask(const std::string& name, double wait_ms) const {
        auto request = question(name, "A");
        request.wait_ms = wait_ms;
        return ::ask(request, network.handle('a', conf), context);
    }
    void filter(const std::string& verdict) const {
        REQUIRE(shell("ip netns exec " + network.name('a') +
                      " nft 'add table ip t; add chain ip t c { type filter hook output priority 0; "
                      "}; add rule ip t c udp dport 53 " +
                      verdict + "'"));
    }
};

bool blames_docker(const Said& said) {
    const auto text = said.explanations() + boost::json::serialize(said.report());
    return text.find("hangs") != text.npos || text.find("docker restart") != text.npos ||
           text.find("are gone") != text.npos;
}

}  // namespace

TEST_CASE("dns: only the server behind Docker's is dead: the name itself is asked for yet", "[netns]") {
    const Embedded docker;
    docker.network.ip('a', "route add default dev lo");
    const auto said = docker.ask("good", 2000);
    CHECK(said.outcome() == "answered");
    CHECK(said.attempts() == "udp timed_out, udp answered");
    CHECK(said.took > 1400ms);
    CHECK(said.took < 1900ms);
    CHECK(said.explanations().find("127.0.0.11 gives no answer for 'good.foo.mute.'") != std::string::npos);
    CHECK(!blames_docker(said));
    const auto outside = docker.ask("www.x.y.mute", 600);
    CHECK(outside.outcome() == "timed_out");
    CHECK(outside.explanations().find("does not know itself it passes on") != std::string::npos);
    docker.network.ip('a', "route del default dev lo");
    CHECK(docker.ask("www.x.y.mute", 600).explanations().find("a has no default route") != std::string::npos);
}

TEST_CASE("dns: a wait too short for an answer says nothing about Docker", "[netns]") {
    Embedded docker;
    docker.conf = "nameserver 127.0.0.11\n";
    docker.context.peer->name = "silent";
    const auto said = docker.ask("silent", 0.001);
    CHECK(said.outcome() == "timed_out");
    CHECK(said.explanations().find("the time of -W ran out") != std::string::npos);
    CHECK(said.explanations().find("default route") == std::string::npos);
    CHECK(!blames_docker(said));
}

TEST_CASE("dns: a rule in the target's own OUTPUT is told as such", "[netns]") {
    Embedded docker;
    docker.conf = "nameserver 127.0.0.11\n";
    docker.filter(GENERATE("drop", "reject"));
    const auto said = docker.ask("good", 1000);
    CHECK(said.attempts() == "udp forbidden, udp forbidden");
    CHECK(said.outcome() == "no_server");
    INFO(said.explanations());
    CHECK(
        said.explanations().find("a rule in the OUTPUT of the namespace that asks forbids it (Operation not "
                                 "permitted") != std::string::npos);
    CHECK(said.explanations().find("no route") == std::string::npos);
    CHECK(!blames_docker(said));
}

TEST_CASE("dns: where lo is down, that is what is said", "[netns]") {
    Embedded docker;
    docker.conf = "nameserver 127.0.0.11\n";
    docker.context.targets.front().pid = 4242;
    docker.network.ip('a', "link set lo down");
    const auto said = docker.ask("good", 1000);
    CHECK(said.explanations() == "lo is down in a: nothing there reaches 127.0.0.11\n");
    CHECK(said.report().at("suggestion") == "nsenter --net=/proc/4242/ns/net ip link set lo up");
}

TEST_CASE("dns: --server with a port, and all servers compared", "[netns]") {
    Served net;
    net.network.ip('b', "addr add 10.1.0.3/24 dev eth0");
    const NamespaceProcess other(net.network.name('b'),
                                 [](int ready) { serve_hostile_dns(ready, "10.1.0.3", false); });
    auto request = question("good.test", "A");
    request.servers = {"10.1.0.3:54"};
    const auto closed = net.ask(request);
    CHECK(closed.attempts() == "udp refused, udp refused");
    CHECK(closed.answer().at("server") == "10.1.0.3:54");
    net.conf = "nameserver 10.1.0.2\nnameserver 10.1.0.3\n";
    request.servers.clear();
    request.all_servers = true;
    const auto said = net.ask(request);
    REQUIRE(said.events.size() == 3);
    CHECK(said.events[0].at("server") == "10.1.0.2");
    CHECK(said.events[1].at("server") == "10.1.0.3");
    CHECK(said.report().at("agreed") == false);
    CHECK(said.explanations().find("10.1.0.2 says 10.77.0.10 and 10.1.0.3 says 10.1.0.9") !=
          std::string::npos);
    request.servers = {"10.1.0.2", "10.1.0.2"};
    CHECK(net.ask(request).report().at("agreed") == true);
    CHECK(net.ask(request).report().at("silent") == 0);
    // The client's exit status goes by it.
    net.network.ip('a', "neigh add 10.1.0.66 lladdr 02:00:00:00:00:66 dev eth0");
    request.servers = {"10.1.0.2", "10.1.0.66"};
    request.wait_ms = 500;
    CHECK(net.ask(request).report().at("silent") == 1);
}

TEST_CASE("dns: no packet leaves from any namespace but the target's", "[netns]") {
    Served net;
    net.network.ip('a', "addr add fd01::1/64 dev eth0 nodad");
    net.network.ip('b', "addr add fd01::2/64 dev eth0 nodad");
    const NamespaceProcess over_ipv6(net.network.name('b'), [](int ready) { serve_dns(ready, "fd01::2"); });
    const auto v4 = *IpAddress::parse("10.1.0.2");
    const auto v6 = *IpAddress::parse("fd01::2");
    // This machine's own programs may ask somebody meanwhile.
    DnsPacketCounter own("", {v4, v6});
    DnsPacketCounter other(net.network.name('c'));
    DnsPacketCounter target(net.network.name('a'), {v4});
    DnsPacketCounter target_v6(net.network.name('a'), {v6});
    for (const auto* conf : {"nameserver 10.1.0.2\n", "nameserver fd01::2\n"}) {
        net.conf = conf;
        for (const auto* name : {"both.test", "big.test", "nobody.test", "silent.test"})
            (void)net.ask(question(name));
    }
    CHECK(target.count() > 8);
    CHECK(target_v6.count() > 8);
    CHECK(own.count() == 0);
    CHECK(other.count() == 0);
}

TEST_CASE("dns: what a server does over UDP has its name, in time and at little cost", "[netns]") {
    const Hostile net(false);
    const auto expect = [&](const std::string& label, const std::string& attempts, const std::string& outcome,
                            bool at_once) {
        const auto said = net.ask(label + ".test");
        INFO(label << " " << said.cpu_ms << " ms of CPU time");
        CHECK(said.ended);
        CHECK(said.attempts() == attempts);
        CHECK(said.outcome() == outcome);
        CHECK(said.took < 700ms);
        CHECK((said.took < 300ms) == at_once);
        CHECK(said.cpu_ms < 50);
    };
    expect("good", "udp answered", "answered", true);
    expect("silent", "udp timed_out", "timed_out", false);
    expect("empty", "udp malformed", "server_failure", true);
    expect("short", "udp malformed", "server_failure", true);
    expect("text", "udp malformed", "server_failure", true);
    expect("echo", "udp malformed", "server_failure", true);
    expect("loop", "udp malformed", "server_failure", true);
    expect("counts", "udp malformed", "server_failure", true);
    expect("bomb", "udp answered", "no_data", true);
    expect("wrongid", "udp wrong_id", "timed_out", false);
    expect("wrongquestion", "udp wrong_question", "timed_out", false);
    expect("othersource", "udp wrong_source", "timed_out", false);
    expect("flood", "udp wrong_id", "timed_out", true);
    expect("late", "udp answered", "answered", true);
    expect("tcp", "udp truncated, tcp refused", "no_server", true);
    expect("trailing", "udp answered", "answered", true);
    expect("chaos", "udp answered", "no_data", true);
}

TEST_CASE("dns: what came is called what it is", "[netns]") {
    const Hostile net(false);
    const auto says = [&](const std::string& label, const std::string& words) {
        const auto said = net.ask(label + ".test").explanations();
        INFO(label << ": " << said);
        CHECK(said.find(words) != std::string::npos);
        CHECK(said.find("SERVFAIL") == std::string::npos);
        CHECK(said.find("no route") == std::string::npos);
    };
    says("notauth", "10.1.0.2 fails to look up 'notauth.test' (NOTAUTH)");
    says("rcode11", "10.1.0.2 fails to look up 'rcode11.test' (RCODE11)");
    says("text", "10.1.0.2 fails to look up 'text.test' (what it sends is no DNS message");
    says("tcp",
         "does not fit into a datagram, and over TCP it refuses the connection: programs in a get none");
    says("chaos", "10.1.0.2 answers with a record of class CH, where IN was asked for");
    CHECK(net.ask("trailing.test").answer().at("extra_bytes") == 4);
    CHECK(net.ask("chaos.test").answer().at("answers").at(0).at("dns_class") == "CH");
}

TEST_CASE("dns: a TCP connection that is closed is no SERVFAIL", "[netns]") {
    const Hostile net(true);
    const auto said = net.ask("tcpclose.test").explanations();
    CHECK(said.find("does not fit into a datagram, and over TCP no answer comes") != std::string::npos);
    CHECK(said.find("SERVFAIL") == std::string::npos);
}

TEST_CASE("dns: a name is asked for as RFC 1035 writes it, and its records are found", "[netns]") {
    const Served net;
    for (const std::string rest : {" b", "\\032b", "\xc3\xbc", "$(id)", "\\.b", "\\000b"}) {
        const auto said = net.ask(question("good.a" + rest, "A"));
        INFO(rest << ": " << said.explanations());
        CHECK(said.outcome() == "answered");
        CHECK(said.explanations().empty());
        CHECK(said.answer().at("name") == said.answer().at("answers").at(0).at("name"));
    }
    CHECK(net.ask(question("good.a\\032b", "A")).answer().at("name") == "good.a\\032b.");
    CHECK(net.ask(question("good.a\\999", "A")).outcome() == "invalid_name");
}

TEST_CASE("dns: options use-vc in resolv.conf is TCP from the start", "[netns]") {
    Served net;
    net.conf = "nameserver 10.1.0.2\noptions use-vc\n";
    CHECK(net.ask(question("good.test", "A")).attempts() == "tcp answered");
    auto request = question("good.test", "A");
    request.servers = {"10.1.0.2"};
    CHECK(net.ask(request).attempts() == "udp answered");
}

TEST_CASE("dns: of a resolv.conf that was not read to its end no server is claimed", "[netns]") {
    Served net;
    net.conf = std::string(70'000, '#') + "\nnameserver 10.1.0.2\n";
    CHECK(net.ask(question("good.test", "A")).error == errc::operation_failed);
    auto request = question("good.test", "A");
    request.servers = {"10.1.0.2"};
    CHECK(net.ask(request).outcome() == "answered");
}

TEST_CASE("dns: a server that says nothing has its sentence whatever the type", "[netns]") {
    Served net;
    net.network.ip('a', "neigh add 10.1.0.66 lladdr 02:00:00:00:00:66 dev eth0");
    net.conf = "nameserver 10.1.0.66\noptions timeout:1 attempts:1\n";
    CHECK(net.ask(question("good.test", "PTR")).explanations() ==
          "10.1.0.66 gives no answer for 'good.test'\n");
}

TEST_CASE("dns: what a server does over TCP has its name, in time and at little cost", "[netns]") {
    const Hostile net(true);
    const auto expect = [&](const std::string& label, const std::string& tcp, const std::string& outcome,
                            bool at_once) {
        const auto said = net.ask(label + ".test");
        INFO(label << " " << said.cpu_ms << " ms of CPU time");
        CHECK(said.attempts() == "udp truncated, tcp " + tcp);
        CHECK(said.outcome() == outcome);
        CHECK(said.took < 700ms);
        CHECK((said.took < 300ms) == at_once);
        CHECK(said.cpu_ms < 150);
    };
    expect("tcpgood", "answered", "answered", true);
    expect("tcpclose", "closed", "server_failure", true);
    expect("tcphang", "timed_out", "timed_out", false);
    expect("tcphalf", "timed_out", "timed_out", false);
    expect("tcpwrongid", "wrong_id", "timed_out", false);
    expect("tcpcounts", "malformed", "server_failure", true);
    expect("tcpbomb", "answered", "no_data", true);
    expect("tcpflood", "wrong_id", "timed_out", true);
    CHECK(net.ask("tcphang.test").explanations().find("does not fit into a datagram") != std::string::npos);
}

TEST_CASE("dns: a resolv.conf full of nonsense, and one of a gigabyte, cost nothing", "[netns]") {
    const Served net;
    const auto start = Clock::now();
    auto handle = net.network.handle('a');
    UniqueFd large(::memfd_create("large", MFD_CLOEXEC));
    const std::string line = "nameserver 10.1.0.2\n";
    REQUIRE(::write(large.get(), line.data(), line.size()) == std::ssize(line));
    REQUIRE(::ftruncate(large.get(), 1 << 30) == 0);
    handle.resolv_conf = std::move(large);
    CHECK(ask(question("good.test", "A"), std::move(handle)).outcome() == "answered");
    std::string nonsense(60'000, '\xFF');
    nonsense += "\nnameserver\nnameserver x\nsearch\noptions ndots:x timeout:\n\nnameserver 10.1.0.2\n";
    CHECK(ask(question("good.test", "A"), net.network.handle('a', nonsense)).outcome() == "answered");
    CHECK(Clock::now() - start < 500ms);
    std::string list = "nameserver 10.1.0.2\nsearch";
    while (list.size() < 60'000)
        list += " n" + std::to_string(list.size());
    const auto searched = ask(question("nobody", "A"), net.network.handle('a', list + "\n"));
    CHECK(searched.outcome() == "no_such_name");
    CHECK(searched.report().at("candidates").as_array().size() == 33);
    CHECK(searched.explanations().find("names: 32 of them are tried") != std::string::npos);
    CHECK(searched.took < 500ms);
    // No file at all: a program asks itself.
    auto missing = net.network.handle('a');
    missing.resolv_conf_file.look.state = kernel::FileState::missing;
    const auto said = ask(question("good.test", "A"), std::move(missing));
    CHECK(said.answer().at("server") == "127.0.0.1");
    CHECK(said.attempts() == "udp refused, udp refused");
    CHECK(said.explanations().find("there is no /etc/resolv.conf: programs in a ask 127.0.0.1") !=
          std::string::npos);
    const auto loopback = ask(question("good.test", "A"), net.network.handle('a', "nameserver 127.0.0.53\n"));
    CHECK(loopback.explanations().find("127.0.0.53 is a itself, where nobody serves DNS") !=
          std::string::npos);
    // Nobody knows what its programs would ask: that is no answer.
    CHECK(ask(question("good.test", "A"), net.network.handle('a')).error == errc::operation_failed);
}

TEST_CASE("dns: where Docker's resolver fails for want of a default route, that is the reason", "[netns]") {
    const Served net;
    const NamespaceProcess docker(net.network.name('a'), [](int ready) { serve_dns(ready, "127.0.0.11"); });
    const auto why = [&](const std::string& upstream) {
        return ask(question("fail.test", "A"), net.network.handle('a', "nameserver 127.0.0.11\n" + upstream))
            .explanations();
    };
    const auto contains = [](const std::string& text, std::string_view part) {
        INFO(text);
        return text.find(part) != text.npos;
    };
    const std::string outside = "# ExtServers: [192.0.2.53]\n";
    CHECK(contains(why(""), "a has no default route"));
    CHECK(contains(why(outside),
                   "a has no default route: from there Docker's resolver does not reach 192.0.2.53,"));
    CHECK(!contains(why("# ExtServers: [10.1.0.2]\n"), "default route"));
    CHECK(contains(why("# ExtServers: [host(127.0.0.53)]\n"), "127.0.0.53 of the host, a loopback address"));
    net.network.ip('a', "route add default via 10.1.0.2");
    CHECK(!contains(why(outside), "default route"));
    CHECK(contains(why(outside), "says SERVFAIL where the servers behind it fail"));
    // Of a name that Docker's resolver knows there is nothing to explain.
    CHECK(ask(question("good.test", "A"), net.network.handle('a', "nameserver 127.0.0.11\n"))
              .explanations()
              .empty());
}

TEST_CASE("dns: an IPv6 server, and a link-local one on its interface", "[netns]") {
    const Served net;
    net.network.ip('a', "addr add fd01::1/64 dev eth0 nodad");
    net.network.ip('b', "addr add fd01::2/64 dev eth0 nodad");
    auto request = question("good.test", "A");
    request.servers = {"fd01::2"};
    // Nobody serves there, and that is told by ICMPv6.
    const auto said = net.ask(request);
    CHECK(said.attempts() == "udp refused, udp refused");
    CHECK(said.answer().at("attempts").at(0).at("detail") == "port unreachable, from fd01::2");
    net.network.ip('a', "addr add fe80::a/64 dev eth0 nodad");
    net.network.ip('b', "addr add fe80::b/64 dev eth0 nodad");
    request.servers = {"[fe80::b%eth0]:53"};
    CHECK(net.ask(request).attempts() == "udp refused, udp refused");
    request.servers = {"fe80::b%eth7"};
    const auto elsewhere = net.ask(request);
    CHECK(elsewhere.attempts() == "udp unreachable, udp unreachable");
    CHECK(elsewhere.answer().at("attempts").at(0).at("detail").as_string().starts_with("interface eth7"));
}

TEST_CASE("dns: a word of netlab's is no name", "[netns]") {
    const Served net;
    auto context = from_a();
    context.peer = context.targets.front();
    context.peer_match = api::PeerMatch::explicit_;
    const auto said = ask(question("docker:co2"), net.network.handle('a', net.conf), context);
    CHECK(said.error == errc::bad_request);
}
