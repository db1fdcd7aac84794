#include "daemon/operations/dns_plan.hpp"

#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::operations;

namespace {

using Words = std::vector<std::string>;

api::DnsRequest question(std::string name, std::string type = {}) {
    api::DnsRequest request;
    request.from = "co1";
    request.name = std::move(name);
    request.type = std::move(type);
    return request;
}

DnsPlan plan(const api::DnsRequest& request,
             std::string_view conf = "nameserver 127.0.0.11\nsearch a.test b.test\n") {
    return make_dns_plan(request, parse_resolv_conf(conf), Output::Clock::time_point{}).value();
}

Words servers(const DnsPlan& plan) {
    Words texts;
    std::ranges::transform(plan.conf.servers, std::back_inserter(texts), &NameServer::to_string);
    return texts;
}

Words data(const DnsFileAnswers& found, std::size_t type) {
    Words all;
    for (const auto& record : found.answers.at(type).answers)
        all.push_back(record.data);
    return all;
}

}  // namespace

TEST_CASE("dns plan: A and AAAA, the type that was asked for, or an address' PTR", "[unit]") {
    using Types = std::vector<std::uint16_t>;
    CHECK(plan(question("co2")).types == Types{1, 28});
    CHECK(plan(question("co2", "caa")).types == Types{257});
    CHECK(plan(question("172.18.0.2")).types == Types{12});
    CHECK(plan(question("172.18.0.2")).name == "2.0.18.172.in-addr.arpa.");
    auto trace = question("co2");
    trace.trace = true;
    CHECK(plan(trace).types == Types{1});
    // As the target's programs: its file says that it has no use for AAAA.
    CHECK(plan(question("co2"), "options no-aaaa\n").types == Types{1});
    CHECK(plan(question("co2", "AAAA"), "options no-aaaa\n").types == Types{28});
}

TEST_CASE("dns plan: servers and search list are the file's, unless the request has its own", "[unit]") {
    CHECK(servers(plan(question("co2"))) == Words{"127.0.0.11"});
    CHECK(plan(question("co2")).conf.search == Words{"a.test", "b.test"});
    std::string many = "search";
    for (int i = 0; i < 10'000; ++i)
        many += " s" + std::to_string(i);
    CHECK(plan(question("co2"), many).conf.search.size() == DnsPlan::most_searched);
    auto request = question("co2");
    request.servers = {"192.0.2.1:54", "fe80::1%eth0"};
    request.search = false;
    request.tcp = true;
    request.wait_ms = 1500;
    const auto own = plan(request);
    CHECK(servers(own) == Words{"192.0.2.1:54", "fe80::1%eth0"});
    CHECK(own.conf.search.empty());
    CHECK(own.transport == api::DnsTransport::tcp);
    CHECK(own.until == Output::Clock::time_point{} + std::chrono::milliseconds(1500));
}

TEST_CASE("dns plan: the hosts file decides where a program would ask it, and only there", "[unit]") {
    constexpr const char* hosts = "172.18.0.9 co2 alias\nfd00::9 co2\n10.0.0.1 four\n";
    const auto found = [&](const api::DnsRequest& request) {
        return answers_of_files(request, plan(request), hosts);
    };
    const auto both = found(question("CO2"));
    CHECK(both.decide);
    CHECK(data(both, 0) == Words{"172.18.0.9"});
    CHECK(data(both, 1) == Words{"fd00::9"});
    CHECK(both.answers[0].server == "/etc/hosts");
    CHECK(both.answers[0].name == "CO2.");
    CHECK(!both.answers[0].answers[0].ttl);
    // One family is enough to a program that takes both.
    const auto four = found(question("four"));
    CHECK(four.decide);
    CHECK(four.answers[1].outcome == api::DnsOutcome::no_data);
    CHECK(!found(question("four", "AAAA")).decide);
    CHECK(!found(question("co2", "MX")).decide);
    CHECK(!found(question("nobody")).decide);
    CHECK(data(found(question("172.18.0.9")), 0) == Words{"co2."});
    CHECK(data(found(question("localhost")), 1) == Words{"::1"});
    auto other = question("co2", "A");
    other.servers = {"192.0.2.1"};
    CHECK(!found(other).decide);
    CHECK(found(other).in_hosts == Words{"172.18.0.9"});
    other.servers.clear();
    other.all_servers = true;
    CHECK(!found(other).decide);
}

TEST_CASE("dns plan: of the servers behind Docker's resolver those are asked that can be asked from there",
          "[unit]") {
    api::EmbeddedResolverRow docker;
    CHECK(servers_behind(docker, "co1").remarks ==
          Words{"which servers stand behind 127.0.0.11 is not known"});
    docker.upstreams = {{"192.0.2.1", false}, {"127.0.0.53", true}, {"fe80::1%eth0", false}};
    const auto behind = servers_behind(docker, "co1");
    REQUIRE(behind.servers.size() == 2);
    CHECK(behind.servers[0].to_string() == "192.0.2.1");
    CHECK(behind.servers[1].to_string() == "fe80::1%eth0");
    CHECK(behind.remarks ==
          Words{"127.0.0.11 also asks 127.0.0.53, from the host's namespace: from co1 that is "
                "another server"});
}

TEST_CASE("dns plan: an exchange as it is told", "[unit]") {
    DnsExchange silent;
    silent.transport = api::DnsTransport::tcp;
    const NameServer server{*IpAddress::parse("192.0.2.1"), {}, 54};
    const auto event = answer_event("co1", "x.test", 65280, server, silent, "behind 127.0.0.11");
    CHECK(event.name == "x.test.");
    CHECK(event.qtype == "TYPE65280");
    CHECK(event.server == "192.0.2.1:54");
    CHECK(event.server_note == "behind 127.0.0.11");
    CHECK(event.outcome == api::DnsOutcome::timed_out);
    CHECK(!event.rcode);
    CHECK(!event.flags);
    CHECK(answer_event("co1", "", 2, server, silent).name == ".");
}
