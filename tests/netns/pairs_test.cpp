#include "common/api/pairs.hpp"

#include "tests/netns/operation_stream.hpp"
#include "tests/netns/probe_servers.hpp"
#include "tests/netns/test_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

using namespace netlab;
using namespace netlab::test;
using namespace std::chrono_literals;

namespace {

using boost::json::object;

/// Namespaces a, b, … on one bridge in r: 10.1.0.1, 10.1.0.2, …, and fd01::1, ….
struct Switch {
    std::string letters;
    TestNetwork network;

    explicit Switch(const std::string& members) : letters(members), network(members + "r") {
        network.ip('r', "link add br0 type bridge");
        network.ip('r', "link set br0 up");
        for (std::size_t i = 0; i < letters.size(); ++i) {
            const auto number = std::to_string(i + 1);
            network.veth(letters[i], "eth0", "10.1.0." + number + "/24", 'r',
                         "to-" + std::string(1, letters[i]), "");
            network.ip(letters[i], "addr add fd01::" + number + "/64 dev eth0 nodad");
            network.ip('r', "link set to-" + std::string(1, letters[i]) + " master br0");
        }
    }

    void in(char letter, const std::string& command) const {
        REQUIRE(shell("ip netns exec " + network.name(letter) + " " + command));
    }

    template <class Request>
    [[nodiscard]] Told ask(const Request& request) const {
        api::Context context;
        std::vector<operations::TargetHandle> handles;
        for (const char letter : letters) {
            api::Target target;
            target.name = letter;
            target.state = api::State::running;
            context.targets.push_back(target);
            handles.push_back(network.handle(letter));
        }
        OperationProcess process(request, std::move(handles), context);
        return listen_to(process);
    }

    [[nodiscard]] Told ping(std::optional<Family> family = {}, double wait_ms = 400) const {
        api::PingPairsRequest request;
        request.all = true;
        request.family = family;
        request.wait_ms = wait_ms;
        return ask(request);
    }
    [[nodiscard]] Told connect(double wait_ms = 400) const {
        api::ConnectPairsRequest request;
        request.all = true;
        request.port = 80;
        request.wait_ms = wait_ms;
        return ask(request);
    }
};

/// What was said of one pair, which must be there once.
object pair(const Told& told, std::string_view from, std::string_view to) {
    std::vector<object> found;
    for (const auto& row : told.of("pair")) {
        if (row.at("from").as_string() == from && row.at("to").as_string() == to) found.push_back(row);
    }
    REQUIRE(found.size() == 1);
    return found.front();
}

std::string outcome(const Told& told, std::string_view from, std::string_view to) {
    return std::string(pair(told, from, to).at("outcome").as_string());
}

}  // namespace

TEST_CASE("ping pairs: everybody answers everybody, once", "[netns]") {
    const Switch four("abcd");
    const auto told = four.ping();
    CHECK(told.ended);
    CHECK(told.events.front().at("type") == "start");
    CHECK(told.events.front().at("targets").as_array().size() == 4);
    CHECK(told.of("pair").size() == 12);
    CHECK(told.number("pairs") == 12);
    CHECK(told.number("good") == 12);
    for (const auto& row : told.of("pair")) {
        CHECK(row.at("from") != row.at("to"));
        CHECK(row.at("outcome") == "answered");
        CHECK(row.at("rtt_us").to_number<double>() > 0);
    }
    CHECK(pair(told, "a", "c").at("address") == "10.1.0.3");
    // All answered: it does not wait for anything.
    CHECK(told.took < 400ms);
}

TEST_CASE("ping pairs: one that is alone has nobody to reach", "[netns]") {
    const Switch alone("a");
    for (const auto& told : {alone.ping(), alone.connect()}) {
        REQUIRE(told.error);
        CHECK(*told.error == errc::bad_request);
        CHECK(told.error_text.find("only a is there, and has nobody to reach") != std::string::npos);
    }
}

TEST_CASE("ping pairs: IPv6", "[netns]") {
    const Switch three("abc");
    const auto told = three.ping(Family::ipv6);
    CHECK(told.number("good") == 6);
    CHECK(pair(told, "a", "c").at("address") == "fd01::3");
}

TEST_CASE(
    "ping pairs: no broadcast is needed for those on one link, and the neighbours are known as after a ping",
    "[netns]") {
    const Switch three("abc");
    three.in('c',
             "nft 'add table arp t; add chain arp t i { type filter hook input priority 0; }; "
             "add rule arp t i ether daddr ff:ff:ff:ff:ff:ff counter'");
    CHECK(three.ping().number("good") == 6);
    const auto rules =
        support::run_well({"ip", "netns", "exec", three.network.name('c'), "nft", "list", "ruleset"}).out;
    CHECK(rules.find("packets 0 ") != std::string::npos);
    const auto known =
        support::run_well({"ip", "-n", three.network.name('a'), "-4", "neigh", "show", "dev", "eth0"})
            .lines();
    CHECK(known.size() == 2);
}

TEST_CASE("ping pairs: what does not get through is lost in its direction only, as ping sees it", "[netns]") {
    const Switch three("abc");
    // b takes no echo of a's; c hears no ARP at all.
    three.in('b',
             "nft 'add table ip t; add chain ip t i { type filter hook input priority 0; }; "
             "add rule ip t i ip saddr 10.1.0.1 icmp type echo-request drop'");
    three.in('c',
             "nft 'add table arp t; add chain arp t i { type filter hook input priority 0; }; "
             "add rule arp t i drop'");
    const auto told = three.ping();
    CHECK(outcome(told, "a", "b") == "lost");
    CHECK(outcome(told, "b", "a") == "answered");
    CHECK(outcome(told, "a", "c") == "lost");
    CHECK(outcome(told, "c", "a") == "lost");
    CHECK(told.number("bad") == told.number("pairs") - told.number("good"));
    const auto referee = [&](char from, const char* to) {
        return support::run({"ip", "netns", "exec", three.network.name(from), "ping", "-c1", "-W1", to})
                   .status == 0;
    };
    CHECK(!referee('a', "10.1.0.2"));
    CHECK(referee('b', "10.1.0.1"));
    CHECK(!referee('a', "10.1.0.3"));
}

TEST_CASE("ping pairs: an ICMP error is told with who sent it, and who has no address is told at once",
          "[netns]") {
    const Switch three("abc");
    three.in('b',
             "nft 'add table ip t; add chain ip t i { type filter hook input priority 0; }; "
             "add rule ip t i icmp type echo-request reject with icmp type admin-prohibited'");
    three.network.ip('c', "addr flush dev eth0");
    const auto told = three.ping();
    const auto rejected = pair(told, "a", "b");
    CHECK(rejected.at("outcome") == "unreachable");
    CHECK(rejected.at("by") == "10.1.0.2");
    CHECK(rejected.at("message") == "administratively prohibited");
    CHECK(outcome(told, "a", "c") == "no_address");
    CHECK(outcome(told, "c", "a") == "unreachable");
    CHECK(told.number("pairs") == 6);
}

TEST_CASE("ping pairs: who refuses everybody and may send few ICMP errors is known by those that he sent",
          "[netns]") {
    const Switch nine("abcdefghi");
    // As a limit would have it: only a is told.
    nine.in('i',
            "nft 'add table ip o; add chain ip o o { type filter hook output priority 0; }; "
            "add rule ip o o icmp type destination-unreachable ip daddr != 10.1.0.1 drop'");
    nine.in('i',
            "nft 'add table ip t; add chain ip t i { type filter hook input priority 0; }; "
            "add rule ip t i icmp type echo-request reject with icmp type admin-prohibited'");
    const auto told = nine.ping();
    for (const char from : std::string("abcdefgh")) {
        const auto row = pair(told, std::string(1, from), "i");
        CHECK(row.at("outcome") == (from == 'a' ? "unreachable" : "lost"));
        CHECK(
            row.at("message") ==
            (row.at("outcome") == "unreachable"
                 ? "administratively prohibited"
                 : "perhaps administratively prohibited, as it told others: how many ICMP errors it sends is "
                   "limited"));
    }
}

TEST_CASE("ping pairs: of so many that every processor has a share, each is told once", "[netns]") {
    const Switch ten("abcdefghij");
    ten.in('c',
           "nft 'add table arp t; add chain arp t i { type filter hook input priority 0; }; "
           "add rule arp t i drop'");
    // Two processors that are the first to ask a new namespace for an ICMP error at once: its kernel gives
    // the credit of the first second to one of them and none to the other (icmp_global_allow()).
    ten.in('g', "sysctl -qw net.ipv4.icmp_ratemask=0");
    ten.in('g',
           "nft 'add table ip t; add chain ip t i { type filter hook input priority 0; }; "
           "add rule ip t i icmp type echo-request reject with icmp type admin-prohibited'");
    const auto told = ten.ping();
    CHECK(told.of("pair").size() == 90);
    CHECK(told.number("pairs") == 90);
    CHECK(told.number("good") == 64);
    for (const char from : ten.letters) {
        for (const char to : ten.letters) {
            if (from == to) continue;
            INFO(from << " to " << to);
            const auto row = pair(told, std::string(1, from), std::string(1, to));
            const bool lost = from == 'c' || to == 'c';
            CHECK(row.at("outcome").as_string() == (lost ? "lost" : to == 'g' ? "unreachable" : "answered"));
            CHECK(row.at("address").as_string() == "10.1.0." + std::to_string(to - 'a' + 1));
        }
    }
}

TEST_CASE("ping pairs: a target that is gone is told, and the others go on", "[netns]") {
    const Switch two("ab");
    api::PingPairsRequest request;
    request.all = true;
    request.wait_ms = 300;
    api::Context context;
    std::vector<operations::TargetHandle> handles;
    for (const char letter : {'a', 'b', 'x'}) {
        api::Target target;
        target.name = letter;
        context.targets.push_back(target);
        handles.push_back(letter == 'x' ? operations::TargetHandle{} : two.network.handle(letter));
    }
    OperationProcess process(request, std::move(handles), context);
    const auto told = listen_to(process);
    REQUIRE(told.of("failure").size() == 1);
    CHECK(told.of("failure").front().at("target") == "x");
    CHECK(told.number("good") == 2);
    CHECK(told.number("failures") == 1);
}

TEST_CASE("connect pairs: connected, refused and timed out, both ways told apart", "[netns]") {
    const Switch three("abc");
    const NamespaceProcess at_a(three.network.name('a'), [](int ready) {
        listen_only(ready, {"0.0.0.0", 80, false, 64});
    });
    const NamespaceProcess at_b(three.network.name('b'), [](int ready) {
        listen_only(ready, {"0.0.0.0", 80, false, 64});
    });
    three.in('b',
             "nft 'add table ip t; add chain ip t i { type filter hook input priority 0; }; "
             "add rule ip t i ip saddr 10.1.0.3 tcp dport 80 drop'");
    const auto told = three.connect();
    CHECK(told.of("pair").size() == 6);
    CHECK(outcome(told, "b", "a") == "connected");
    CHECK(pair(told, "b", "a").at("rtt_us").to_number<double>() > 0);
    CHECK(outcome(told, "c", "a") == "connected");
    CHECK(outcome(told, "a", "b") == "connected");
    CHECK(outcome(told, "c", "b") == "timed_out");
    CHECK(outcome(told, "a", "c") == "refused");
    CHECK(outcome(told, "b", "c") == "refused");
    CHECK(told.number("good") == 3);
    for (const char letter : {'a', 'b', 'c'}) {
        const auto left = support::run_well({"ip", "netns", "exec", three.network.name(letter), "ss", "-Htan",
                                             "state", "connected", "exclude", "listening"});
        CHECK(left.out.empty());
    }
}

TEST_CASE("connect pairs: an ICMP error is told, and sockets are used again after it", "[netns]") {
    const Switch four("abcd");
    four.in('b',
            "nft 'add table ip t; add chain ip t i { type filter hook input priority 0; }; "
            "add rule ip t i tcp dport 80 reject with icmp type host-prohibited'");
    const auto told = four.connect();
    CHECK(told.of("pair").size() == 12);
    const auto rejected = pair(told, "a", "b");
    CHECK(rejected.at("outcome") == "unreachable");
    CHECK(rejected.at("by") == "10.1.0.2");
    CHECK(rejected.at("message") == "destination host prohibited");
    CHECK(outcome(told, "a", "c") == "refused");
}
