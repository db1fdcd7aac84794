#include "common/api/catalogue.hpp"
#include "common/api/context.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::api;

namespace {

constexpr std::uint64_t mebibyte = 1ULL << 20;

Context with_points(std::size_t networks, std::initializer_list<CapturePoint> points) {
    Context context;
    context.targets.emplace_back().networks.resize(networks);
    context.points = points;
    return context;
}

CapturePoint interface(std::string name) {
    CapturePoint point;
    point.interface = std::move(name);
    return point;
}

}  // namespace

TEST_CASE("cost: echoes by their interval and size, and none of a caller without caps", "[unit]") {
    PingRequest request;
    CHECK(cost(request, Context{}).packets_per_second == 1);
    request.interval_ms = 10;
    CHECK(cost(request, Context{}).packets_per_second == 100);
    request.interval_ms = 0;
    CHECK(cost(request, Context{}).packets_per_second == 100);
    request.payload = 65'507;
    CHECK(cost(request, Context{}).packets_per_second == 4500);
    Context host;
    host.roles = {Role::host};
    CHECK(cost(request, host) == Cost{});
}

TEST_CASE("cost: all pairs at once", "[unit]") {
    Context context;
    CHECK(cost(PingPairsRequest{}, context).packets_per_second == 0);
    context.targets.resize(256);
    CHECK(cost(PingPairsRequest{}, context).packets_per_second == 256 * 255);
    CHECK(cost(ConnectPairsRequest{}, context).packets_per_second == 3 * 256 * 255);
}

TEST_CASE("cost: the buffers of a capture", "[unit]") {
    CaptureRequest request;
    CHECK(cost(request, with_points(1, {interface("eth0")})).capture_bytes == 16 * mebibyte);
    CHECK(cost(request, with_points(1, {interface("")})).capture_bytes == 64 * mebibyte);
    request.buffer_kib = 65'536;
    CHECK(cost(request, with_points(1, {interface("eth0")})).capture_bytes == 64 * mebibyte);
    CHECK(cost(request, with_points(3, {interface("")})).capture_bytes == 3 * 64 * mebibyte);
    request.buffer_kib = 512;
    CHECK(cost(request, with_points(1, {interface("eth0"), interface("eth1")})).capture_bytes == mebibyte);
    CHECK(cost(request, with_points(1, {interface("")})).capture_bytes == 64 * mebibyte);
}
