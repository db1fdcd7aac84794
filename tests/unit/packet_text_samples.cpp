#include "tests/unit/packet_text_samples.hpp"

#include "tests/support/dns_bytes.hpp"

namespace netlab::test {

namespace {

using operations::LinkType;
using Samples = std::vector<PacketSample>;

constexpr std::uint16_t arp_type = 0x0806;

void add_arp(Samples& out) {
    const auto other = Bytes{0x02, 0x42, 0xac, 0x14, 0, 9};
    out.push_back({"ARP request", ethernet(arp_type, arp(1, zeros(6), "172.20.0.2", "172.20.0.3"))});
    out.push_back({"ARP request, padded",
                   ethernet(arp_type, arp(1, zeros(6), "172.20.0.2", "172.20.0.3") + zeros(18))});
    out.push_back({"ARP reply", ethernet(arp_type, arp(2, mac_b, "172.20.0.2", "172.20.0.3"))});
    out.push_back({"ARP gratuitous", ethernet(arp_type, arp(1, zeros(6), "172.20.0.2", "172.20.0.2"))});
    out.push_back({"ARP probe", ethernet(arp_type, arp(1, zeros(6), "0.0.0.0", "172.20.0.2"))});
    out.push_back({"ARP request to one", ethernet(arp_type, arp(1, other, "172.20.0.2", "172.20.0.3"))});
}

void add_icmp(Samples& out) {
    const auto quoted = ipv4(17, udp(40000, 5000, text("hello")));
    const auto quoted_tcp = ipv4(6, tcp({}));
    out.push_back({"ICMP echo request", in_ipv4(1, icmp(8, 0, n16(7) + n16(1) + zeros(56)))});
    out.push_back({"ICMP echo reply", in_ipv4(1, icmp(0, 0, n16(7) + n16(1) + zeros(56)))});
    out.push_back({"ICMP echo request, padded", in_ipv4(1, icmp(8, 0, n16(7) + n16(1))) + zeros(18)});
    for (std::uint8_t code = 0; code < 17; ++code)
        out.push_back(
            {"ICMP unreachable " + std::to_string(code), in_ipv4(1, icmp(3, code, zeros(4) + quoted))});
    out.push_back({"ICMP unreachable TCP port", in_ipv4(1, icmp(3, 3, zeros(4) + quoted_tcp))});
    out.push_back({"ICMP need to frag", in_ipv4(1, icmp(3, 4, zeros(2) + n16(1450) + quoted_tcp))});
    for (std::uint8_t code = 0; code < 3; ++code)
        out.push_back(
            {"ICMP time exceeded " + std::to_string(code), in_ipv4(1, icmp(11, code, zeros(4) + quoted))});
    for (std::uint8_t code = 0; code < 5; ++code) {
        out.push_back({"ICMP redirect " + std::to_string(code),
                       in_ipv4(1, icmp(5, code, address("172.20.0.254") + quoted))});
    }
    out.push_back({"ICMP parameter problem", in_ipv4(1, icmp(12, 0, Bytes{20, 0, 0, 0} + quoted))});
    out.push_back({"ICMP source quench", in_ipv4(1, icmp(4, 0, zeros(4) + quoted))});
    out.push_back({"ICMP unknown type", in_ipv4(1, icmp(99, 0, zeros(4)))});
}

void add_icmpv6(Samples& out) {
    const auto target = address("fe80::1");
    const auto link_option = Bytes{1, 1} + mac_a;
    const auto quoted = ipv6(17, udp(40000, 5000, text("hello")));
    const auto quoted_tcp = ipv6(6, tcp({}));
    out.push_back({"ICMPv6 echo request", in_ipv6(58, icmp(128, 0, n16(7) + n16(1) + zeros(56)))});
    out.push_back({"ICMPv6 echo reply", in_ipv6(58, icmp(129, 0, n16(7) + n16(1) + zeros(56)))});
    out.push_back({"NDP RS", in_ipv6(58, icmp(133, 0, zeros(4) + link_option))});
    out.push_back({"NDP RA", in_ipv6(58, icmp(134, 0, Bytes{64, 0} + n16(1800) + zeros(8) + link_option))});
    out.push_back({"NDP NS", in_ipv6(58, icmp(135, 0, zeros(4) + target + link_option))});
    out.push_back({"NDP NA", in_ipv6(58, icmp(136, 0, n32(0x60000000) + target + link_option))});
    out.push_back({"NDP redirect", in_ipv6(58, icmp(137, 0, zeros(4) + target + address("2001:db8::9")))});
    out.push_back({"ICMPv6 too big", in_ipv6(58, icmp(2, 0, n32(1450) + quoted_tcp))});
    for (const std::uint8_t code : std::initializer_list<std::uint8_t>{0, 2, 3, 4}) {
        out.push_back(
            {"ICMPv6 unreachable " + std::to_string(code), in_ipv6(58, icmp(1, code, zeros(4) + quoted))});
    }
    const auto line = std::string("IP6 2001:db8::2 > 2001:db8::3: ICMP6, destination unreachable, ");
    out.push_back({"ICMPv6 unreachable 1", in_ipv6(58, icmp(1, 1, zeros(4) + quoted)), LinkType::ethernet,
                   line + "unreachable prohibited 2001:db8::3, length 61",
                   line + " unreachable prohibited 2001:db8::3, length 61"});
    out.push_back({"ICMPv6 unreachable TCP port", in_ipv6(58, icmp(1, 4, zeros(4) + quoted_tcp))});
    for (std::uint8_t code = 0; code < 3; ++code)
        out.push_back(
            {"ICMPv6 time exceeded " + std::to_string(code), in_ipv6(58, icmp(3, code, zeros(4) + quoted))});
    for (std::uint8_t code = 0; code < 3; ++code)
        out.push_back({"ICMPv6 parameter problem " + std::to_string(code),
                       in_ipv6(58, icmp(4, code, n32(6) + quoted))});
    out.push_back({"MLD query", in_ipv6(58, icmp(130, 0, n16(1000) + n16(0) + zeros(16)))});
    out.push_back({"MLD report", in_ipv6(58, icmp(131, 0, zeros(4) + address("ff02::fb")))});
    out.push_back(
        {"MLDv2 query", in_ipv6(58, icmp(130, 0, n16(1000) + n16(0) + zeros(16) + Bytes{2, 125, 0, 0}))});
    out.push_back({"MLDv2 query of a group", in_ipv6(58, icmp(130, 0,
                                                              n16(0x9000) + n16(0) + address("ff02::fb") +
                                                                  Bytes{2, 125, 0, 1} + target))});
}

void add_tcp(Samples& out) {
    const Bytes usual = Bytes{2, 4} + n16(1460) + Bytes{4, 2, 8, 10} + n32(1) + n32(0) + Bytes{1, 3, 3, 7};
    const Bytes times = Bytes{1, 1, 8, 10} + n32(100) + n32(200);
    const Bytes sack = Bytes{1, 1, 5, 18} + n32(3000) + n32(4000) + n32(5000) + n32(6000);
    out.push_back({"TCP SYN", in_ipv4(6, tcp({.flags = 0x02, .options = usual}))});
    out.push_back({"TCP SYN-ACK", in_ipv4(6, tcp({.flags = 0x12, .options = usual}))});
    out.push_back({"TCP ACK", in_ipv4(6, tcp({.options = times}))});
    out.push_back({"TCP PSH", in_ipv4(6, tcp({.flags = 0x18, .options = times}, text("hello\n")))});
    out.push_back({"TCP FIN", in_ipv4(6, tcp({.flags = 0x11}))});
    out.push_back({"TCP RST", in_ipv4(6, tcp({.flags = 0x04}))});
    out.push_back({"TCP URG", in_ipv4(6, tcp({.flags = 0x38}, text("x")))});
    out.push_back({"TCP ECN", in_ipv4(6, tcp({.flags = 0xC2}))});
    out.push_back({"TCP without flags", in_ipv4(6, tcp({.flags = 0}))});
    out.push_back({"TCP SACK", in_ipv4(6, tcp({.options = sack}))});
    out.push_back({"TCP end of options", in_ipv4(6, tcp({.options = Bytes{2, 4, 5, 0xb4, 0, 0, 0, 0}}))});
    out.push_back({"TCP unknown option", in_ipv4(6, tcp({.options = Bytes{77, 4, 0xab, 0xcd}}))});
    out.push_back({"TCP over IPv6", in_ipv6(6, tcp({.flags = 0x02, .options = usual}))});
    out.push_back({"TCP, header too short",
                   in_ipv4(6, n16(1) + n16(2) + zeros(8) + Bytes{0x40, 2} + zeros(6)), LinkType::ethernet,
                   "IP 172.20.0.2.1 > 172.20.0.3.2: tcp 20 [bad hdr length 16]",
                   "IP 172.20.0.2.1 > 172.20.0.3.2:  tcp 4 [bad hdr length 16 - too short, < 20]"});
}

void add_http(Samples& out) {
    const auto sent = [](std::uint16_t port, std::string_view data) {
        return in_ipv4(6, tcp({.flags = 0x18, .to = port}, text(data)));
    };
    out.push_back({"HTTP request", sent(80, "GET /a?b HTTP/1.1\r\nHost: co2\r\n\r\n")});
    out.push_back({"HTTP request by another port", sent(8080, "POST / HTTP/1.1\r\n\r\n")});
    out.push_back({"HTTP answer", in_ipv4(6, tcp({.flags = 0x18, .from = 80, .to = 40000},
                                                 text("HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\n")))});
    out.push_back({"HTTP body", sent(80, "\x1b[31m and more")});
    out.push_back({"HTTP request with controls", sent(80, "GET /\x1b[31m HTTP/1.1\r\n")});
    out.push_back(
        {"HTTP behind a reset", in_ipv4(6, tcp({.flags = 0x14, .to = 80}, text("GET / HTTP/1.1\r\n")))});
}

void add_dns(Samples& out) {
    const auto to_server = [](const Bytes& message) { return in_ipv4(17, udp(40000, 53, message)); };
    const auto from_server = [](const Bytes& message) { return in_ipv4(17, udp(53, 40000, message)); };
    const auto query = DnsBytes(12345, 0x0100).question("co2", 1).bytes;
    out.push_back({"DNS A?", to_server(query)});
    out.push_back({"DNS AAAA?", to_server(DnsBytes(1, 0x0100).question("web.example.com", 28).bytes)});
    out.push_back({"DNS NS? of the root", to_server(DnsBytes(1, 0x0110).question("", 2).bytes)});
    out.push_back(
        {"DNS with EDNS", to_server(DnsBytes(1, 0x0120).question("co2", 1).record(10, "", 41, 0, {}).bytes)});
    out.push_back({"DNS other types", to_server(DnsBytes(1, 0).question("co2", 65280).bytes)});
    const auto asked = [](unsigned type) { return static_cast<std::uint16_t>(type); };
    for (const unsigned type : {5, 6, 12, 15, 16, 33, 35, 43, 46, 47, 48, 99, 255})
        out.push_back({"DNS type " + std::to_string(type),
                       to_server(DnsBytes(1, 0).question("co2", asked(type)).bytes)});
    // Types that are younger than tcpdump's table.
    for (const auto& [type, name] : std::initializer_list<std::pair<unsigned, const char*>>{
             {50, "NSEC3"}, {52, "TLSA"}, {64, "SVCB"}, {65, "HTTPS"}, {257, "CAA"}}) {
        const auto line = std::string("IP 172.20.0.2.40000 > 172.20.0.3.53: 1 ");
        const auto number = std::to_string(type);
        out.push_back({"DNS type " + number, to_server(DnsBytes(1, 0).question("co2", asked(type)).bytes),
                       LinkType::ethernet, line + name + "? co2. (21)",
                       line + "Type" + number + "? co2. (21)"});
    }
    out.push_back(
        {"DNS A", from_server(DnsBytes(12345).question("co2", 1).answer(1, {172, 20, 0, 3}).bytes)});
    out.push_back(
        {"DNS AAAA", from_server(DnsBytes(1).question("co2", 28).answer(28, address("2001:db8::3")).bytes)});
    out.push_back({"DNS CNAME and A", from_server(DnsBytes(1)
                                                      .question("a.test", 1)
                                                      .answer(5, DnsBytes::encoded("b.test"))
                                                      .answer(1, {172, 20, 0, 3})
                                                      .bytes)});
    out.push_back(
        {"DNS MX",
         from_server(DnsBytes(1).question("t", 15).answer(15, n16(10) + DnsBytes::encoded("m.t")).bytes)});
    out.push_back(
        {"DNS SRV", from_server(DnsBytes(1)
                                    .question("t", 33)
                                    .answer(33, n16(1) + n16(2) + n16(80) + DnsBytes::encoded("m.t"))
                                    .bytes)});
    out.push_back(
        {"DNS TXT",
         from_server(
             DnsBytes(1).question("t", 16).answer(16, Bytes{2} + text("ab") + Bytes{1} + text("c")).bytes)});
    out.push_back(
        {"DNS PTR",
         from_server(DnsBytes(1).question("t", 12).answer(12, DnsBytes::encoded("co2.net")).bytes)});
    out.push_back({"DNS SOA", from_server(DnsBytes(1).question("t", 6).answer(6, zeros(22)).bytes)});
    for (std::uint16_t rcode = 0; rcode < 16; ++rcode) {
        const auto flags = static_cast<std::uint16_t>(0x8180 | rcode);
        out.push_back(
            {"DNS rcode " + std::to_string(rcode), from_server(DnsBytes(1, flags).question("co2", 1).bytes)});
    }
    out.push_back({"DNS flags", from_server(DnsBytes(1, 0x8720).question("co2", 1).bytes)});
    out.push_back({"DNS notify", to_server(DnsBytes(1, 0x2400).question("co2", 6).bytes)});
    out.push_back({"DNS class", to_server(n16(1) + zeros(2) + n16(1) + zeros(6) +
                                          DnsBytes::encoded("version.bind") + n16(16) + n16(3))});
    out.push_back({"DNS over TCP", in_ipv4(6, tcp({.flags = 0x18, .to = 53}, n16(query.size()) + query))});
    out.push_back(
        {"mDNS", in_ipv4(17, udp(5353, 5353, DnsBytes(0, 0).question("_http._tcp.local", 12).bytes))});
    out.push_back({"DNS by another port", in_ipv4(17, udp(40000, 41000, query))});
    out.push_back({"DNS name with controls",
                   to_server(DnsBytes(1, 0x0100).question("a\x1b[31mb\xff", 1).bytes), LinkType::ethernet,
                   "IP 172.20.0.2.40000 > 172.20.0.3.53: 1+ A? a\\027[31mb\\255. (26)",
                   "IP 172.20.0.2.40000 > 172.20.0.3.53: 1+ A? a^[[31mbM-^?. (26)"});
}

void add_groups(Samples& out) {
    const auto router_alert = Bytes{0x94, 4, 0, 0};
    const auto igmp = [&](const Bytes& message) { return in_ipv4(2, message, {.options = router_alert}); };
    const auto group = address("224.0.0.251");
    out.push_back({"IGMPv1 report", igmp(Bytes{0x12, 0, 0, 0} + group)});
    out.push_back({"IGMPv2 query", igmp(Bytes{0x11, 50, 0, 0} + zeros(4))});
    out.push_back({"IGMPv2 query of a group", igmp(Bytes{0x11, 100, 0, 0} + group)});
    out.push_back({"IGMPv2 report", igmp(Bytes{0x16, 0, 0, 0} + group)});
    out.push_back({"IGMPv2 leave", igmp(Bytes{0x17, 0, 0, 0} + group)});
    out.push_back({"IGMPv3 query", igmp(Bytes{0x11, 100, 0, 0} + zeros(4) + Bytes{2, 125, 0, 0})});
    out.push_back(
        {"IGMPv3 query of a group", igmp(Bytes{0x11, 0x8F, 0, 0} + group + Bytes{2, 125, 0, 1} + group)});
    const auto join = Bytes{4, 0, 0, 0} + group;
    const auto some = Bytes{1, 0, 0, 1} + group + address("10.0.0.1");
    out.push_back({"IGMPv3 report", igmp(Bytes{0x22, 0, 0, 0, 0, 0, 0, 2} + join + some), LinkType::ethernet,
                   "IP 172.20.0.2 > 172.20.0.3: igmp v3 report, 2 group record(s) [gaddr 224.0.0.251 to_ex, "
                   "0 source(s)] "
                   "[gaddr 224.0.0.251 is_in, 1 source(s)]",
                   "IP 172.20.0.2 > 172.20.0.3: igmp v3 report, 2 group record(s)"});
    const auto hop_by_hop = Bytes{58, 0, 5, 2, 0, 0, 1, 0};
    const auto record = Bytes{4, 0, 0, 0} + address("ff02::1:ff00:2");
    out.push_back(
        {"MLDv2 report", in_ipv6(0, hop_by_hop + icmp(143, 0, zeros(2) + n16(1) + record)),
         LinkType::ethernet,
         "IP6 2001:db8::2 > 2001:db8::3: HBH ICMP6, multicast listener report v2, 1 group record(s) "
         "[gaddr ff02::1:ff00:2 to_ex, 0 source(s)], length 28",
         "IP6 2001:db8::2 > 2001:db8::3: HBH ICMP6, multicast listener report v2, 1 group record(s), length "
         "28"});
}

void add_ip(Samples& out) {
    const auto datagram = udp(40000, 5000, text("twelve bytes"));
    out.push_back({"UDP", in_ipv4(17, datagram)});
    out.push_back({"UDP of nothing", in_ipv4(17, udp(40000, 5000, {}))});
    out.push_back({"UDP over IPv6", in_ipv6(17, datagram)});
    out.push_back({"IPv4 options", in_ipv4(17, datagram, {.options = {1, 1, 1, 0}})});
    out.push_back({"IPv4, nonsense for options", in_ipv4(17, datagram, {.options = {7, 99, 0, 0}})});
    out.push_back({"IPv4 first fragment", in_ipv4(17, n16(40000) + n16(5000) + n16(3000) + n16(0) + zeros(24),
                                                  {.fragment = 0x2000})});
    out.push_back({"IPv4 later fragment", in_ipv4(17, zeros(32), {.fragment = 0x20B9})});
    out.push_back({"IPv4 other protocol", in_ipv4(253, zeros(12)), LinkType::ethernet,
                   "IP 172.20.0.2 > 172.20.0.3: ip-proto-253 12",
                   "IP 172.20.0.2 > 172.20.0.3:  ip-proto-253 12"});
    out.push_back({"IPv4 lost bytes", in_ipv4(17, datagram, {.length = 60}), LinkType::ethernet,
                   "IP 172.20.0.2.40000 > 172.20.0.3.5000: truncated-ip - 20 bytes missing! UDP, length 12",
                   "IP truncated-ip - 20 bytes missing! 172.20.0.2.40000 > 172.20.0.3.5000: UDP, length 12"});
    out.push_back({"IPv4 in IPv4", in_ipv4(4, ipv4(17, datagram))});
    out.push_back({"IPv6 in IPv4", in_ipv4(41, ipv6(17, datagram))});
    out.push_back({"ESP", in_ipv4(50, n32(0x1000) + n32(5) + zeros(32))});
    out.push_back({"IPv6 other protocol", in_ipv6(253, zeros(12)), LinkType::ethernet,
                   "IP6 2001:db8::2 > 2001:db8::3: ip-proto-253 12",
                   "IP6 2001:db8::2 > 2001:db8::3:  ip-proto-253 12"});
    out.push_back({"IPv6 no next header", in_ipv6(59, {})});
    out.push_back(
        {"IPv6 routing header",
         in_ipv6(43, Bytes{58, 2, 4, 0, 0, 0, 0, 0} + address("2001:db8::9") + icmp(128, 0, n16(7) + n16(1))),
         LinkType::ethernet,
         "IP6 2001:db8::2 > 2001:db8::3: srcrt (len=2, type=4, segleft=0) ICMP6, echo request, id 7, seq 1, "
         "length 8"});
    const auto fragment = [](std::uint16_t offset) { return Bytes{17, 0} + n16(offset) + n32(77); };
    out.push_back({"IPv6 later fragment", in_ipv6(44, fragment(1448) + zeros(32))});
    out.push_back({"IPv6 first fragment",
                   in_ipv6(44, fragment(1) + n16(40000) + n16(5000) + n16(3000) + n16(0) + zeros(24)),
                   LinkType::ethernet,
                   "IP6 2001:db8::2.40000 > 2001:db8::3.5000: frag (0|32) UDP, length 2992",
                   "IP6 2001:db8::2 > 2001:db8::3: frag (0|32) 40000 > 5000: UDP, length 2992"});
}

void add_links(Samples& out) {
    const auto echo = ipv4(1, icmp(8, 0, n16(7) + n16(1)));
    const auto line = std::string("IP 172.20.0.2 > 172.20.0.3: ICMP echo request, id 7, seq 1, length 8");
    out.push_back({"raw IPv4", echo, LinkType::raw_ip});
    out.push_back({"raw IPv6", ipv6(17, udp(40000, 5000, {})), LinkType::raw_ip});
    out.push_back({"Linux cooked",
                   n16(0x0800) + zeros(2) + n32(5) + n16(1) + Bytes{4, 6} + mac_a + zeros(2) + echo,
                   LinkType::linux_sll2, line, "?     Out " + line});
    out.push_back({"VLAN", ethernet(0x8100, n16(0x6007) + n16(0x0800) + echo), LinkType::ethernet,
                   "IP 172.20.0.2 > 172.20.0.3: vlan 7, p 3, ICMP echo request, id 7, seq 1, length 8",
                   line});
    const auto inner = ethernet(0x0800, echo);
    const auto vxlan = Bytes{8, 0, 0, 0} + number(42, 3) + Bytes{0} + inner;
    const auto outer = std::string("IP 172.20.0.2.40000 > 172.20.0.3.");
    out.push_back({"VXLAN", in_ipv4(17, udp(40000, 4789, vxlan)), LinkType::ethernet,
                   outer + "4789: VXLAN, flags [I] (0x08), vni 42: " + line,
                   outer + "4789: VXLAN, flags [I] (0x08), vni 42\n" + line});
    out.push_back({"VXLAN by Linux's port", in_ipv4(17, udp(40000, 8472, vxlan)), LinkType::ethernet,
                   outer + "8472: VXLAN, flags [I] (0x08), vni 42: " + line,
                   outer + "8472: OTV, flags [I] (0x08), overlay 0, instance 42\n" + line});
    out.push_back({"another ethertype", ethernet(0x88B5, zeros(46)), LinkType::ethernet,
                   "02:42:ac:14:00:02 > 02:42:ac:14:00:03, ethertype Unknown (0x88b5), length 60",
                   "02:42:ac:14:00:02 > 02:42:ac:14:00:03, ethertype Unknown (0x88b5), length 60: \n"
                   "\t0x0000:  0000 0000 0000 0000 0000 0000 0000 0000  ................\n"
                   "\t0x0010:  0000 0000 0000 0000 0000 0000 0000 0000  ................\n"
                   "\t0x0020:  0000 0000 0000 0000 0000 0000 0000       .............."});
}

}  // namespace

std::vector<PacketSample> packet_samples() {
    Samples samples;
    for (const auto add :
         {add_arp, add_icmp, add_icmpv6, add_tcp, add_http, add_dns, add_groups, add_ip, add_links})
        add(samples);
    return samples;
}

}  // namespace netlab::test
