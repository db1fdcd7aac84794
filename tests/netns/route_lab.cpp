#include "tests/netns/route_lab.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <boost/json/serialize.hpp>

namespace netlab::test {

using boost::json::object;

std::string text(const object& row, std::string_view key) {
    const auto* value = row.if_contains(key);
    if (value == nullptr) return {};
    return value->is_string() ? std::string(value->as_string()) : boost::json::serialize(*value);
}

std::vector<std::string> steps(const object& answer) {
    std::vector<std::string> out;
    for (const auto& hop : answer.at("hops").as_array())
        out.push_back(text(hop.as_object(), "target") + " " + text(hop.as_object(), "step"));
    return out;
}

object hop(const object& answer, std::size_t number) {
    return answer.at("hops").as_array().at(number).as_object();
}

api::RouteRequest route_request(const std::string& destination) {
    api::RouteRequest request;
    request.target = "a";
    request.destination = destination;
    return request;
}

object route_answer(const TestNetwork& network, const api::RouteRequest& request, const std::string& others) {
    const auto said = inspect(request, ask(network, "a", others));
    REQUIRE_FALSE(said.error);
    REQUIRE(said.of("answer").size() == 1);
    auto found = said.of("answer")[0];
    found["findings"] = said.report.at("findings");
    UNSCOPED_INFO(boost::json::serialize(found));
    return found;
}

void set_sysctl(const TestNetwork& network, char letter, const std::string& path, const std::string& value) {
    support::run_well(
        {"ip", "netns", "exec", network.name(letter), "sh", "-c", "echo " + value + " > /proc/sys/" + path});
}

bool ping_arrives(const TestNetwork& network, char letter, const std::string& destination) {
    // The first IPv6 packets wait for the neighbours' link-local addresses to be theirs.
    const std::string patience = destination.find(':') == destination.npos ? "1" : "4";
    return support::run({"ip", "netns", "exec", network.name(letter), "ping", "-n", "-c", "1", "-w", patience,
                         destination})
               .status == 0;
}

RouteLab::RouteLab() {
    const auto& n = network;
    n.ip('h', "link add br0 type bridge");
    n.ip('h', "addr add 192.0.2.254/24 dev br0");
    n.ip('h', "addr add 2001:db8:1::fe/64 dev br0 nodad");
    n.ip('h', "link set br0 up");
    n.veth('a', "eth0", "192.0.2.1/24", 'h', "va", "");
    n.veth('b', "eth0", "192.0.2.2/24", 'h', "vb", "");
    n.ip('h', "link set va master br0");
    n.ip('h', "link set vb master br0");
    n.veth('h', "out", "198.51.100.2/24", 'i', "in", "198.51.100.1/24");
    n.ip('i', "addr add 203.0.113.8/32 dev lo");
    n.ip('i', "route add 192.0.2.0/24 via 198.51.100.2");
    n.ip('i', "route add blackhole 203.0.113.66");
    n.ip('h', "route add default via 198.51.100.1");
    n.ip('h', "route add prohibit 203.0.113.77");
    n.ip('a', "route add default via 192.0.2.254");
    n.ip('a', "addr add 2001:db8:1::1/64 dev eth0 nodad");
    n.ip('b', "addr add 2001:db8:1::2/64 dev eth0 nodad");
    n.ip('h', "addr add 2001:db8:2::2/64 dev out nodad");
    n.ip('i', "addr add 2001:db8:2::1/64 dev in nodad");
    n.ip('i', "addr add 2001:db8:8::8/128 dev lo nodad");
    n.ip('i', "-6 route add 2001:db8:1::/64 via 2001:db8:2::2");
    n.ip('h', "-6 route add 2001:db8:8::/64 via 2001:db8:2::1");
    n.ip('a', "-6 route add 2001:db8:8::/64 via 2001:db8:1::fe");
    n.ip('a', "-6 route add 2001:db8:2::/64 via 2001:db8:1::fe");
    set_sysctl(network, 'h', "net/ipv6/conf/all/forwarding", "1");
    forward("1");
}

void RouteLab::forward(const std::string& value) const {
    set_sysctl(network, 'h', "net/ipv4/ip_forward", value);
    set_sysctl(network, 'i', "net/ipv4/ip_forward", "1");
}

object RouteLab::answer(const api::RouteRequest& request, const std::string& others) const {
    return route_answer(network, request, others);
}

object RouteLab::answer(const std::string& destination, const std::string& others) const {
    return answer(route_request(destination), others);
}

object RouteLab::referee(char letter, const std::string& words) const {
    return ip_json(network, letter, "route get " + words)[0].as_object();
}

}  // namespace netlab::test
