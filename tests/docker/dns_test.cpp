#include "tests/docker/lab.hpp"

#include <algorithm>
#include <set>

using namespace netlab;
using namespace netlab::lab;

namespace {

using boost::json::object;

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

/// What one server says of one question, but for the order of its records.
struct Answer {
    std::string rcode;
    std::multiset<std::string> records;  ///< "www.example.com. A 203.0.113.8"
    std::vector<std::int64_t> ttls;      ///< sorted
};

/// The referee, in the container's network namespace.
Answer dig(const std::string& container, const std::string& server, const std::string& name,
           const std::string& type, const Words& more = {}) {
    Words words{"nsenter",   "--net=/proc/" + std::to_string(pid_of(container)) + "/ns/net",
                "dig",       "@" + server,
                "+noall",    "+answer",
                "+comments", "+nosplit",
                "+tries=2",  "+time=3",
                "+notcp"};
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), {"-q", name, "-t", type});
    const auto finished = support::run_well(words);
    Answer answer;
    for (const auto& line : finished.lines()) {
        const auto status = line.find("status: ");
        if (status != line.npos) answer.rcode = line.substr(status + 8, line.find(',', status) - status - 8);
        if (line.empty() || line.front() == ';') continue;
        std::istringstream fields(line);
        std::string owner;
        std::string ttl;
        std::string klass;
        std::string of;
        std::string data;
        fields >> owner >> ttl >> klass >> of >> std::ws;
        std::getline(fields, data);
        answer.records.insert(owner + " " + of + " " + data);
        answer.ttls.push_back(std::stoll(ttl));
    }
    std::ranges::sort(answer.ttls);
    return answer;
}

std::vector<object> of_type(const Finished& finished, std::string_view type) {
    std::vector<object> found;
    for (auto& line : finished.json_lines()) {
        if (text(line, "type") == type) found.push_back(line);
    }
    return found;
}

object answer_of(const Finished& finished, std::string_view qtype) {
    for (auto& answer : of_type(finished, "answer")) {
        if (text(answer, "qtype") == qtype) return answer;
    }
    throw std::runtime_error("no answer of that type: " + finished.out + finished.err);
}

Finished ask(const support::Daemon& daemon, Words words) {
    words.insert(words.begin(), {"dns", "-o", "json"});
    return daemon.netlab(words);
}

Answer answer_from(const object& said) {
    Answer answer;
    answer.rcode = text(said, "rcode");
    for (const auto& value : said.at("answers").as_array()) {
        const auto& record = value.as_object();
        answer.records.insert(text(record, "name") + " " + text(record, "type") + " " + text(record, "data"));
        answer.ttls.push_back(record.at("ttl").as_int64());
    }
    std::ranges::sort(answer.ttls);
    return answer;
}

/// netlab's answer is dig's: the same response code, the same set, the same TTLs within a second.
void check_same(const support::Daemon& daemon, const std::string& container, const std::string& server,
                const std::string& name, const std::string& type, const Words& more = {}) {
    INFO(container << " " << name << " " << type << " at " << server);
    Words words{container, name, type, "--server", server};
    const bool tcp = std::ranges::find(more, "+tcp") != more.end();
    if (tcp) words.emplace_back("--tcp");
    const auto finished = ask(daemon, words);
    INFO(finished.out << finished.err);
    const auto ours = answer_from(answer_of(finished, type));
    const auto referee = dig(container, server, name, type, more);
    CHECK(!referee.rcode.empty());
    CHECK(ours.rcode == referee.rcode);
    CHECK(ours.records == referee.records);
    REQUIRE(ours.ttls.size() == referee.ttls.size());
    for (std::size_t i = 0; i < ours.ttls.size(); ++i)
        CHECK(std::abs(ours.ttls[i] - referee.ttls[i]) <= 1);
}

std::string explanations(const Finished& finished) {
    const auto said = report(finished);
    std::string all;
    for (const auto& sentence : said.at("explanations").as_array())
        all += std::string(sentence.as_string()) + "\n";
    return all;
}

/// The data of its first record.
std::string first_data(const object& answer) {
    const auto& answers = answer.at("answers").as_array();
    return answers.empty() ? std::string() : text(answers.front().as_object(), "data");
}

constexpr const char* embedded = "127.0.0.11";
constexpr const char* upstream = "203.0.113.8";
constexpr const char* example = "203.0.113.55";

}  // namespace

TEST_CASE("dns: co1 finds co2 and co4 by the embedded server, and dig says the same", "[docker]") {
    const support::Daemon daemon(settings());
    for (const auto* peer : {"co2", "co4"}) {
        const auto finished = ask(daemon, {"co1", peer});
        INFO(finished.out << finished.err);
        CHECK(finished.status == 0);
        const auto a = answer_of(finished, "A");
        CHECK(text(a, "from") == "co1");
        CHECK(text(a, "server") == embedded);
        CHECK(text(a, "transport") == "udp");
        CHECK(text(a, "name") == std::string(peer) + ".");
        REQUIRE(a.at("answers").as_array().size() == 1);
        CHECK(first_data(a) == address_of(peer, "net"));
        CHECK(a.at("flags").at("rd") == true);
        CHECK(text(report(finished), "outcome") == "answered");
        check_same(daemon, "co1", embedded, peer, "A");
        check_same(daemon, "co1", embedded, peer, "AAAA");
        check_same(daemon, "co1", embedded, peer, "A", {"+tcp"});
    }
}

TEST_CASE("dns: not co3, whose networks are told, and how to join them, and that helps", "[docker]") {
    const support::Daemon daemon(settings());
    const auto finished = ask(daemon, {"co1", "co3"});
    CHECK(finished.status == 1);
    CHECK(text(answer_of(finished, "A"), "rcode") == "NXDOMAIN");
    check_same(daemon, "co1", embedded, "co3", "A");
    CHECK(contains(explanations(finished), "co1 and co3 share no network"));
    REQUIRE(contains(text(report(finished), "suggestion"), "docker network connect net co3"));
    docker({"network", "connect", "net", "co3"});
    const auto after = ask(daemon, {"co1", "co3"});
    docker({"network", "disconnect", "net", "co3"});
    CHECK(after.status == 0);
    // Its address there is no name in co1 any more, and said is whose it is.
    const auto address = address_of("co3", "bridge");
    const auto reverse = ask(daemon, {"co1", address});
    CHECK(reverse.status == 1);
    CHECK(contains(explanations(reverse), address + " is an address of co3"));
    CHECK(contains(explanations(reverse), "share no network"));
}

TEST_CASE("dns: an address' name, aliases, and names that docker gives", "[docker]") {
    const support::Daemon daemon(settings());
    const auto address = address_of("co2", "net");
    const auto finished = ask(daemon, {"co1", address});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 0);
    const auto answer = answer_of(finished, "PTR");
    REQUIRE(answer.at("answers").as_array().size() == 1);
    CHECK(first_data(answer) == "co2.net.");
    const auto referee = dig("co1", embedded, text(answer, "name"), "PTR");
    CHECK(answer_from(answer).records == referee.records);
    check_same(daemon, "co1", embedded, "co2.net", "A");
    const Container web("dns-alias", {"--network", "net", "--network-alias", "shop"});
    check_same(daemon, "co1", embedded, "shop", "A");
    CHECK(ask(daemon, {"co1", "shop", "A", "--server", embedded}).status == 0);
    const auto id = text(inspect("co2"), "Id").substr(0, 12);
    check_same(daemon, "co1", embedded, id, "A");
    // Its own name it has in its hosts file.
    const auto own = answer_of(ask(daemon, {"co1", "co1"}), "A");
    CHECK(text(own, "server") == "/etc/hosts");
    CHECK(first_data(own) == address_of("co1", "net"));
}

TEST_CASE("dns: the default bridge has the host's server, and no names of containers", "[docker]") {
    const support::Daemon daemon(settings());
    // Not co3: one that has been on another network keeps 127.0.0.11 in its resolv.conf.
    const Container plain("dns-plain", {});
    REQUIRE(support::eventually([&] { return contains(daemon.netlab({"ls"}).out, "dns-plain"); },
                                std::chrono::seconds(2)));
    const auto finished = ask(daemon, {"dns-plain", "co4"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 1);
    CHECK(text(answer_of(finished, "A"), "server") == upstream);
    CHECK(contains(explanations(finished), "share only bridge, Docker's default network, which has no DNS"));
    const auto outside = ask(daemon, {"dns-plain", "www.example.com"});
    CHECK(outside.status == 0);
    CHECK(text(answer_of(outside, "A"), "server") == upstream);
}

TEST_CASE("dns: the real upstream behind the embedded server, type by type, as dig has it", "[docker]") {
    const support::Daemon daemon(settings());
    for (const auto* server : {embedded, upstream}) {
        check_same(daemon, "co1", server, "www.example.com", "A");
        check_same(daemon, "co1", server, "www.example.com", "AAAA");
        check_same(daemon, "co1", server, "alias.example.com", "A");
        check_same(daemon, "co1", server, "alias.example.com", "CNAME");
        check_same(daemon, "co1", server, "nobody.example.com", "A");
        check_same(daemon, "co1", server, "www.example.com", "MX");
        check_same(daemon, "co1", server, "8.113.0.203.in-addr.arpa", "PTR");
    }
    check_same(daemon, "co1", upstream, "big.example.com", "TXT", {"+noedns"});
    const auto big = answer_of(ask(daemon, {"co1", "big.example.com", "TXT"}), "TXT");
    CHECK(text(big, "transport") == "tcp");
    CHECK(big.at("answers").as_array().size() == 6);
}

TEST_CASE("dns: each type of record as dig has it", "[docker]") {
    const support::Daemon daemon(settings());
    for (const auto& [name, type] :
         std::initializer_list<std::pair<const char*, const char*>>{{"example.test", "SOA"},
                                                                    {"example.test", "NS"},
                                                                    {"example.test", "MX"},
                                                                    {"example.test", "TXT"},
                                                                    {"example.test", "CAA"},
                                                                    {"example.test", "ANY"},
                                                                    {"www.example.test", "A"},
                                                                    {"www.example.test", "AAAA"},
                                                                    {"chain.example.test", "A"},
                                                                    {"chain.example.test", "CNAME"},
                                                                    {"_http._tcp.example.test", "SRV"},
                                                                    {"info.example.test", "ANY"},
                                                                    {"odd.example.test", "ANY"},
                                                                    {"naptr.example.test", "ANY"},
                                                                    {"key.example.test", "ANY"},
                                                                    {"many.example.test", "A"},
                                                                    {"big.example.test", "TXT"},
                                                                    {"nobody.example.test", "A"},
                                                                    {"www.elsewhere.test", "A"}})
        check_same(daemon, "co1", example, name, type);
}

TEST_CASE("dns: the text reads like dig's, and --short is dig's", "[docker]") {
    const support::Daemon daemon(settings());
    const auto finished = daemon.netlab({"dns", "co1", "www.example.com", "A"});
    INFO(finished.out << finished.err);
    const auto lines = finished.lines();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].starts_with(
        ";; www.example.com. IN A: NOERROR, from 127.0.0.11 (UDP), flags: qr aa rd ra, "));
    CHECK(lines[1] == "www.example.com.\t60\tIN\tA\t203.0.113.8");
    const auto data = daemon.netlab({"dns", "--short", "co1", "alias.example.com"});
    CHECK(data.out == "www.example.com.\n203.0.113.8\nwww.example.com.\n2001:db8:203::8\n");
    CHECK(data.err.empty());
    const auto none = daemon.netlab({"dns", "--short", "co1", "co3"});
    CHECK(none.status == 1);
    CHECK(none.out.empty());
    CHECK(contains(none.err, "netlab: co1 and co3 share no network"));
}

TEST_CASE("dns: --trace from a private root through two delegations, as dig has each step", "[docker]") {
    const support::Daemon daemon(settings());
    const auto finished = ask(daemon, {"co1", "www.example.test", "--trace", "--root", "203.0.113.53"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 0);
    const auto referrals = of_type(finished, "referral");
    REQUIRE(referrals.size() == 2);
    CHECK(text(referrals[0], "zone") == ".");
    CHECK(text(referrals[0], "server") == "203.0.113.53");
    CHECK(text(referrals[1], "zone") == "test.");
    CHECK(text(referrals[1], "server") == "203.0.113.54");
    CHECK(text(referrals[1], "server_name") == "ns1.test.");
    for (const auto& referral : referrals) {
        Answer step;
        for (const auto& value : referral.at("records").as_array()) {
            const auto& record = value.as_object();
            step.records.insert(text(record, "name") + " " + text(record, "type") + " " +
                                text(record, "data"));
        }
        const auto referee = dig("co1", text(referral, "server"), "www.example.test", "A",
                                 {"+norec", "+authority", "+noedns"});
        CHECK(step.records == referee.records);
    }
    const auto answer = answer_of(finished, "A");
    CHECK(text(answer, "server") == example);
    CHECK(text(answer, "server_note") == "ns1.example.test.");
    CHECK(answer.at("flags").at("aa") == true);
    CHECK(answer.at("flags").at("rd") == false);
    CHECK(answer_from(answer).records == dig("co1", example, "www.example.test", "A", {"+norec"}).records);
}

TEST_CASE("dns: --trace finds servers that come without an address, and says where it ends", "[docker]") {
    const support::Daemon daemon(settings());
    const auto trace = [&](const std::string& name) {
        return ask(daemon, {"co1", name, "--trace", "--root", "203.0.113.53", "-W", "2"});
    };
    const auto far = trace("www.far");
    INFO(far.out << far.err);
    CHECK(far.status == 0);
    CHECK(text(answer_of(far, "A"), "server") == example);
    const auto nobody = trace("nobody.example.test");
    CHECK(nobody.status == 1);
    CHECK(text(answer_of(nobody, "A"), "rcode") == "NXDOMAIN");
    const auto dead = trace("www.dead");
    CHECK(dead.status == 1);
    CHECK(contains(explanations(dead), "no server of the zone dead. gives an answer"));
    CHECK(contains(dead.out, "port unreachable, from 203.0.113.59"));
    const auto lame = trace("www.lame");
    CHECK(lame.status == 1);
    CHECK(contains(explanations(lame), "lame delegation"));
    // Its server has an IPv6 address alone, which co1 has no way to.
    const auto six = trace("www.six");
    CHECK(six.status == 1);
    INFO(six.out << six.err);
    CHECK(contains(explanations(six), "no server of the zone six. gives an answer"));
    CHECK(contains(six.out, "fd00:53::55"));
    const auto unknown = ask(daemon, {"co1", "www.example.test", "--trace"});
    CHECK(unknown.status == 1);
    CHECK(contains(explanations(unknown), "does not know the servers of the root"));
    const auto text_of =
        daemon.netlab({"dns", "co1", "www.example.test", "--trace", "--root", "203.0.113.53"});
    CHECK(contains(text_of.out, "test.\t\t\t300\tIN\tNS\tns1.test.\n;; Received "));
    CHECK(contains(text_of.out, " bytes from 203.0.113.54(ns1.test.) in "));
}

TEST_CASE("dns: --all-servers asks those behind the embedded server too, and compares", "[docker]") {
    const support::Daemon daemon(settings());
    const auto outside = ask(daemon, {"co1", "www.example.com", "A", "--all-servers"});
    INFO(outside.out << outside.err);
    CHECK(outside.status == 0);
    const auto answers = of_type(outside, "answer");
    REQUIRE(answers.size() == 2);
    CHECK(text(answers[0], "server") == embedded);
    CHECK(text(answers[1], "server") == upstream);
    CHECK(text(answers[1], "server_note") == "behind 127.0.0.11");
    CHECK(answer_from(answers[0]).records == dig("co1", embedded, "www.example.com", "A").records);
    CHECK(answer_from(answers[1]).records == dig("co1", upstream, "www.example.com", "A").records);
    CHECK(report(outside).at("agreed") == true);
    // A container's name is Docker's own: no disagreement.
    const auto own = ask(daemon, {"co1", "co2", "A", "--all-servers"});
    CHECK(own.status == 0);
    CHECK(report(own).at("agreed") == true);
    CHECK(contains(explanations(own), "only 127.0.0.11 knows 'co2.'"));
    // Its own --dns goes before the engine's, and a server that has other data is told.
    const Container other("dns-other", {"--network", "net", "--dns", example});
    const auto different = ask(daemon, {"dns-other", "www.example.com", "A", "--all-servers", "--server",
                                        embedded, "--server", upstream});
    INFO(different.out << different.err);
    CHECK(different.status == 1);
    CHECK(report(different).at("agreed") == false);
    CHECK(contains(explanations(different), "the servers disagree: "));
    const auto behind =
        of_type(ask(daemon, {"dns-other", "www.example.test", "A", "--all-servers"}), "answer");
    REQUIRE(behind.size() == 2);
    CHECK(text(behind[1], "server") == example);
}

TEST_CASE("dns: the embedded server's rules gone are told as such", "[docker]") {
    const support::Daemon daemon(settings());
    const Container flushed("dns-flushed", {"--network", "net"});
    support::run_well({"nsenter", "--net=/proc/" + std::to_string(pid_of("dns-flushed")) + "/ns/net",
                       "iptables", "-t", "nat", "-F"});
    const auto finished = ask(daemon, {"dns-flushed", "co2", "-W", "1"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 1);
    CHECK(contains(explanations(finished), "DNAT rules of Docker's DNS are gone"));
    CHECK(text(report(finished), "suggestion") == "docker restart dns-flushed");
}

TEST_CASE("dns: a resolver that is silent takes its time and no more, and memory and CPU time stay small",
          "[docker]") {
    const support::Daemon daemon(settings());
    // Nobody answers there, and nothing says so: the outside world has no such address on its link.
    auto waiting = daemon.start_netlab(
        {"dns", "co1", "www.example.com", "A", "--server", "198.51.100.99", "-W", "1", "-o", "json"});
    REQUIRE(support::eventually([&] { return !daemon.workers("nl:dns").empty(); }, std::chrono::seconds(2)));
    const auto workers = daemon.workers("nl:dns");
    REQUIRE(workers.size() == 1);
    CHECK(support::process_status(workers[0], "CapEff") == "0000000000000000");
    constexpr unsigned long most_kib = 32 * 1024;
#ifdef NETLAB_SANITIZED
    // With the sanitizers each process of the program has their memory from its beginning, which grows with
    // it.
    const auto own = std::stoul(support::process_status(daemon.child("nl:launcher"), "RssAnon"));
#else
    constexpr unsigned long own = 0;
#endif
    CHECK(std::stoul(support::process_status(workers[0], "VmHWM")) < own + most_kib);
    const auto finished = waiting.wait();
    CHECK(finished.status == 1);
    // By the asking's own clock: how long the programs take besides is the machine's affair.
    const auto answer = answer_of(finished, "A");
    CHECK(text(answer, "server") == "198.51.100.99");
    CHECK(text(answer, "outcome") == "timed_out");
    const auto microseconds = answer.at("elapsed_us").as_double();
    CHECK(microseconds > 900'000);
    CHECK(microseconds < 1'600'000);
}

TEST_CASE("dns: wrong words are told in netlab's own", "[docker]") {
    const support::Daemon daemon(settings());
    const auto refused = [&](const Words& words, int status, std::string_view part) {
        const auto finished = daemon.netlab(words);
        INFO(finished.err);
        CHECK(finished.status == status);
        CHECK(finished.out.empty());
        CHECK(contains(finished.err, part));
    };
    refused({"dns", "co1"}, 2, "NAME");
    refused({"dns", "co1", "co2", "AXFR"}, 2, "'AXFR' is no type of record");
    refused({"dns", "co1", "co2", "--server", "dns.example"}, 2, "no address of a DNS server");
    refused({"dns", "co1", "co2", "-W", "61"}, 2, "wait");
    refused({"dns", "co1", "co2", "--root", "192.0.2.1"}, 2, "--trace");
    refused({"dns", "co1", "docker:co2"}, 2, "netlab dns co1 co2");
    refused({"dns", "nobody", "co2"}, 3, "nobody");
    refused({"dns", "co1", "172.18.0.2", "MX"}, 2, "PTR");
}
