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
