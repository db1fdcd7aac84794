#include "tests/docker/lab.hpp"

#include <algorithm>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::lab;
using boost::json::object;

namespace {

constexpr std::string_view outside_address = "203.0.113.8";

Finished on_host(Words words) {
    words.insert(words.begin(), {"nsenter", "--net=/run/netns/" + host_namespace()});
    return support::run(words);
}

struct Nat {
    Finished finished;
    std::vector<object> out;
    std::vector<object> in;
};

Nat nat(const support::Daemon& daemon, Words words) {
    words.insert(words.begin(), {"-j", "nat"});
    Nat said{daemon.netlab(words), {}, {}};
    for (auto& line : said.finished.json_lines()) {
        if (text(line, "type") == "out") said.out.push_back(line);
        if (text(line, "type") == "in") said.in.push_back(line);
    }
    return said;
}

/// Asks until the target is known.
Nat nat_of(const support::Daemon& daemon, const std::string& target) {
    Nat said;
    (void)support::eventually(
        [&] {
            said = nat(daemon, {target});
            return !said.out.empty();
        },
        std::chrono::seconds(6));
    INFO(target << " " << said.finished.out << said.finished.err);
    REQUIRE_FALSE(said.out.empty());
    return said;
}

object out_of(const Nat& said, std::string_view family = "ipv4") {
    for (const auto& row : said.out) {
        if (text(row, "family") == family) return row;
    }
    return {};
}

std::string line_with(const std::vector<std::string>& lines, std::initializer_list<std::string_view> parts) {
    for (const auto& line : lines) {
        if (std::ranges::all_of(parts, [&](auto part) { return line.find(part) != line.npos; })) return line;
    }
    return {};
}

std::string bridge_of(const std::string& network) {
    const auto inspected = docker({"network", "inspect", network}).json().at(0).as_object();
    const auto name = text(inspected.at("Options").as_object(), "com.docker.network.bridge.name");
    constexpr std::size_t short_id = 12;
    return name.empty() ? "br-" + text(inspected, "Id").substr(0, short_id) : name;
}

std::string number_of(const boost::json::value& value) {
    return std::to_string(value.to_number<std::int64_t>());
}

class SavedRules {
  public:
    SavedRules() : rules_(on_host({"iptables-save"}).out) {}
    ~SavedRules() { (void)on_host({"sh", "-c", "printf '%s' \"$1\" | iptables-restore", "sh", rules_}); }
    SavedRules(const SavedRules&) = delete;
    SavedRules& operator=(const SavedRules&) = delete;

  private:
    std::string rules_;
};

}  // namespace

TEST_CASE("nat: co1's packets leave by net's MASQUERADE rule, with the address that conntrack saw",
          "[docker][nat]") {
    const support::Daemon daemon(settings());
    (void)nat_of(daemon, "co1");
    docker({"exec", "co1", "ping", "-c1", "-W2", std::string(outside_address)});
    const auto said = nat_of(daemon, "co1");
    const auto row = out_of(said);
    INFO(boost::json::serialize(row));
    CHECK(said.finished.status == 0);
    CHECK(text(row, "verdict") == "translated");
    CHECK(text(row, "network") == "net");
    CHECK(text(row, "source").starts_with(address_of("co1", "net") + "/"));
    CHECK(text(row, "bridge") == bridge_of("net"));
    CHECK(text(row, "output") == "eth0");
    // The kernel's own account of it.
    const auto entries = on_host({"conntrack", "-L", "-p", "icmp", "-s", address_of("co1", "net")}).lines();
    const auto entry = line_with(entries, {"dst=203.0.113.8", "src=203.0.113.8"});
    INFO(entry);
    CHECK(entry.find("dst=" + text(row, "as") + " ") != entry.npos);
    // The rule by iptables' own words, its handle by nft's.
    const auto& rule = row.at("rule").as_object();
    const auto line = line_with(on_host({"iptables-save", "-c", "-t", "nat"}).lines(),
                                {"-A POSTROUTING", "! -o " + bridge_of("net"), "-j MASQUERADE"});
    INFO(line);
    CHECK(line.starts_with("[" + number_of(rule.at("packets")) + ":" + number_of(rule.at("bytes")) + "]"));
    CHECK(text(rule, "text").find("oifname != \"" + bridge_of("net") + "\" ip saddr ") == 0);
    CHECK_FALSE(line_with(on_host({"nft", "-a", "list", "chain", "ip", "nat", "POSTROUTING"}).lines(),
                          {bridge_of("net"), "# handle " + number_of(rule.at("handle"))})
                    .empty());
}

TEST_CASE("nat: on two networks each has its way, and the default route's is told", "[docker][nat]") {
    const support::Daemon daemon(settings());
    const auto said = nat_of(daemon, "co4");
    REQUIRE(said.out.size() == 2);
    const auto route = ip_json("co4", {"route", "get", std::string(outside_address)}).at(0).as_object();
    for (const auto& row : said.out) {
        INFO(boost::json::serialize(row));
        CHECK(row.at("by_default").as_bool() == (text(row, "interface") == text(route, "dev")));
        if (row.at("by_default").as_bool()) CHECK(text(row, "gateway") == text(route, "gateway"));
        CHECK(text(row, "verdict") == "translated");
    }
}

TEST_CASE("nat: what comes in by a published port, and back to itself", "[docker][nat]") {
    const support::Daemon daemon(settings());
    const auto said = nat_of(daemon, "py-server1");
    REQUIRE(said.in.size() == 1);
    const auto& row = said.in[0];
    INFO(boost::json::serialize(row));
    CHECK(row.at("host_port").to_number<int>() == 8080);
    CHECK(text(row, "protocol") == "tcp");
    CHECK(text(row, "target") == "py-server1");
    CHECK(row.at("reached").as_bool());
    CHECK(text(row.at("rule").as_object(), "chain") == "DOCKER");
    const auto address = address_of("py-server1", "bridge");
    CHECK(text(row.at("hairpin").as_object(), "text") ==
          "ip saddr " + address + " ip daddr " + address + " tcp dport 8080 masquerade");
}

TEST_CASE("nat: a foreign rule that comes before a published port's is named", "[docker][nat]") {
    const support::Daemon daemon(settings());
    const auto before = nat_of(daemon, "py-server1");
    REQUIRE(before.in.size() == 1);
    CHECK_FALSE(before.in[0].contains("shadowed_by"));
    CHECK(before.finished.status == 0);
    const SavedRules saved;
    const Words foreign{"iptables",
                        "-t",
                        "nat",
                        "-I",
                        "PREROUTING",
                        "-p",
                        "tcp",
                        "-m",
                        "multiport",
                        "--dports",
                        "8080,9090",
                        "-j",
                        "DNAT",
                        "--to-destination",
                        address_of("co1", "net")};
    REQUIRE(on_host(foreign).status == 0);
    const auto after = nat_of(daemon, "py-server1");
    CHECK(after.finished.status == 1);
    REQUIRE(after.in.size() == 1);
    CHECK(text(after.in[0].at("shadowed_by").as_object(), "chain") == "PREROUTING");
    const auto told = daemon.netlab({"nat", "py-server1"}).out;
    INFO(told);
    CHECK(told.find("NEVER MET, first comes ip nat PREROUTING handle ") != told.npos);
    // One that ends the chain before it.
    REQUIRE(on_host({"sh", "-ec",
                     "iptables -t nat -D PREROUTING 1; "
                     "iptables -t nat -I PREROUTING -p tcp --dport 8080 -j ACCEPT"})
                .status == 0);
    const auto accepted = nat_of(daemon, "py-server1");
    CHECK(accepted.finished.status == 1);
    REQUIRE(accepted.in.size() == 1);
    REQUIRE(accepted.in[0].contains("shadowed_by"));
    CHECK(text(accepted.in[0].at("shadowed_by").as_object(), "text") == "tcp dport 8080 accept");
}

TEST_CASE("nat: an internal network's members do not leave, and that is no fault", "[docker][nat]") {
    const support::Daemon daemon(settings());
    const auto said = nat_of(daemon, "priv1");
    const auto row = out_of(said);
    INFO(boost::json::serialize(row));
    CHECK(said.finished.status == 0);
    CHECK(row.at("internal").as_bool());
    // Docker 20.10 gives its members a default route, and drops what takes it.
    CHECK((text(row, "verdict") == "blocked" || text(row, "verdict") == "no_route"));
    CHECK(text(row, "explanation").starts_with("priv is an internal network: "));
    CHECK(support::run({"nsenter", "-t", std::to_string(pid_of("priv1")), "-n", "ping", "-c1", "-W1",
                        std::string(outside_address)})
              .status != 0);
}

TEST_CASE("nat: IPv6 leaves with its own address where Docker does not translate it", "[docker][nat]") {
    const support::Daemon daemon(settings());
    const auto row = out_of(nat_of(daemon, "six1"), "ipv6");
    INFO(boost::json::serialize(row));
    CHECK(text(row, "verdict") == "routed");
    CHECK(text(row, "source").starts_with(text(row, "as") + "/"));
}

TEST_CASE("nat: on the host's network nothing is translated", "[docker][nat]") {
    const support::Daemon daemon(settings());
    const auto row = out_of(nat_of(daemon, "hostnet1"));
    CHECK(text(row, "verdict") == "host_network");
    CHECK(text(row, "as") == "198.51.100.2");
}

TEST_CASE("nat: Podman's containers leave by netavark's rule", "[docker][nat]") {
    const support::Daemon daemon(settings());
    const auto said = nat_of(daemon, "web");
    const auto row = out_of(said);
    INFO(boost::json::serialize(row));
    CHECK(text(row, "verdict") == "translated");
    CHECK(text(row.at("rule").as_object(), "chain").starts_with("NETAVARK-"));
    REQUIRE(said.in.size() == 1);
    CHECK(said.in[0].at("host_port").to_number<int>() == 8088);
}

TEST_CASE("nat: with ip_forward 0 nothing leaves, and what is said helps", "[docker][nat]") {
    const support::Daemon daemon(settings());
    (void)nat_of(daemon, "co1");
    const auto forward = [](const char* value) {
        return on_host({"sh", "-c", "echo \"$1\" > /proc/sys/net/ipv4/ip_forward", "sh", value}).status;
    };
    REQUIRE(forward("0") == 0);
    const auto said = nat_of(daemon, "co1");
    const bool gone =
        try_docker({"exec", "co1", "ping", "-c1", "-W1", std::string(outside_address)}).status != 0;
    REQUIRE(forward("1") == 0);
    CHECK(gone);
    CHECK(said.finished.status == 1);
    CHECK(text(out_of(said), "verdict") == "not_forwarded");
    CHECK(text(out_of(said), "suggestion") == "sysctl -w net.ipv4.ip_forward=1");
    // One interface's own setting, of the way out and of the way back.
    for (const auto& interface : {bridge_of("net"), std::string("eth0")}) {
        const auto setting = "net.ipv4.conf." + interface + ".forwarding";
        REQUIRE(on_host({"sysctl", "-qw", setting + "=0"}).status == 0);
        CHECK(try_docker({"exec", "co1", "ping", "-c1", "-W1", std::string(outside_address)}).status != 0);
        const auto row = out_of(nat_of(daemon, "co1"));
        CHECK(text(row, "verdict") == "not_forwarded");
        CHECK(text(row, "explanation").find("what comes in by " + interface) != std::string::npos);
        CHECK(on_host({"sh", "-c", text(row, "suggestion")}).status == 0);
        CHECK(text(out_of(nat_of(daemon, "co1")), "verdict") == "translated");
        CHECK(try_docker({"exec", "co1", "ping", "-c1", "-W1", std::string(outside_address)}).status == 0);
    }
}

TEST_CASE("nat: without its MASQUERADE rule a packet leaves with an address that nobody can answer",
          "[docker][nat]") {
    const support::Daemon daemon(settings());
    (void)nat_of(daemon, "co1");
    const SavedRules saved;
    REQUIRE(on_host({"iptables", "-t", "nat", "-F", "POSTROUTING"}).status == 0);
    const auto said = nat_of(daemon, "co1");
    const auto row = out_of(said);
    INFO(boost::json::serialize(row));
    CHECK(said.finished.status == 1);
    CHECK(text(row, "verdict") == "routed");
    CHECK(text(row, "suggestion").starts_with("iptables -t nat -I POSTROUTING -s "));
    CHECK(text(row, "as") == address_of("co1", "net"));
    CHECK(try_docker({"exec", "co1", "ping", "-c1", "-W1", std::string(outside_address)}).status != 0);
}

TEST_CASE("nat: an accept that comes before the engine's MASQUERADE is named, and its removal helps",
          "[docker][nat]") {
    const support::Daemon daemon(settings());
    (void)nat_of(daemon, "co3");
    const auto reaches = [] {
        return try_docker({"exec", "co3", "ping", "-c1", "-W1", std::string(outside_address)}).status == 0;
    };
    const SavedRules saved;
    REQUIRE(on_host({"sh", "-c",
                     "iptables -t nat -I POSTROUTING -s 172.17.0.0/16 -j ACCEPT; "
                     "iptables -t nat -I POSTROUTING -s 172.17.0.0/16 -j RETURN"})
                .status == 0);
    CHECK_FALSE(reaches());
    const auto said = nat_of(daemon, "co3");
    CHECK(said.finished.status == 1);
    const auto row = out_of(said);
    INFO(boost::json::serialize(row));
    CHECK(text(row, "verdict") == "routed");
    CHECK(text(row.at("rule").as_object(), "text").find("masquerade") != std::string::npos);
    CHECK(text(row.at("shadowed_by").as_object(), "text") == "ip saddr 172.17.0.0/16 return");
    const auto told = daemon.netlab({"nat", "co3"}).out;
    INFO(told);
    CHECK(told.find("NEVER MET, first comes ip nat POSTROUTING handle ") != told.npos);
    REQUIRE(on_host({"sh", "-c", text(row, "suggestion")}).status == 0);
    CHECK(text(out_of(nat_of(daemon, "co3")), "verdict") == "translated");
    CHECK(reaches());
    // What nobody outside sends to the host.
    REQUIRE(
        on_host({"sh", "-c",
                 "iptables -t nat -I POSTROUTING -s 172.17.0.0/16 -o eth0 -j SNAT --to-source 198.51.100.77"})
            .status == 0);
    CHECK_FALSE(reaches());
    CHECK(text(out_of(nat_of(daemon, "co3")), "explanation")
              .find("198.51.100.77 is no address of the host's") != std::string::npos);
}

TEST_CASE("nat: a rule that drops what leaves is named", "[docker][nat]") {
    const support::Daemon daemon(settings());
    (void)nat_of(daemon, "co1");
    const SavedRules saved;
    const auto address = address_of("co1", "net");
    REQUIRE(on_host({"iptables", "-I", "DOCKER-USER", "-s", address, "-m", "comment", "--comment",
                     "ticket \"4711\"", "-j", "DROP"})
                .status == 0);
    const auto by_iptables = nat_of(daemon, "co1");
    CHECK(by_iptables.finished.status == 1);
    CHECK(text(out_of(by_iptables), "verdict") == "blocked");
    const auto rule = out_of(by_iptables).at("rule").as_object();
    CHECK(text(rule, "chain") == "DOCKER-USER");
    CHECK(text(rule, "text") == "ip saddr " + address + R"( drop comment "ticket \"4711\"")");
    REQUIRE(on_host({"iptables", "-D", "DOCKER-USER", "1"}).status == 0);
    REQUIRE(on_host({"nft", "insert rule ip filter DOCKER-USER ip saddr " + address +
                                " counter drop comment \"ticket 4712\""})
                .status == 0);
    const auto by_nft = nat_of(daemon, "co1");
    CHECK(text(out_of(by_nft).at("rule").as_object(), "text") ==
          "ip saddr " + address + R"( drop comment "ticket 4712")");
}

TEST_CASE("nat: the host's whole picture has every network and every DNAT rule", "[docker][nat]") {
    const support::Daemon daemon(settings());
    (void)nat_of(daemon, "web");
    const auto said = nat(daemon, {});
    INFO(said.finished.out << said.finished.err);
    for (const auto& name :
         docker({"network", "ls", "--filter", "driver=bridge", "--format", "{{.Name}}"}).lines()) {
        INFO(name);
        CHECK(std::ranges::any_of(said.out, [&](const object& row) { return text(row, "network") == name; }));
    }
    const auto saved = on_host({"iptables-save", "-t", "nat"}).lines();
    const auto rules = std::ranges::count_if(
        saved, [](const std::string& line) { return line.find("-j DNAT") != line.npos; });
    CHECK(std::ranges::count_if(said.in, [](const object& row) { return text(row, "family") == "ipv4"; }) ==
          rules);
}

TEST_CASE("nat: whose a published address is says the engine, and not who gave it himself", "[docker][nat]") {
    const support::Daemon daemon(settings());
    docker({"network", "create", "-o", "com.docker.network.bridge.name=n-whose", "n-whose"});
    {
        const Container served("n-served", {"--network", "n-whose", "-p", "18090:80"});
        const Container thief("n-thief", {"--cap-add", "NET_ADMIN"});
        (void)nat_of(daemon, "n-served");
        (void)nat_of(daemon, "n-thief");
        const auto address = address_of("n-served", "n-whose");
        const auto owner = [&](const Words& words) {
            const auto said = nat(daemon, words);
            INFO(said.finished.out << said.finished.err);
            for (const auto& row : said.in) {
                if (row.at("to").as_object().at("address").as_string() == address) return text(row, "target");
            }
            FAIL("no rule to " << address);
            return std::string();
        };
        CHECK(owner({}) == "n-served");
        // The host's way is gone, the address at home too, and another has it.
        docker({"exec", "n-thief", "ip", "addr", "add", address + "/32", "dev", "lo"});
        REQUIRE(support::run({"nsenter", "--net=/proc/" + std::to_string(pid_of("n-served")) + "/ns/net",
                              "ip", "addr", "flush", "dev", "eth0"})
                    .status == 0);
        REQUIRE(on_host({"ip", "link", "set", "n-whose", "down"}).status == 0);
        CHECK(owner({}) == "n-served");
        CHECK(owner({"n-thief"}) == "n-served");
    }
    docker({"network", "rm", "n-whose"});
}

TEST_CASE("nat: as text the way out and in, each with its rule and counters", "[docker][nat]") {
    const support::Daemon daemon(settings());
    (void)nat_of(daemon, "py-server1");
    const auto finished = daemon.netlab({"nat", "py-server1"});
    INFO(finished.out << finished.err);
    const auto lines = finished.lines();
    CHECK(lines.at(0) == "py-server1 on bridge");
    CHECK(lines.at(1) == "  out  " + address_of("py-server1", "bridge") +
                             " (eth0) -> 172.17.0.1 (docker0) -> eth0 as 198.51.100.2");
    CHECK_FALSE(line_with(lines, {"ip nat POSTROUTING handle ", "masquerade  [", " packet"}).empty());
    CHECK_FALSE(line_with(lines, {"  in   *:8080/tcp -> "}).empty());
    CHECK(daemon.netlab({"nat", "nobody"}).status == 3);
}
