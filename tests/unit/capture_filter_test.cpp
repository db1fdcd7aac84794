#include "daemon/operations/capture_filter.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <sstream>

#include <boost/json/array.hpp>
#include <linux/if_packet.h>

using namespace netlab;
using namespace netlab::operations;
using pcapng::LinkType;

namespace {

const std::vector<api::NamedAddress> names{{*IpAddress::parse("172.20.0.2"), "co1"},
                                           {*IpAddress::parse("172.20.0.3"), "co2"},
                                           {*IpAddress::parse("fd00::3"), "co2"},
                                           {*IpAddress::parse("172.20.0.4"), "ip"},
                                           {*IpAddress::parse("172.20.0.5"), "my-web.1"}};

std::optional<std::uint16_t> port_of(const std::string& service) {
    if (service == "http") return 80;
    if (service == "domain") return 53;
    if (service == "http-alt") return 8080;
    return std::nullopt;
}

Result<FilterWords> read(const std::string& filter) {
    return read_filter(filter, names, port_of);
}

/// The column of the caret.
std::size_t place_of(const Error& error) {
    REQUIRE(error.details.size() == 2);
    return error.details[1].find('^');
}

/// In a process without privileges libpcap has only its dead handles, which compile the same but for `vlan`.
Result<std::vector<sock_filter>> compile(const std::string& filter, LinkType type = LinkType::ethernet) {
    FilterCompilers compilers;
    REQUIRE(compilers.open(type));
    const auto words = read(filter);
    if (!words) return words.error();
    return compilers.compile(*words, type, 65'535);
}

/// What tcpdump compiles: the referee.
std::vector<std::string> by_tcpdump(const std::string& filter) {
    const auto dumped =
        support::run_well({"tcpdump", "-ddd", "-s", "65535", "-y", "EN10MB", "-i", "lo", filter});
    auto lines = dumped.lines();
    lines.erase(lines.begin());  // their number
    return lines;
}

std::vector<std::string> written(const std::vector<sock_filter>& program) {
    std::vector<std::string> lines;
    for (const auto& one : program) {
        std::ostringstream line;
        line << one.code << ' ' << unsigned{one.jt} << ' ' << unsigned{one.jf} << ' ' << one.k;
        lines.push_back(line.str());
    }
    return lines;
}

}  // namespace

TEST_CASE("capture filter: names are addresses, services ports, protocols numbers", "[unit]") {
    const auto [filter, expected] = GENERATE(table<std::string, std::string>({
        {"", ""},
        {"icmp", "icmp"},
        {"host co1", "host 172.20.0.2"},
        {"host co2", "host (172.20.0.3 or fd00::3)"},
        {"src co1 and dst host co2", "src 172.20.0.2 and dst host (172.20.0.3 or fd00::3)"},
        {"ip host co2", "ip host 172.20.0.3"},
        {"ip6 host co2", "ip6 host fd00::3"},
        {"arp host co2", "arp host 172.20.0.3"},
        {"host co1 and co2", "host 172.20.0.2 and (172.20.0.3 or fd00::3)"},
        {"host ip", "host 172.20.0.4"},  // a target that is called as a keyword
        {"host my-web.1", "host 172.20.0.5"},
        {"not (host co1)", "not ( host 172.20.0.2 )"},
        {"port http", "port 80"},
        {"tcp port http or domain", "tcp port 80 or 53"},
        {"portrange http-domain", "portrange 80-53"},
        {"port http-alt", "port 8080"},
        {"portrange 8000-8080", "portrange 8000-8080"},
        {"ip proto \\tcp", "ip proto 6"},
        {"ether proto \\arp", "ether proto 2054"},
        {"tcp[tcpflags]&(tcp-syn|tcp-fin)!=0", "tcp [ tcpflags ] & ( tcp-syn | tcp-fin ) != 0"},
        {"ip[2:2] > 576", "ip [ 2 : 2 ] > 576"},
        {"ether host 02:42:ac:14:00:02", "ether host 02:42:ac:14:00:02"},
        {"net 172.20.0.0/16", "net 172.20.0.0 / 16"},
        {"ip6 net fd00::/8", "ip6 net fd00:: / 8"},
        {"host ::1", "host ::1"},
        {"icmp[icmptype]==icmp-echo", "icmp [ icmptype ] == icmp-echo"},
        {"len<=0x40&&udp", "len <= 0x40 && udp"},
    }));
    INFO(filter);
    const auto words = read(filter);
    REQUIRE(words);
    CHECK(words->text() == expected);
}

TEST_CASE("capture filter: what is no name is told with the nearest and its place", "[unit]") {
    const auto [filter, place, message,
                hint] = GENERATE(table<std::string, std::size_t, std::string, std::string>({
        {"host co3", 5, "unknown host 'co3'", "did you mean co1 or co2?"},
        {"icmp and  host www.example.com", 15, "unknown host 'www.example.com'",
         "names are those of running targets; anything else as a number"},
        {"port https", 5, "unknown port 'https'", "a number is always understood"},
        {"ip proto \\foo", 9, "unknown protocol 'foo'", "a number is always understood"},
        {"ip6 host co1", 9, "'co1' has no address of that family",
         "names are those of running targets; anything else as a number"},
        {"port 8000-8100", 5, "a range of ports needs portrange", "portrange 8000-8100"},
        {"host 1.2.3.4.5", 5, "unknown host '1.2.3.4.5'",
         "names are those of running targets; anything else as a number"},
        {"host ab.cd.ef", 5, "unknown host 'ab.cd.ef'",
         "names are those of running targets; anything else as a number"},
        {"icmp; udp", 4, "syntax error in filter expression: ';' is nothing that a filter has", ""},
        {"tcpp", 0, "unknown host 'tcpp'", "names are those of running targets; anything else as a number"},
    }));
    INFO(filter);
    const auto words = read(filter);
    REQUIRE(!words);
    CHECK(words.error().code == errc::bad_request);
    CHECK(words.error().message == message);
    CHECK(words.error().hint == hint);
    CHECK(place_of(words.error()) == place);
}

TEST_CASE("capture filter: only words that may be services are looked up", "[unit]") {
    CHECK(possible_services("tcp port http and host 10.0.0.1 or portrange a-b or vlan 3") ==
          std::vector<std::string>{"http", "a-b", "a", "b"});
    CHECK(possible_services("tcp[12:2] & 0xf0 != 0 and ether host 02:42:00:00:00:01").empty());
}

TEST_CASE("capture filter: it compiles to what tcpdump compiles", "[unit]") {
    const auto filter = GENERATE(as<std::string>(), "icmp", "tcp port 80", "host 172.20.0.2 and not arp",
                                 "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "ip6 and udp portrange 1-1024",
                                 "ip[2:2] > 576", "ether host 02:42:ac:14:00:02", "net 172.20.0.0/16",
                                 "icmp6 or (arp and len <= 64)", "vlan 42 and icmp");
    INFO(filter);
    const auto program = compile(filter);
    REQUIRE(program);
    CHECK(written(*program) == by_tcpdump(filter));
}

TEST_CASE("capture filter: libpcap's mistakes have their place", "[unit]") {
    const auto [filter, place] = GENERATE(table<std::string, std::size_t>({
        {"tcp port 80 and and udp", 16},
        {"tcp port", 8},
        {"(tcp port 80", 12},
        {"tcp port 80)", 11},
        {"icmp host 10.0.0.1", 5},
        {"ip host 10.0.0.1 port port", 17},
        {"ip[2:3] = 1", 5},
        {"host 10.0.0.1 10.0.0.2", 14},
        {"src and dst", 4},
    }));
    INFO(filter);
    const auto program = compile(filter);
    REQUIRE(!program);
    CHECK(program.error().code == errc::bad_request);
    CHECK(program.error().details.at(0) == filter);
    CHECK(place_of(program.error()) == place);
    CHECK(!program.error().message.empty());
}

TEST_CASE("capture filter: what an SLL2 header would say is asked of the kernel", "[unit]") {
    const auto program = compile("icmp", LinkType::linux_sll2);
    REQUIRE(program);
    // The protocol is beside the packet, and the IP header at its begin.
    CHECK((*program)[0].code == (BPF_LD | BPF_H | BPF_ABS));
    CHECK((*program)[0].k == static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PROTOCOL));
    CHECK((*program)[2].code == (BPF_LD | BPF_B | BPF_ABS));
    CHECK((*program)[2].k == 9);
    CHECK(!without_sll2({{BPF_LD | BPF_B | BPF_ABS, 0, 0, 12}}));  // the link-layer address
}

TEST_CASE("capture filter: one that libpcap would optimise for half a minute is refused at once", "[unit]") {
    std::string filter = "portrange 0-1";
    for (int port = 2; filter.size() < 4'000; port += 2)
        filter += " or portrange " + std::to_string(port) + "-" + std::to_string(port + 1);
    const auto program = compile(filter);
    REQUIRE(!program);
    CHECK(program.error().code == errc::bad_request);
    CHECK(program.error().message.starts_with("the filter is too long"));
    std::string fine = "host 10.0.0.1";
    for (int host = 2; host < 100; ++host)
        fine += " or host 10.0.0." + std::to_string(host);
    CHECK(compile(fine));
}

TEST_CASE("capture filter: a program that the rules make too long is refused", "[unit]") {
    const std::vector<sock_filter> longest(4096, {BPF_RET | BPF_K, 0, 0, 1});
    CHECK(with_rules({}, longest).has_value());
    CHECK(!with_rules({api::CaptureDirection::out, std::nullopt}, longest));
    CHECK(!with_rules({api::CaptureDirection::inout, 1}, longest));
}

TEST_CASE("capture filter: the caret stands under its place whatever the filter holds", "[unit]") {
    CHECK(details_of("a\tb", 2) == std::vector<std::string>{"a b", "  ^"});
    CHECK(details_of("ab", 99) == std::vector<std::string>{"ab", "  ^"});
}
