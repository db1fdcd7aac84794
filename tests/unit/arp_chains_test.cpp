#include "daemon/kernel/arp_chains.hpp"

#include "tests/support/catch.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_bridge.h>
#include <net/if_arp.h>

using namespace netlab;
using namespace netlab::kernel;

namespace {

NftChain input_of(std::uint8_t family) {
    NftChain out;
    out.family = family;
    out.table = "t";
    out.name = "c";
    out.hook = NftHook{family == NFPROTO_ARP ? std::uint32_t{0} : std::uint32_t{NF_BR_LOCAL_IN}, 0};
    out.type = "filter";
    out.policy = NF_ACCEPT;
    return out;
}

std::vector<NftExpression> for_ether_type(std::uint16_t type) {
    return {NftMeta{1, NFT_META_PROTOCOL},
            NftCompare{1, NFT_CMP_EQ, {std::byte(type >> 8), std::byte(type & 0xFF)}},
            NftVerdict{NF_DROP, {}}};
}

/// Whether ARP's frames are dropped; nullopt: that is not certain.
std::optional<bool> drops(std::vector<NftExpression> expressions) {
    const NftTables::Content content{
        {input_of(NFPROTO_BRIDGE)}, {{NFPROTO_BRIDGE, "t", "c", 1, std::move(expressions), {}}}, true, true};
    PacketFacts frame;
    frame.tracked = false;
    frame.source = *IpAddress::parse("192.0.2.1");
    frame.destination = *IpAddress::parse("192.0.2.2");
    frame.arp_operation = ARPOP_REQUEST;
    const auto chains = arp_chains(content);
    const auto decision =
        find_frame_drop(chains.frames, {FramePoint::Kind::bridge, {}, NF_BR_LOCAL_IN}, frame);
    return decision.uncertain ? std::nullopt : std::optional(decision.dropped);
}

}  // namespace

TEST_CASE("arp chains: ARP's frames meet what is for them or for all, and nothing of IP's", "[unit]") {
    CHECK(drops(for_ether_type(ETH_P_ARP)) == true);
    CHECK(drops({NftVerdict{NF_DROP, {}}}) == true);
    CHECK(drops(for_ether_type(ETH_P_IP)) == false);
    // They have no such headers, and the rule ends.
    const NftExpression drop = NftVerdict{NF_DROP, {}};
    CHECK(drops({NftMeta{1, NFT_META_L4PROTO}, NftCompare{1, NFT_CMP_NEQ, {std::byte{IPPROTO_TCP}}}, drop}) ==
          false);
    CHECK(drops({NftPayload{1, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2},
                 NftCompare{1, NFT_CMP_NEQ, {std::byte{0}, std::byte{80}}}, drop}) == false);
}

namespace {

/// A rule that asks for those bytes of the header.
std::vector<NftExpression> asking(std::uint32_t offset, std::vector<std::byte> wanted,
                                  bool inverted = false) {
    auto out = for_ether_type(ETH_P_ARP);
    out.insert(out.end() - 1,
               NftPayload{1, NFT_PAYLOAD_NETWORK_HEADER, offset, static_cast<std::uint32_t>(wanted.size())});
    out.insert(out.end() - 1, NftCompare{1, inverted ? NFT_CMP_NEQ : NFT_CMP_EQ, std::move(wanted)});
    return out;
}

std::vector<std::byte> bytes(std::initializer_list<int> numbers) {
    std::vector<std::byte> out;
    for (const auto one : numbers)
        out.push_back(static_cast<std::byte>(one));
    return out;
}

}  // namespace

TEST_CASE("arp chains: what a rule asks of the ARP header is looked at", "[unit]") {
    CHECK(drops(asking(6, bytes({0, 1}))) == true);
    CHECK(drops(asking(6, bytes({0, 2}))) == false);
    CHECK(drops(asking(14, bytes({192, 0, 2, 1}))) == true);
    CHECK(drops(asking(14, bytes({192, 0, 2, 9}))) == false);
    CHECK(drops(asking(14, bytes({192, 0, 2}))) == true);
    CHECK(drops(asking(24, bytes({192, 0, 2, 2}))) == true);
    CHECK(drops(asking(24, bytes({192, 0, 2, 2}), true)) == false);
    // As arptables(8) has it in each rule: Ethernet, and how long the addresses are.
    CHECK(drops(asking(0, bytes({0, 1}))) == true);
    CHECK(drops(asking(4, bytes({6}))) == true);
    CHECK(drops(asking(5, bytes({4}))) == true);
    CHECK(drops(asking(0, bytes({0, 6}))) == false);
    CHECK(drops(asking(0, bytes({0, 1}), true)) == false);
    // Of MAC addresses nothing is known.
    CHECK(drops(asking(8, bytes({2, 0, 0, 0, 0, 1}))) == std::nullopt);
    const NftTables::Content content{{input_of(NFPROTO_ARP)},
                                     {{NFPROTO_ARP, "t", "c", 1, asking(14, bytes({192, 0, 2, 1})), {}}},
                                     true,
                                     true};
    CHECK(arp_chains(content).own.front().rules.front().to_string() == "arp saddr ip 192.0.2.1 drop");
}

TEST_CASE("arp chains: ARP's own tables are apart from those that see frames", "[unit]") {
    const NftTables::Content content{
        {input_of(NFPROTO_ARP)}, {{NFPROTO_ARP, "t", "c", 1, {NftVerdict{NF_DROP, {}}}, {}}}, true, true};
    const auto chains = arp_chains(content);
    CHECK(chains.frames.empty());
    REQUIRE(chains.own.size() == 1);
    CHECK(chains.own.front().table == "arp t");
    CHECK(find_drop(chains.own, 0, PacketFacts()).dropped);
    CHECK(frame_chains(content).empty());
}
