#include "daemon/launcher/protocol.hpp"
#include "tests/support/catch.hpp"

#include <cstring>

using namespace netlab;
using namespace netlab::launcher;

namespace {

NamespaceReference by_path(const char* path) {
    NamespaceReference reference;
    reference.way = Way::path;
    reference.pid = 42;
    std::strncpy(reference.path.data(), path, reference.path.size() - 1);
    return reference;
}

std::vector<std::byte> valid_packet() {
    LaunchHeader header;
    header.operation = 1;
    header.id = 7;
    const std::vector<NamespaceReference> targets{by_path("/run/docker/netns/0123456789ab"), {}};
    const std::vector<std::byte> request(11, std::byte{0x5A});
    return *make_launch(header, targets, request);
}

}  // namespace

TEST_CASE("launch message: what the front makes is what the launcher reads", "[unit]") {
    const auto packet = valid_packet();
    const auto launch = parse_launch(packet);
    REQUIRE(launch);
    CHECK(launch->header.id == 7);
    CHECK(launch->targets.size() == 2);
    CHECK(std::string(launch->targets[0].path.data()) == "/run/docker/netns/0123456789ab");
    CHECK(launch->request.size() == 11);
}

TEST_CASE("launch message: every truncation and every longer packet is refused", "[unit]") {
    auto packet = valid_packet();
    for (std::size_t length = 0; length < packet.size(); ++length) {
        CHECK_FALSE(parse_launch(std::span(packet).first(length)));
    }
    packet.push_back(std::byte{0});
    CHECK_FALSE(parse_launch(packet));
}

TEST_CASE("launch message: a flipped bit is refused or changes nothing but a value", "[unit]") {
    const auto original = valid_packet();
    for (std::size_t bit = 0; bit < original.size() * 8; ++bit) {
        auto packet = original;
        packet[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto launch = parse_launch(packet);
        if (!launch) continue;
        CHECK(launch->targets.size() == 2);
        CHECK(launch->request.size() == 11);
        for (const auto& reference : launch->targets) {
            CHECK(std::memchr(reference.path.data(), 0, reference.path.size()) != nullptr);
        }
    }
}

TEST_CASE(
    "launch message: a path without an end, a relative one and one with something behind its end are refused",
    "[unit]") {
    const auto refuses = [](const NamespaceReference& reference) {
        const auto packet = make_launch({}, std::span(&reference, 1), {});
        REQUIRE(packet);
        return !parse_launch(*packet);
    };
    auto endless = by_path("/");
    endless.path.fill('a');
    endless.path[0] = '/';
    CHECK(refuses(endless));
    CHECK(refuses(by_path("run/netns/blue")));
    auto behind = by_path("/run/netns/blue");
    behind.path[100] = 'x';
    CHECK(refuses(behind));
    auto host_with_path = by_path("/run/netns/blue");
    host_with_path.way = Way::host;
    CHECK(refuses(host_with_path));
    auto no_such_way = by_path("");
    no_such_way.way = static_cast<Way>(9);
    CHECK(refuses(no_such_way));
    auto negative = by_path("");
    negative.way = Way::process;
    negative.pid = -1;
    CHECK(refuses(negative));
}

TEST_CASE("launch message: one that would not fit into a packet is not made", "[unit]") {
    const std::vector<std::byte> request(largest_request + 1);
    const auto packet = make_launch({}, {}, request);
    REQUIRE_FALSE(packet);
    CHECK(packet.error().code == errc::too_large);
}
