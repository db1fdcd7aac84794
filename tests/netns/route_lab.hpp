#pragma once

#include "common/api/route.hpp"
#include "tests/netns/inspection.hpp"

#include <string>
#include <string_view>
#include <vector>

/// What the tests of `netlab route` share.
namespace netlab::test {

/// The member as text; of what is no string its JSON, of what is absent "".
[[nodiscard]] std::string text(const boost::json::object& row, std::string_view key);

/// "a routed", "h switched", …: whose namespace and what happens there.
[[nodiscard]] std::vector<std::string> steps(const boost::json::object& answer);
[[nodiscard]] boost::json::object hop(const boost::json::object& answer, std::size_t number);

[[nodiscard]] api::RouteRequest route_request(const std::string& destination);
/// The answer in namespace a, `others` being what netlab knows besides, with the report's "findings".
[[nodiscard]] boost::json::object route_answer(const TestNetwork& network, const api::RouteRequest& request,
                                               const std::string& others);

/// A sysctl of a namespace: "net/ipv4/ip_forward".
void set_sysctl(const TestNetwork& network, char letter, const std::string& path, const std::string& value);

/// True where an echo from namespace `letter` is answered: the referee of what passes.
[[nodiscard]] bool ping_arrives(const TestNetwork& network, char letter, const std::string& destination);

/// a and b on a bridge of h, which forwards to i, which has 203.0.113.8 and 2001:db8:8::8.
struct RouteLab {
    TestNetwork network{"abhi"};

    RouteLab();
    void forward(const std::string& value) const;
    [[nodiscard]] boost::json::object answer(const api::RouteRequest& request,
                                             const std::string& others = "hbi") const;
    [[nodiscard]] boost::json::object answer(const std::string& destination,
                                             const std::string& others = "hbi") const;
    /// `ip -j route get WORDS` there.
    [[nodiscard]] boost::json::object referee(char letter, const std::string& words) const;
};

}  // namespace netlab::test
