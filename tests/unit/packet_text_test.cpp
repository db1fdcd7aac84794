#include "daemon/operations/packet_text.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/dns_bytes.hpp"
#include "tests/unit/packet_text_samples.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>

#include <unistd.h>

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::test;

namespace {

PacketText text_of(const Bytes& bytes, LinkType link, std::size_t wire_length) {
    return packet_text(std::as_bytes(std::span(bytes)), static_cast<std::uint32_t>(wire_length), link);
}

PacketText text_of(const PacketSample& sample) {
    return text_of(sample.bytes, sample.link, sample.bytes.size());
}

bool is_printable(const std::string& text) {
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; });
}

/// What tcpdump prints of one packet. `bytes` of a packet that had `wire_length`.
std::string tcpdump_line(const Bytes& bytes, LinkType link, std::size_t wire_length) {
    std::string path = "/tmp/netlab-packet-XXXXXX";
    const int file = ::mkstemp(path.data());
    REQUIRE(file >= 0);
    ::close(file);
    // pcap-savefile(5), in network order.
    const auto pcap = n32(0xa1b2c3d4) + n16(2) + n16(4) + zeros(8) + n32(65535) +
                      n32(static_cast<unsigned>(link)) + zeros(8) + n32(bytes.size()) + n32(wire_length) +
                      bytes;
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(pcap.data()), static_cast<std::streamsize>(pcap.size()));
    auto out = support::run_well({"tcpdump", "-Z", "root", "-n", "-S", "-t", "-r", path}).out;
    ::unlink(path.c_str());
    while (out.ends_with('\n'))
        out.pop_back();
    return out;
}

}  // namespace

TEST_CASE("packet text: a packet of every kind reads as tcpdump prints it", "[unit]") {
    const auto samples = packet_samples();
    CHECK(samples.size() > 100);
    for (const auto& sample : samples) {
        INFO(sample.name);
        const auto theirs = tcpdump_line(sample.bytes, sample.link, sample.bytes.size());
        const auto ours = packet_line(text_of(sample));
        CHECK(ours == (sample.ours.empty() ? theirs : sample.ours));
        if (!sample.theirs.empty()) CHECK(theirs == sample.theirs);
    }
}

TEST_CASE("packet text: what a packet lost, or what somebody put into it, is never a crash", "[unit]") {
    std::mt19937 random(7);
    std::size_t tried = 0;
    const auto try_one = [&](const PacketSample& sample, const Bytes& bytes, std::size_t wire_length) {
        // Bytes on the heap and no more of them than there are: the sanitizer sees what is read behind them.
        const auto exact = std::make_unique<std::byte[]>(bytes.size());
        std::ranges::transform(bytes, exact.get(), [](std::uint8_t byte) { return std::byte{byte}; });
        const auto text =
            packet_text({exact.get(), bytes.size()}, static_cast<std::uint32_t>(wire_length), sample.link);
        ++tried;
        if (is_printable(packet_line(text)) && text.info.size() < 4096) return;
        FAIL(sample.name << ": " << text.info);
    };
    for (const auto& sample : packet_samples()) {
        for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
            const Bytes cut(sample.bytes.begin(), sample.bytes.begin() + static_cast<std::ptrdiff_t>(size));
            try_one(sample, cut, sample.bytes.size());
            try_one(sample, cut, size);
            auto changed = sample.bytes;
            for (const auto value :
                 {0x00U, 0xFFU, sample.bytes[size] ^ 0x80U, sample.bytes[size] ^ (1U << random() % 8)}) {
                changed[size] = static_cast<std::uint8_t>(value);
                try_one(sample, changed, changed.size());
            }
        }
    }
    CHECK(tried > 10'000);
}

TEST_CASE("packet text: a packet that was cut says which protocol's bytes are missing", "[unit]") {
    const auto info = [](const Bytes& bytes, std::size_t kept) {
        return text_of(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(kept)),
                       LinkType::ethernet, bytes.size())
            .info;
    };
    constexpr std::size_t ip = 14;
    constexpr std::size_t transport = 34;
    const auto syn = in_ipv4(6, tcp({.flags = 0x02, .options = Bytes{2, 4, 5, 0xb4}}));
    CHECK(info(syn, 6) == "[|ether]");
    CHECK(info(syn, ip) == "[|ip]");
    CHECK(info(syn, ip + 19) == "[|ip]");
    CHECK(info(syn, transport) == "[|tcp]");
    CHECK(info(syn, transport + 20) == "Flags [S], seq 1000, win 64240 [|tcp]");
    const auto echo = in_ipv4(1, icmp(8, 0, n16(7) + n16(1) + zeros(56)));
    CHECK(info(echo, transport + 4) == "[|icmp]");
    // Its data are not shown, so nothing is missing.
    CHECK(info(echo, transport + 8) == "ICMP echo request, id 7, seq 1, length 64");
    const auto query = in_ipv4(17, udp(40000, 53, DnsBytes(7, 0x0100).question("co2", 1).bytes));
    CHECK(info(query, transport + 4) == "[|udp]");
    CHECK(info(query, transport + 8 + 12) == "7+ [|domain]");
    CHECK(info(query, transport + 8 + 14) == "7+ [|domain]");
    const auto cut = text_of(Bytes(syn.begin(), syn.begin() + transport + 4), LinkType::ethernet, syn.size());
    CHECK(cut.source == PacketEnd{"172.20.0.2", 40000});
    CHECK(cut.destination == PacketEnd{"172.20.0.3", 8125});
}

TEST_CASE("packet text: ends and protocol", "[unit]") {
    const auto ends = [](const std::string& name) {
        const auto samples = packet_samples();
        const auto found = std::ranges::find(samples, name, &PacketSample::name);
        REQUIRE(found != samples.end());
        auto text = text_of(*found);
        text.info.clear();
        return text;
    };
    CHECK(ends("ARP reply") == PacketText{{"02:42:ac:14:00:02", {}}, {"02:42:ac:14:00:03", {}}, "ARP", ""});
    CHECK(ends("ICMP echo request") == PacketText{{"172.20.0.2", {}}, {"172.20.0.3", {}}, "ICMP", ""});
    CHECK(ends("NDP NS") == PacketText{{"2001:db8::2", {}}, {"2001:db8::3", {}}, "ICMPv6", ""});
    CHECK(ends("TCP over IPv6") == PacketText{{"2001:db8::2", 40000}, {"2001:db8::3", 8125}, "TCP", ""});
    CHECK(ends("DNS A") == PacketText{{"172.20.0.2", 53}, {"172.20.0.3", 40000}, "DNS", ""});
    CHECK(ends("VXLAN") == PacketText{{"172.20.0.2", 40000}, {"172.20.0.3", 4789}, "VXLAN", ""});
    CHECK(ends("IPv4 later fragment") == PacketText{{"172.20.0.2", {}}, {"172.20.0.3", {}}, "IPv4", ""});
    CHECK(ends("another ethertype") ==
          PacketText{{"02:42:ac:14:00:02", {}}, {"02:42:ac:14:00:03", {}}, "Ethernet", ""});
}

TEST_CASE("packet text: the worst of 64 KiB costs milliseconds", "[unit]") {
    // Names that point from one pointer to the one before it, as many as fit, and records that name the last.
    Bytes message = n16(1) + n16(0x8180) + n16(0) + n16(65535) + zeros(4);
    constexpr std::size_t largest = 65'000;
    const auto worst = [&](std::size_t records) {
        auto bytes = message;
        // A record of a type that is not shown holds the chain: the first name is the root.
        constexpr std::size_t reach = 0x3FFF;
        bytes = bytes + Bytes{0} + n16(65280) + n16(1) + zeros(4);
        const auto start = bytes.size() + 2;
        const auto chain = (reach - start) / 2;
        bytes = bytes + n16(chain * 2) + n16(0xC000 | 12U);
        for (std::size_t i = 1; i < chain; ++i)
            bytes = std::move(bytes) + n16(0xC000 | (start + (i - 1) * 2));
        const auto last = start + (chain - 1) * 2;
        for (std::size_t i = 0; i < records && bytes.size() < largest; ++i)
            bytes = std::move(bytes) + Bytes{0} + n16(5) + n16(1) + zeros(4) + n16(2) + n16(0xC000 | last);
        return bytes;
    };
    const auto nested = [] {
        Bytes bytes = zeros(20);
        while (bytes.size() < largest - 40)
            bytes = ipv4(4, bytes);
        return bytes;
    };
    const auto tags = [] {
        Bytes bytes;
        while (bytes.size() < largest)
            bytes = std::move(bytes) + n16(1) + n16(0x8100);
        return ethernet(0x8100, bytes);
    };
    const auto cost = [](const Bytes& bytes, LinkType link) {
        const auto start = std::chrono::steady_clock::now();
        constexpr int rounds = 10;
        for (int i = 0; i < rounds; ++i)
            (void)text_of(bytes, link, bytes.size());
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() /
               rounds;
    };
    const auto dns = in_ipv4(17, udp(53, 40000, worst(5000)));
    CHECK(text_of(dns, LinkType::ethernet, dns.size()).protocol == "DNS");
    CHECK(cost(dns, LinkType::ethernet) < 5);
    CHECK(cost(nested(), LinkType::raw_ip) < 5);
    CHECK(cost(tags(), LinkType::ethernet) < 5);
}
