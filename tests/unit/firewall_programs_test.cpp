#include "daemon/operations/firewall_programs.hpp"

#include "tests/support/catch.hpp"

using namespace netlab::operations;

TEST_CASE("firewall programs: what they stop they let in by their own commands", "[unit]") {
    const StoppedFlow to_host{"eth0", "", "tcp", 8080};
    const StoppedFlow forwarded{"br-net", "eth0", "udp", 53, true};
    const StoppedFlow echo{"br-net", "", "", 0, true};
    CHECK(permission_by("ufw", "INPUT", to_host) ==
          "ufw prepend allow in on eth0 to any port 8080 proto tcp");
    CHECK(permission_by("ufw", "FORWARD", forwarded) ==
          "ufw route prepend allow in on br-net out on eth0 to any port 53 proto udp");
    CHECK(permission_by("ufw", "INPUT", echo) == "ufw prepend allow in on br-net");
    // Those come before its user's rules, which that would add one to.
    CHECK(permission_by("ufw", "ufw-before-input", to_host).empty());
    CHECK_FALSE(permission_by("ufw", "ufw-user-input", to_host).empty());
    CHECK(permission_by("firewalld", "filter_IN_public", to_host) ==
          "firewall-cmd --zone=public --add-port=8080/tcp");
    // Of more than one zone, of a part of one's rules; forwarded; without a port.
    const std::string trusted = "firewall-cmd --zone=trusted --add-interface=";
    auto from_container = to_host;
    from_container.input = "br-net";
    from_container.from_containers = true;
    for (const auto* chain : {"filter_INPUT", "filter_IN_public_deny", "filter_IN_policy_allow-host-ipv6"}) {
        CHECK(permission_by("firewalld", chain, from_container) == trusted + "br-net");
        // The outside is not to be trusted as a whole.
        CHECK(permission_by("firewalld", chain, to_host).empty());
    }
    CHECK(permission_by("firewalld", "filter_FWD_public", forwarded) == trusted + "br-net");
    CHECK(permission_by("firewalld", "filter_IN_public", echo) == trusted + "br-net");
    CHECK(permission_by("firewalld", "filter_PREROUTING", to_host).empty());
    CHECK(permission_by("docker", "DOCKER", to_host).empty());
    CHECK(permission_by("ufw", "INPUT", {"eth0; rm", "", "tcp", 1}).empty());
    CHECK(permission_by("ufw", "FORWARD", {"eth0", "x y", "tcp", 1}).empty());
    CHECK(permission_by("firewalld", "filter_IN_a b", to_host).empty());
}
