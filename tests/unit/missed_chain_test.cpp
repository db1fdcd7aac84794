#include "daemon/operations/missed_chain.hpp"

#include "tests/support/catch.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

using namespace netlab;
using namespace netlab::operations;

namespace {

kernel::RuleChain chain(const char* name, std::vector<kernel::PacketRule> rules) {
    kernel::RuleChain out;
    out.table = "ip filter";
    out.name = name;
    out.rules = std::move(rules);
    return out;
}

kernel::PacketRule rule_to(const char* output, kernel::RuleAction action, const char* next = "") {
    kernel::PacketRule out;
    out.output = kernel::Condition<std::string>{output, false};
    out.action = action;
    out.chain = next;
    return out;
}

/// The name of the chain that is missed; "" for none.
std::string missed(const std::vector<kernel::RuleChain>& chains) {
    kernel::PacketFacts packet{*IpAddress::parse("198.51.100.1"), *IpAddress::parse("172.17.0.2"),
                               IPPROTO_TCP, 40'000, 80};
    packet.input = "eth0";
    packet.output = "docker0";
    packet.flow = kernel::flow_is_new;
    const auto decision = kernel::find_drop(chains, NF_INET_FORWARD, packet);
    REQUIRE(decision.dropped);
    const auto* found = find_missed_chain(chains, decision, packet);
    return found == nullptr ? "" : found->name;
}

}  // namespace

TEST_CASE("missed chain: Docker's chain that would accept it, and to which nothing leads it", "[unit]") {
    using enum kernel::RuleAction;
    auto forward =
        chain("FORWARD", {rule_to("br-1", jump, "DOCKER"), rule_to("docker0", jump, "DOCKER-USER")});
    forward.hook = kernel::NftHook{NF_INET_FORWARD, 0};
    forward.drops = true;
    auto docker = chain("DOCKER", {rule_to("docker0", accept)});
    const auto users = chain("DOCKER-USER", {rule_to("docker0", return_)});
    CHECK(missed({forward, docker, users}) == "DOCKER");
    // What it accepts is something else.
    docker.rules.front().output->value = "br-2";
    CHECK(missed({forward, docker, users}).empty());
    docker.rules.front().output->value = "docker0";
    // A rule leads there, by way of another chain; what comes before it decides.
    auto led = forward;
    led.rules.push_back(rule_to("docker0", jump, "DOCKER-FORWARD"));
    const auto way =
        chain("DOCKER-FORWARD", {rule_to("docker0", return_), rule_to("docker0", jump, "DOCKER")});
    CHECK(missed({led, docker, users, way}).empty());
    // Where nothing of Docker's is left in the base it has been flushed: one jump would let the SYN in alone.
    auto flushed = forward;
    flushed.rules.clear();
    CHECK(missed({flushed, docker, users}).empty());
    // It is an earlier jump that is gone.
    auto without = forward;
    CHECK(missed({without, docker, users, way}).empty());
    // Somebody else's chain is not looked for.
    docker.name = "MINE";
    CHECK(missed({forward, docker, users}).empty());
}

TEST_CASE("missed chain: the jump is made where the packet has passed all others", "[unit]") {
    const auto why = explain_missed_chain("ip", "filter", "FORWARD", "DOCKER", "docker0");
    CHECK(why.suggestion == "iptables-nft -t filter -A FORWARD -o docker0 -j DOCKER");
    CHECK(explain_missed_chain("ip6 (legacy)", "filter", "FORWARD", "DOCKER", "br-1").suggestion ==
          "ip6tables-legacy -t filter -A FORWARD -o br-1 -j DOCKER");
    CHECK(explain_missed_chain("ip", "filter", "FORWARD", "DOCKER", "a;b").suggestion ==
          "systemctl restart docker");
}
