#include "tests/docker/why_lab.hpp"

/// Whose the rule is that `netlab why` names, and what its owner is told to do: by ufw(8) itself where that
/// keeps the firewall of the lab's host.
using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

namespace {

/// A page of the host's own, which its firewall guards.
class HostPage {
  public:
    HostPage()
        : server_({"nsenter", "--net=/run/netns/" + host_namespace(), "busybox", "httpd", "-f", "-p", "8077",
                   "-h", "/run/netlab-lab/" + instance() + "/www"}) {
        REQUIRE(support::eventually([] { return contains(on_host("ss -Hltn"), ":8077 "); }, 5s));
    }
    [[nodiscard]] static bool outside_gets() {
        return status_outside("curl -sf -m 1 -o /dev/null http://198.51.100.2:8077/") == 0;
    }

  private:
    support::Process server_;
};

/// ufw with the distribution's rules, and none of its user's; at the end as if it had never been there.
class Ufw {
  public:
    Ufw()
        : undo_("ufw --force reset; rm -f " + folder() + "/*.rules.2*; iptables-restore < " + saved() +
                "; ip6tables-restore < " + saved() + "6; rm " + saved() + " " + saved() + "6") {
        on_host("iptables-save > " + saved() + " && ip6tables-save > " + saved() + "6 && ufw --force enable");
    }

  private:
    static std::string folder() { return "/run/netlab-lab/" + instance() + "/ufw/etc/ufw"; }
    static std::string saved() { return "/tmp/why-ufw." + instance(); }
    Undo undo_;
};

/// Says what drops the page, and lets it in as it says; curl(1) agrees before and after.
void mend(const support::Daemon& daemon, const std::string& chain, const std::string& owner,
          const std::string& suggestion) {
    const Words page{outside_target(), "198.51.100.2:8077"};
    CHECK_FALSE(HostPage::outside_gets());
    const auto report = ask_why(daemon, page);
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "chain") == chain);
    CHECK(text(rule(report), "owner") == owner);
    CHECK(text(report, "suggestion").starts_with(suggestion));
    follow(report);
    check_delivered(daemon, page);
    CHECK(HostPage::outside_gets());
}

}  // namespace

TEST_CASE("why owners: ufw's policy and rules are told, and ufw lets in what it is told to",
          "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    const HostPage page;
    const Ufw ufw;
    const std::string allow = "ufw prepend allow in on eth0 to any port 8077 proto tcp";
    {
        const auto report = ask_why(daemon, {outside_target(), "198.51.100.2:8077"});
        INFO(report);
        CHECK(contains(text(report, "explanation"), "which ufw has set"));
    }
    mend(daemon, "INPUT", "iptables", allow);
    on_host("ufw delete allow in on eth0 to any port 8077 proto tcp && ufw deny 8077/tcp");
    mend(daemon, "ufw-user-input", "ufw", allow);
    // What is before its user's rules those do not let in.
    on_host("iptables -w -I ufw-before-input -p tcp --dport 8077 -j DROP");
    mend(daemon, "ufw-before-input", "ufw", "nft insert rule ip filter ufw-before-input ");
}

TEST_CASE("why owners: a rule in firewalld's table and one in a chain of Podman's are theirs",
          "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    {
        const HostPage page;
        const Undo undo("nft delete table inet firewalld");
        on_host(
            "nft 'table inet firewalld { chain filter_IN_public { tcp dport 8077 drop; }; chain filter_INPUT "
            "{ "
            "type filter hook input priority 10; jump filter_IN_public; }; }'");
        CHECK_FALSE(HostPage::outside_gets());
        const auto report = ask_why(daemon, {outside_target(), "198.51.100.2:8077"});
        INFO(report);
        CHECK(verdict(report) == "dropped");
        CHECK(text(rule(report), "table") == "firewalld");
        CHECK(text(rule(report), "chain") == "filter_IN_public");
        CHECK(text(rule(report), "owner") == "firewalld");
        CHECK(text(report, "suggestion") == "firewall-cmd --zone=public --add-port=8077/tcp");
    }
    const std::string drop = " NETAVARK_FORWARD -d 203.0.113.8 -p tcp --dport 80 -j DROP";
    const Undo undo("iptables -w -D" + drop);
    on_host("iptables -w -I" + drop);
    const auto report = ask_why(daemon, {"podman:pod1", "203.0.113.8:80"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "chain") == "NETAVARK_FORWARD");
    CHECK(text(rule(report), "owner") == "podman");
}
