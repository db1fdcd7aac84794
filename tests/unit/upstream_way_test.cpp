#include "daemon/operations/upstream_way.hpp"

#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::operations;

namespace {

std::string why(const UpstreamWay& way) {
    api::Target target;
    target.name = "co1";
    target.runtime = api::Runtime::docker;
    return explain_upstream_way(target, way).explanation;
}

UpstreamWay asking(std::vector<api::ResolvUpstream> upstreams) {
    UpstreamWay way;
    way.upstreams = std::move(upstreams);
    return way;
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("upstream way: nothing known is no reason", "[unit]") {
    CHECK(why({}).empty());
    CHECK(why(asking({{"192.0.2.1", false}, {"127.0.0.53", true}})).empty());
}

TEST_CASE("upstream way: internal networks are named, before the route that they lack", "[unit]") {
    UpstreamWay way;
    way.internal = {"inner"};
    way.default_route = false;
    CHECK(contains(why(way), "co1 is only on inner, which is an internal network"));
    way.internal = {"inner", "other"};
    CHECK(contains(why(way), "co1 is only on inner and other, which are internal networks"));
}

TEST_CASE("upstream way: no default route is a reason only where a server needs one", "[unit]") {
    UpstreamWay way;
    way.default_route = false;
    CHECK(contains(why(way), "co1 has no default route"));
    way = asking({{"192.0.2.1", false}, {"10.0.0.5", false}});
    way.default_route = false;
    CHECK(why(way).empty());
    way.unrouted = {"192.0.2.1"};
    CHECK(contains(why(way), "does not reach 192.0.2.1,"));
    way.default_route = true;
    CHECK(why(way).empty());
    // The host's own way is not the container's.
    way = asking({{"192.0.2.1", true}});
    way.default_route = false;
    CHECK(why(way).empty());
}

TEST_CASE("upstream way: a loopback address is the host's or the container's, by who asks it", "[unit]") {
    CHECK(contains(why(asking({{"127.0.0.53", true}})), "on to 127.0.0.53 of the host, a loopback address"));
    CHECK(contains(why(asking({{"127.0.0.1", false}})), "on to 127.0.0.1, and that is co1 itself"));
    CHECK(contains(why(asking({{"::1", true}})), "::1 of the host"));
}
