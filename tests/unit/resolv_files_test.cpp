#include "daemon/operations/hosts_file.hpp"
#include "daemon/operations/resolv_conf.hpp"
#include "tests/support/catch.hpp"

#include <random>

using namespace netlab;
using namespace netlab::operations;

namespace {

using Texts = std::vector<std::string>;

/// "3: reason" of each line that is passed over.
Texts reasons(std::string_view text) {
    Texts out;
    for (const auto& line : read_resolv_conf(text).skipped)
        out.push_back(std::to_string(line.number) + ": " + line.reason);
    return out;
}

}  // namespace

TEST_CASE("resolv.conf: of a good file nothing is passed over", "[unit]") {
    const auto reading = read_resolv_conf(
        "# a comment\n\nnameserver 127.0.0.11\nsearch a.example b.example\n; another\n"
        "options edns0 trust-ad ndots:0\nsortlist 130.155.160.0/255.255.240.0\n");
    CHECK(reading.skipped.empty());
    CHECK_FALSE(reading.default_server);
    CHECK(reading.options == Texts{"edns0", "trust-ad", "ndots:0"});
    CHECK(reading.conf ==
          parse_resolv_conf("nameserver 127.0.0.11\nsearch a.example b.example\noptions ndots:0\n"));
}

TEST_CASE("resolv.conf: what is passed over is told with its line and the reason", "[unit]") {
    CHECK(reasons("nameservr 192.0.2.1\n") ==
          Texts{"1: 'nameservr' is no keyword of resolv.conf; did you mean nameserver?"});
    CHECK(reasons("\n nameserver 192.0.2.1\n") == Texts{"2: a keyword must stand at the start of its line"});
    CHECK(reasons("nameserver dns.example\n") == Texts{"1: 'dns.example' is no IP address"});
    CHECK(reasons("nameserver 192.0.2.1\r\n") ==
          Texts{"1: the line ends with a carriage return, which becomes a part of the address"});
    CHECK(reasons("nameserver\nnameserver \nsearch\t\n") == Texts{"1: nothing follows the keyword",
                                                                  "2: nothing follows the keyword",
                                                                  "3: nothing follows the keyword"});
    CHECK(
        reasons("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n") ==
        Texts{"4: only the first three servers are asked"});
    CHECK(reasons("options edns0 rotat use-vc\n") ==
          Texts{"1: no option is called 'rotat'; did you mean rotate?"});
    CHECK(read_resolv_conf("options edns0 rotat use-vc\n").options == Texts{"edns0", "use-vc"});
    using namespace std::string_view_literals;
    CHECK(reasons("nameserver 192.0.2.1\0garbage\n"sv) ==
          Texts{"1: what follows a zero byte does not count"});
    CHECK(reasons("search a\nfoo\ndomain b\nsearch c\n") ==
          Texts{"1: a later search or domain line replaces it", "2: 'foo' is no keyword of resolv.conf",
                "3: a later search or domain line replaces it"});
    CHECK(read_resolv_conf("search a\nfoo\ndomain b\nsearch c\n").conf.search == Texts{"c"});
}

TEST_CASE("resolv.conf: a byte order mark is called one, and use-vc is TCP", "[unit]") {
    const auto reading = read_resolv_conf("\xEF\xBB\xBFnameserver 192.0.2.1\noptions use-vc\n");
    REQUIRE(reading.skipped.size() == 1);
    CHECK(reading.skipped[0].reason ==
          "the file begins with a UTF-8 byte order mark, which becomes a part of its first word");
    CHECK(reading.skipped[0].kind == SkippedLine::Kind::nameserver);
    CHECK(reading.default_server);
    CHECK(reading.conf.use_vc);
}

TEST_CASE("resolv.conf: a nameserver that does not count is marked as one", "[unit]") {
    const auto kinds = [](std::string_view text) {
        std::vector<bool> out;
        for (const auto& line : read_resolv_conf(text).skipped)
            out.push_back(line.kind == SkippedLine::Kind::nameserver);
        return out;
    };
    CHECK(kinds("nameserver x\n nameserver 192.0.2.1\noptions x\n  search a\n") ==
          std::vector{true, true, false, false});
}

TEST_CASE("resolv.conf: a line of nonsense costs about its own length, and every word of it counts",
          "[unit]") {
    constexpr std::size_t words = 32'000;
    for (const std::string begin : {"options ", "search a\nsearch b\noptions "}) {
        std::string text = begin;
        for (std::size_t i = 0; i < words; ++i)
            text += "a ";
        const auto reading = read_resolv_conf(text);
        std::size_t bytes = 0;
        for (const auto& line : reading.skipped)
            bytes += line.text.size() + line.reason.size();
        CHECK(bytes < text.size());
        const std::size_t replaced = begin == "options " ? 0 : 1;
        CHECK(reading.skipped.size() + reading.more_skipped == words + replaced);
        CHECK(reading.options.empty());
    }
    std::string lines;
    for (std::size_t i = 0; i < 1000; ++i)
        lines += "search a\n";
    const auto reading = read_resolv_conf(lines);
    CHECK(reading.skipped.size() == ResolvConfReading::most_skipped);
    CHECK(reading.more_skipped == 999 - ResolvConfReading::most_skipped);
    CHECK(reading.conf.search == std::vector<std::string>{"a"});
}

TEST_CASE("resolv.conf: the upstreams that Docker notes are read", "[unit]") {
    const auto external = [](std::string_view text) { return read_resolv_conf(text).external; };
    CHECK(external("nameserver 127.0.0.11\n# Based on host file: '/etc/resolv.conf' (internal resolver)\n"
                   "# ExtServers: [192.0.2.1 host(127.0.0.53) fe80::1%eth0]\n# Overrides: []\n") ==
          std::vector<ExternalServer>{{"192.0.2.1", false}, {"127.0.0.53", true}, {"fe80::1%eth0", false}});
    CHECK(external("# ExtServers: []\n").empty());
    CHECK(external("# ExtServers: [\n").empty());
    CHECK(external("# ExtServers: [host() host( ) x host(192.0.2.1]\n").empty());
}

TEST_CASE("hosts: each line with its names, and why others do not count", "[unit]") {
    const auto reading = read_hosts(
        "127.0.0.1\tlocalhost # here\n\n# comment\nfe80::1%eth0 zone\n"
        "172.18.0.2  co1.net co1\n172.18.0.3\nfoo bar\n");
    CHECK(reading.lines == std::vector<HostsLine>{{1, *IpAddress::parse("127.0.0.1"), {"localhost"}},
                                                  {5, *IpAddress::parse("172.18.0.2"), {"co1.net", "co1"}}});
    REQUIRE(reading.skipped.size() == 3);
    CHECK(reading.skipped[0].number == 4);
    CHECK(reading.skipped[1] == SkippedHostsLine{6, "172.18.0.3", "no name follows the address"});
    CHECK(reading.skipped[2] == SkippedHostsLine{7, "foo bar", "it does not begin with an IP address"});
}

TEST_CASE("resolv.conf and hosts: random bytes are read without harm, line by line", "[unit]") {
    std::mt19937 random(3);
    const std::string_view pieces[] = {"nameserver ",     "search ", "options ", "ndots:",  "\n",
                                       "# ExtServers: [", "host(",   "::1",      "1.2.3.4", " ",
                                       "domain",          "]"};
    for (int round = 0; round < 3000; ++round) {
        std::string text;
        for (auto i = random() % 40; i > 0; --i) {
            text += pieces[random() % std::size(pieces)];
            text += static_cast<char>(random());
        }
        const auto reading = read_resolv_conf(text);
        REQUIRE(std::ranges::is_sorted(reading.skipped, {}, &SkippedLine::number));
        REQUIRE(reading.conf == parse_resolv_conf(text));
        const auto hosts = read_hosts(text);
        for (const auto& line : hosts.lines) {
            REQUIRE_FALSE(line.names.empty());
            const auto found = hosts_addresses(text, line.names.front(), std::nullopt);
            REQUIRE(std::ranges::find(found, line.address) != found.end());
        }
    }
}
