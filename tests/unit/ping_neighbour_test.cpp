#include "daemon/kernel/neighbour.hpp"
#include "tests/support/catch.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

using namespace netlab;
using namespace netlab::kernel;

namespace {

using Bytes = std::vector<std::byte>;

void append(Bytes& bytes, const void* value, std::size_t size) {
    const auto* from = static_cast<const std::byte*>(value);
    bytes.insert(bytes.end(), from, from + size);
    bytes.resize((bytes.size() + 3) & ~std::size_t{3});
}

void attribute(Bytes& bytes, std::uint16_t type, const Bytes& value) {
    const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
    append(bytes, &header, sizeof header);
    append(bytes, value.data(), value.size());
}

Bytes message(std::uint8_t family, std::uint16_t state, const Bytes& address, const Bytes& mac) {
    ndmsg header{};
    header.ndm_family = family;
    header.ndm_ifindex = 7;
    header.ndm_state = state;
    Bytes body;
    append(body, &header, sizeof header);
    if (!address.empty()) attribute(body, NDA_DST, address);
    if (!mac.empty()) attribute(body, NDA_LLADDR, mac);
    nlmsghdr outer{};
    outer.nlmsg_type = RTM_NEWNEIGH;
    outer.nlmsg_len = static_cast<std::uint32_t>(sizeof outer + body.size());
    Bytes bytes;
    append(bytes, &outer, sizeof outer);
    bytes.insert(bytes.end(), body.begin(), body.end());
    return bytes;
}

const Bytes four{std::byte{10}, std::byte{1}, std::byte{0}, std::byte{2}};
const Bytes mac{std::byte{2}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{9}};

}  // namespace

TEST_CASE("neighbours: entries of the ARP cache are read", "[unit]") {
    auto bytes = message(AF_INET, NUD_REACHABLE, four, mac);
    const auto failed = message(AF_INET6, NUD_FAILED, Bytes(16), {});
    bytes.insert(bytes.end(), failed.begin(), failed.end());
    const auto rows = parse_neighbours(bytes);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].index == 7);
    CHECK(rows[0].address.to_string() == "10.1.0.2");
    CHECK(rows[0].mac->to_string() == "02:00:00:00:00:09");
    CHECK(!rows[0].is_unanswered());
    CHECK(rows[1].address.is_v6());
    CHECK(!rows[1].mac);
    CHECK(rows[1].is_unanswered());
}

TEST_CASE("neighbours: what is malformed is left out", "[unit]") {
    CHECK(parse_neighbours(message(AF_INET, NUD_STALE, Bytes(16), {})).empty());
    CHECK(parse_neighbours(message(AF_INET, NUD_STALE, {}, mac)).empty());
    CHECK(parse_neighbours(message(AF_BRIDGE, NUD_STALE, four, mac)).empty());
    const auto whole = message(AF_INET, NUD_STALE, four, mac);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CHECK(parse_neighbours(std::span(whole).first(size)).empty());
    }
}
