#include "tests/docker/why_lab.hpp"

#include <boost/json/serialize.hpp>

/// `netlab nat` on faults that let the first packet out: each is made for real, a real client says that
/// nothing comes back, and what `nat` suggests must mend it.

using namespace netlab;
using namespace netlab::lab;
using boost::json::object;

namespace {

/// co1's way out by IPv4.
object way_out(const support::Daemon& daemon) {
    for (auto& line : daemon.netlab({"-j", "nat", "co1"}).json_lines()) {
        if (text(line, "type") == "out" && text(line, "family") == "ipv4") return line;
    }
    return {};
}

bool reaches_outside() {
    return status_in_container("co1", "curl -s -o /dev/null --max-time 1 http://203.0.113.8/") == 0;
}

struct Fault {
    std::string made_by;         ///< a command on the host
    std::string says;            ///< the explanation has it
    std::string rule{};          ///< its text has it; "" where it is none
    std::string undone_by = "";  ///< what the suggestion leaves behind
    std::string verdict = "blocked";
};

void try_fault(const support::Daemon& daemon, const Fault& fault) {
    INFO(fault.made_by);
    auto undone_by = fault.undone_by;
    if (undone_by.empty()) {
        undone_by = fault.made_by;
        undone_by.replace(undone_by.find(" -I "), 4, " -D ");
    }
    const Undo undo(undone_by + " 2> /dev/null || true");
    on_host(fault.made_by);
    CHECK_FALSE(reaches_outside());
    const auto row = way_out(daemon);
    INFO(boost::json::serialize(row));
    CHECK(text(row, "verdict") == fault.verdict);
    CHECK(text(row, "explanation").find(fault.says) != std::string::npos);
    if (!fault.rule.empty()) {
        REQUIRE(row.contains("rule"));
        CHECK(text(row.at("rule").as_object(), "text").find(fault.rule) != std::string::npos);
    }
    follow(row);
    // A neighbour that has not answered a moment ago is not asked again at once.
    CHECK(support::eventually(reaches_outside, std::chrono::seconds(6)));
    CHECK(text(way_out(daemon), "verdict") == "translated");
}

/// A base chain of its own.
Fault nft_fault(const std::string& family, const std::string& hook, const std::string& rule,
                const std::string& says) {
    const auto table = family + " natfault";
    return {
        "nft 'table " + table + " { chain c { type filter hook " + hook + " priority 0; " + rule + "; }; }'",
        says,
        {},
        "nft delete table " + table};
}

/// Until co1 is known.
void await(const support::Daemon& daemon) {
    REQUIRE(support::eventually([&] { return text(way_out(daemon), "verdict") == "translated"; },
                                std::chrono::seconds(6)));
}

const std::string answer = "what the outside answers co1";
const std::string sent = "what co1 sends to the outside";

}  // namespace

TEST_CASE("nat: a rule of the host's that drops the answer is named, and what is said helps",
          "[docker][nat]") {
    const support::Daemon daemon(settings());
    await(daemon);
    const auto bridge = bridge_of("net");
    const auto address = address_of("co1", "net");
    try_fault(daemon, {"iptables -I FORWARD -o " + bridge + " -j DROP", answer, "oifname"});
    try_fault(daemon, nft_fault("inet", "prerouting", "iifname eth0 ct state established drop", answer));
    try_fault(daemon, nft_fault("inet", "postrouting", "oifname " + bridge + " drop", answer));
    try_fault(daemon, nft_fault("bridge", "output", "ip daddr " + address + " drop", answer));
    try_fault(daemon,
              nft_fault("netdev", "egress device " + host_end("co1"), "meta protocol ip drop", answer));
    // Behind the first packet of the way out.
    try_fault(daemon, nft_fault("inet", "forward", "iifname " + bridge + " ct state established drop",
                                sent + ", behind the first packet,"));
}

TEST_CASE("nat: an answer that conntrack takes for none of its flow is named", "[docker][nat]") {
    const support::Daemon daemon(settings());
    await(daemon);
    const auto bridge = bridge_of("net");
    try_fault(daemon, {"iptables -t raw -I PREROUTING -i eth0 -j NOTRACK", answer, "notrack"});
    for (const auto& interface : {bridge, std::string("eth0")})
        try_fault(daemon,
                  {"iptables -t raw -I PREROUTING -i " + interface + " -j CT --zone 5", answer, "ct zone"});
}

TEST_CASE("nat: a rule of the container's own is named, and what is said helps", "[docker][nat]") {
    const support::Daemon daemon(settings());
    await(daemon);
    const auto inside = "nsenter --net=/proc/" + std::to_string(pid_of("co1")) + "/ns/net ";
    try_fault(daemon,
              {inside + "iptables -I OUTPUT -o eth0 -j DROP", sent + " is dropped in co1 by", "drop"});
    try_fault(daemon, {inside + "iptables -I INPUT -i eth0 -m conntrack --ctstate ESTABLISHED -j DROP",
                       answer + " is dropped in co1 by", "established"});
    try_fault(daemon,
              {inside + "iptables -t nat -I OUTPUT ! -d 127.0.0.0/8 -j DNAT --to-destination 192.0.2.99",
               "sends elsewhere",
               "dnat",
               {},
               "unknown"});
    // Of each who shares them, however many are asked for.
    for (const std::string verdict : {"blocked", "translated"}) {
        const Undo rule(inside + "iptables -D OUTPUT -o eth0 -j DROP 2> /dev/null || true");
        if (verdict == "blocked") on_host(inside + "iptables -I OUTPUT -o eth0 -j DROP");
        std::size_t rows = 0;
        for (auto& row : daemon.netlab({"-j", "nat", "co1", "sidecar1"}).json_lines()) {
            if (text(row, "type") != "out" || text(row, "family") != "ipv4") continue;
            INFO(boost::json::serialize(row));
            CHECK(text(row, "verdict") == verdict);
            ++rows;
        }
        CHECK(rows == 2);
    }
    // A gateway that is not the host.
    const Undo undo(inside + "ip route replace default via 172.18.0.1");
    on_host(inside + "ip route replace default via 172.18.0.99");
    CHECK_FALSE(reaches_outside());
    const auto row = way_out(daemon);
    INFO(boost::json::serialize(row));
    CHECK(text(row, "verdict") == "unknown");
    CHECK(text(row, "explanation").find("172.18.0.99, which nobody that netlab knows has") !=
          std::string::npos);
}

TEST_CASE("nat: neighbours on the way that are not found are no fine way out", "[docker][nat]") {
    const support::Daemon daemon(settings());
    await(daemon);
    const std::string forget = "ip neigh flush dev eth0; ip neigh flush dev " + bridge_of("net") + "; ";
    for (const std::string hook : {"output", "input"}) {
        auto fault = nft_fault("arp", hook, "drop", "in vain");
        fault.made_by += "; " + forget;
        try_fault(daemon, fault);
    }
    try_fault(daemon, {"ip neigh replace 198.51.100.1 lladdr 02:00:00:00:99:99 nud permanent dev eth0",
                       sent + " does not get on: ",
                       {},
                       "ip neigh del 198.51.100.1 dev eth0"});
}

TEST_CASE("nat: what works is not called blocked for a rule that it does not meet", "[docker][nat]") {
    struct Harmless {
        std::string made_by;
        std::string undone_by;
        std::string verdict;
        std::string says;  ///< how the explanation begins
    };
    const support::Daemon daemon(settings());
    await(daemon);
    const auto bridge = bridge_of("net");
    const auto address = address_of("co1", "net");
    const std::vector<Harmless> all{
        {"iptables -N NATLOG; iptables -A NATLOG -j DROP; "
         "iptables -I FORWARD -p tcp --dport 443 -j NATLOG",
         "iptables -D FORWARD -p tcp --dport 443 -j NATLOG; iptables -F NATLOG; iptables -X NATLOG",
         "translated", "port 443: " + sent + " is dropped by ip filter NATLOG"},
        {"nft 'table inet natfault { chain c { type filter hook forward priority 0; "
         "tcp dport vmap { 443 : drop }; }; }'",
         "nft delete table inet natfault", "translated",
         "port 443: " + sent + " is dropped by inet natfault"},
        {"iptables -t mangle -I PREROUTING -i " + bridge + " -j MARK --set-mark 1; " +
             "nft 'table netdev natfault { chain c { type filter hook egress device eth0 priority 0; "
             "meta protocol ip meta mark != 1 drop; }; }'",
         "nft delete table netdev natfault; iptables -t mangle -D PREROUTING -i " + bridge +
             " -j MARK --set-mark 1",
         // Podman's rules of NAT's go by marks, too, and may be said first.
         "unknown", ""},
        // Docker's own, and a rule of NAT's that netlab does not understand.
        {"iptables -t raw -I PREROUTING -d " + address + " ! -i " + bridge + " -j DROP; " +
             "iptables -t nat -I POSTROUTING -s " + address +
             " -m statistic --mode nth --every 1000000 --packet 999999 -j ACCEPT",
         "iptables -t raw -D PREROUTING -d " + address + " ! -i " + bridge + " -j DROP; " +
             "iptables -t nat -D POSTROUTING -s " + address +
             " -m statistic --mode nth --every 1000000 --packet 999999 -j ACCEPT",
         "unknown", "ip nat POSTROUTING "},
    };
    for (const auto& one : all) {
        INFO(one.made_by);
        const Undo undo(one.undone_by);
        on_host(one.made_by);
        CHECK(reaches_outside());
        const auto row = way_out(daemon);
        INFO(boost::json::serialize(row));
        CHECK(text(row, "verdict") == one.verdict);
        CHECK(text(row, "explanation").starts_with(one.says));
        CHECK(text(row, "suggestion").empty());
    }
}

TEST_CASE("nat: by another uplink that a policy rule leads to answers are for the address there",
          "[docker][nat]") {
    const support::Daemon daemon(settings());
    await(daemon);
    const auto bridge = bridge_of("net");
    const auto address = address_of("co1", "net");
    const auto raw = " PREROUTING -d " + address + " ! -i " + bridge + " -j DROP";
    const Undo undo("ip link del up2; ip rule del pref 77; iptables -t raw -D" + raw);
    on_host("iptables -t raw -I" + raw + "; ip link add up2 type veth peer name out2 netns " + instance() +
            "inet; ip addr add 10.8.0.2/24 dev up2; sysctl -qw net.ipv4.conf.up2.rp_filter=2; "
            "ip link set up2 up; ip rule add pref 77 from " +
            address + " iif " + bridge + " lookup 77");
    outside("ip addr add 10.8.0.1/24 dev out2; ip link set out2 up");
    on_host("ip route add default via 10.8.0.1 dev up2 table 77");
    CHECK(support::eventually(reaches_outside, std::chrono::seconds(6)));
    CHECK(on_host("conntrack -L -p tcp -s " + address + " 2> /dev/null").find("dst=10.8.0.2 ") !=
          std::string::npos);
    const auto row = way_out(daemon);
    INFO(boost::json::serialize(row));
    CHECK(text(row, "verdict") == "translated");
    CHECK(text(row, "output") == "up2");
    CHECK(text(row, "as") == "10.8.0.2");
}
