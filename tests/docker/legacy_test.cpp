#include "common/json.hpp"
#include "tests/docker/why_lab.hpp"

#include <algorithm>
#include <set>
#include <sstream>

#include <boost/json/serialize.hpp>
#include <sys/prctl.h>

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

/// An engine whose rules are iptables-legacy's (`lab up --legacy seed web`): there is no trace of them, so
/// what iptables-legacy-save(8) counts is the referee, and curl(1).
namespace {

constexpr const char* outside_web = "203.0.113.8:80";

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

/// "[3:180] -A DOCKER-USER …": the packets that the rule with those words has counted, as iptables has it.
std::uint64_t counted(const std::string& words) {
    const auto saved = on_host("iptables-legacy-save -c -t filter");
    for (const auto& line : lines_of(saved)) {
        if (contains(line, words)) return std::stoull(line.substr(line.find('[') + 1));
    }
    FAIL("iptables-legacy has no rule '" << words << "': " << saved);
    return 0;
}

std::string notes(const boost::json::object& report) {
    return json::write(report.at("notes"));
}

/// A question whose packet that rule stops: the report says how its counter has risen, as iptables counts.
boost::json::object ask_of_counted(const support::Daemon& daemon, const Words& question,
                                   const std::string& words) {
    const auto before = counted(words);
    auto report = ask_why(daemon, question);
    const auto after = counted(words);
    INFO(report);
    CHECK(after > before);
    CHECK(contains(notes(report), "cannot be traced, so the evidence is weaker"));
    CHECK(contains(notes(report), "its counter rose from " + std::to_string(before) + " to " +
                                      std::to_string(after) + " packets"));
    return report;
}

/// A rule as netlab tells it stands at its number, and has counted as much.
void check_by_referee(const boost::json::object& rule) {
    INFO(boost::json::serialize(rule));
    CHECK(text(rule, "backend") == "legacy");
    const auto table = text(rule, "table");
    const auto number = [&](const char* name) {
        return std::to_string(rule.at(name).to_number<std::uint64_t>());
    };
    const auto line =
        on_host("iptables-legacy -t " + table + " -nvxL " + text(rule, "chain") + " " + number("number"));
    INFO(line);
    std::istringstream words(line);
    std::string packets;
    std::string bytes;
    words >> packets >> bytes;
    CHECK(packets == number("packets"));
    CHECK(bytes == number("bytes"));
    CHECK(contains(line, contains(text(rule, "text"), "masquerade") ? "MASQUERADE" : "DNAT"));
}

/// What is started meanwhile and goes on is no child of the test's: the lab's engine.
class NoReaper {
  public:
    NoReaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); }
    ~NoReaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
    NoReaper(const NoReaper&) = delete;
    NoReaper& operator=(const NoReaper&) = delete;
};

bool outside_gets_page() {
    return status_outside("curl --silent --max-time 2 --output /dev/null http://198.51.100.2:8080/") == 0;
}

}  // namespace

TEST_CASE("legacy engine: its isolation is named, with the rule's own counter", "[.][docker][legacy]") {
    const support::Daemon daemon(settings());
    CHECK(on_host("nft list tables").empty());
    check_delivered(daemon, {"co1", "co2"});
    const auto report = ask_of_counted(daemon, {"co1", address_of("co3", "bridge")},
                                       "-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP");
    INFO(report);
    CHECK(verdict(report) == "dropped");
    const auto stopped = rule(report);
    CHECK(text(stopped, "target") == "host");
    CHECK(text(stopped, "family") == "ip (legacy)");
    CHECK(text(stopped, "table") == "filter");
    CHECK(text(stopped, "chain") == "DOCKER-ISOLATION-STAGE-2");
    CHECK(contains(text(stopped, "text"), ": oifname \"docker0\" drop"));
    CHECK(text(stopped, "owner") == "docker");
    CHECK(contains(text(report, "explanation"), "Docker keeps its bridge networks apart"));
    const Undo undo("docker network disconnect net co3");
    follow(report);
    check_delivered(daemon, {"co1", "co3"});
}

TEST_CASE(
    "legacy engine: a rule in DOCKER-USER is named, and one that netlab does not understand by its counter",
    "[.][docker][legacy]") {
    const support::Daemon daemon(settings());
    const Undo undo("iptables-legacy -F DOCKER-USER; iptables-legacy -A DOCKER-USER -j RETURN");
    const std::string plain = "DOCKER-USER -d 203.0.113.8/32 -p tcp -m tcp --dport 80 -j DROP";
    on_host("iptables-legacy -I " + plain);
    auto report = ask_of_counted(daemon, {"co1", outside_web}, "-A " + plain);
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "chain") == "DOCKER-USER");
    CHECK(text(rule(report), "text") == "rule 1: ip daddr 203.0.113.8 tcp dport 80 drop");
    CHECK(text(report, "suggestion").starts_with("iptables-legacy -t filter -I DOCKER-USER "));
    follow(report);
    check_delivered(daemon, {"co1", outside_web});
    // Another that would have been doubted, and has counted nothing.
    on_host(
        "iptables-legacy -F DOCKER-USER; iptables-legacy -A DOCKER-USER -m string --algo bm --string netlab "
        "-j "
        "DROP; iptables-legacy -A DOCKER-USER -p tcp --dport 80 -m string --algo bm ! --string netlab -j "
        "DROP");
    report = ask_of_counted(daemon, {"co1", outside_web}, "! --string ");
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "chain") == "DOCKER-USER");
    CHECK(text(rule(report), "text").starts_with("rule 2: "));
    CHECK(contains(notes(report), "netlab does not understand all of this one's conditions"));
    follow(report);
    check_delivered(daemon, {"co1", outside_web});
}

TEST_CASE("legacy engine: a published port from outside, the way out, and the rules as they are told",
          "[.][docker][legacy]") {
    const support::Daemon daemon(settings());
    const auto server = address_of("py-server1", "bridge");
    auto report = ask_why(daemon, {outside_target(), "198.51.100.2:8080"});
    INFO(report);
    CHECK(outside_gets_page());
    CHECK(verdict(report) == "delivered");
    CHECK(text(report, "translated") == "198.51.100.2:8080 -> " + server + ":8080");
    report = ask_why(daemon, {"co1", outside_web});
    CHECK(verdict(report) == "delivered");
    CHECK(text(report, "masqueraded") == address_of("co1", "net") + " -> 198.51.100.2");
    const auto carried = daemon.netlab({"-j", "ports", "py-server1"}).json_lines();
    const auto port = std::ranges::find_if(carried, [](const auto& row) {
        return text(row, "type") == "port" && text(row, "family") == "ipv4";
    });
    REQUIRE(port != carried.end());
    CHECK(text(*port, "verdict") == "works");
    check_by_referee(port->at("carried_by").as_array().at(0).at("rule").as_object());
    const auto ways = daemon.netlab({"-j", "nat", "co1"}).json_lines();
    const auto out = std::ranges::find_if(ways, [](const auto& row) { return text(row, "type") == "out"; });
    REQUIRE(out != ways.end());
    CHECK(text(*out, "verdict") == "translated");
    check_by_referee(out->at("rule").as_object());
}

TEST_CASE("legacy engine: firewall has every rule that iptables-legacy-save has", "[.][docker][legacy]") {
    const support::Daemon daemon(settings());
    std::multiset<std::string> told;
    for (const auto& row : daemon.netlab({"-j", "firewall", "host"}).json_lines()) {
        if (text(row, "type") != "rule") continue;
        CHECK(text(row, "backend") == "iptables_legacy");
        told.insert("-A " + text(row, "chain") + " " + text(row, "text"));
    }
    std::multiset<std::string> saved;
    for (const auto& line : lines_of(on_host("iptables-legacy-save"))) {
        if (line.starts_with("-A ")) saved.insert(line);
    }
    CHECK_FALSE(saved.empty());
    CHECK(told == saved);
}

TEST_CASE("legacy engine: FORWARD drops where its rules have been flushed, and the engine writes them again",
          "[.][docker][legacy]") {
    const support::Daemon daemon(settings());
    on_host("iptables-legacy -F && iptables-legacy -X");
    auto report = ask_of_counted(daemon, {"co1", outside_web}, ":FORWARD DROP");
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "family") == "ip (legacy)");
    CHECK(text(rule(report), "chain") == "FORWARD");
    CHECK(text(rule(report), "text") == "policy drop");
    CHECK(contains(text(report, "explanation"), "something has flushed them"));
    CHECK(text(report, "suggestion") == "systemctl restart docker");
    CHECK_FALSE(outside_gets_page());
    report = ask_why(daemon, {outside_target(), "198.51.100.2:8080"});
    CHECK(text(report, "suggestion") == "systemctl restart docker");
    {
        const NoReaper engine_stays;
        follow(report);
    }
    // As the explanation says, that ends the containers; in this order each has the address that it had.
    for (const auto* container : {"co1", "co2", "co3", "co4", "py-server1", "py-server2"})
        docker({"start", container});
    check_delivered(daemon, {"co1", outside_web});
    check_delivered(daemon, {outside_target(), "198.51.100.2:8080"});
    CHECK(outside_gets_page());
}
