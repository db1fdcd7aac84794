#include "daemon/operations/nat_judgement.hpp"

#include "daemon/operations/way_out_view.hpp"
#include "tests/unit/nat_case.hpp"

#include <linux/rtnetlink.h>

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::nat_case;

namespace {

/// Docker's, against who comes to a container's own address from outside.
RuleChain direct_drop() {
    auto drop = rule(32, RuleAction::drop);
    drop.destination = {*IpPrefix::parse("172.18.0.2/32"), false};
    drop.input = {"br-1", true};
    return chain("ip raw", "PREROUTING", NF_INET_PRE_ROUTING, -300, {drop});
}

/// That one's masquerade is not understood.
void make_doubtful(Case& one) {
    one.host.chains.front().rules.front().more_conditions = true;
}

void leave_untranslated(Case& one) {
    one.host.chains.clear();
}

std::shared_ptr<const kernel::NftSet> dropping_map(std::uint16_t port) {
    kernel::NftElement drop;
    drop.key = {std::byte(port >> 8), std::byte(port & 0xFF)};
    drop.verdict = kernel::NftVerdict{NF_DROP, {}};
    kernel::NftSet out;
    out.key_length = 2;
    out.elements = {drop};
    out.complete = true;
    return std::make_shared<const kernel::NftSet>(out);
}

RuleChain forward(std::vector<PacketRule> rules) {
    return chain("ip filter", "FORWARD", NF_INET_FORWARD, 0, std::move(rules));
}

}  // namespace

TEST_CASE("nat: what is translated to an address that is not known is not answered at its own", "[unit]") {
    CHECK(with_host_chain(direct_drop()).judged().verdict == NatVerdict::translated);
    auto row = Case([](Case& one) {
                   one.host.chains.push_back(direct_drop());
                   one.way.host_address.reset();
               }).judged();
    CHECK(row.verdict == NatVerdict::translated);
    CHECK_FALSE(row.as);
    CHECK(row.explanation.empty());
    // One that may be for that address.
    auto from_outside = rule(33, RuleAction::drop);
    from_outside.input = {"eth0", false};
    row = Case([&](Case& one) {
              one.host.chains.push_back(
                  chain("ip raw", "PREROUTING", NF_INET_PRE_ROUTING, -300, {from_outside}));
              one.way.host_address.reset();
          }).judged();
    CHECK(row.verdict == NatVerdict::unknown);
    CHECK(
        row.explanation.starts_with("the address that it leaves with is not known, and it may be that what "
                                    "the outside answers co1 is dropped by ip raw PREROUTING"));
    CHECK(row.suggestion.empty());
    // Behind conntrack it is for the container.
    row = Case([](Case& one) {
              one.host.chains.push_back(forward({towards("br-1")}));
              one.way.host_address.reset();
          }).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.rule->handle == 30);
}

TEST_CASE("nat: where a rule may translate it only what stops either answer is certain", "[unit]") {
    const auto judged = [](RuleChain more) {
        return Case([&](Case& one) {
                   make_doubtful(one);
                   one.host.chains.push_back(std::move(more));
               })
            .judged();
    };
    for (const auto& more : {direct_drop(), forward({of_flow(kernel::flow_has_snat)})}) {
        const auto row = judged(more);
        CHECK(row.verdict == NatVerdict::unknown);
        INFO(row.explanation);
        CHECK(row.explanation.starts_with("ip nat POSTROUTING handle 3 may decide otherwise: "));
        CHECK(row.suggestion.empty());
    }
    const auto row = judged(forward({towards("br-1")}));
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.rule->handle == 30);
}

TEST_CASE("nat: a port that is dropped by a jump or a map is a remark", "[unit]") {
    auto jump = rule(34, RuleAction::jump);
    jump.protocol = {IPPROTO_TCP, false};
    jump.destination_port = {{443, 443}, false};
    jump.chain = "LOGDROP";
    RuleChain log_drop{false, "ip filter", "LOGDROP", {}, false, {rule(35, RuleAction::drop)}, false};
    auto row = Case([&](Case& one) {
                   one.host.chains.push_back(forward({jump}));
                   one.host.chains.push_back(log_drop);
               }).judged();
    CHECK(row.verdict == NatVerdict::translated);
    CHECK(row.suggestion.empty());
    CHECK(row.explanation.starts_with(
        "port 443: what co1 sends to the outside is dropped by ip filter LOGDROP handle 35: "));

    auto map = rule(36, RuleAction::other);
    map.protocol = {IPPROTO_TCP, false};
    map.verdicts = kernel::SetCondition{{kernel::PacketField::destination_port}, false, dropping_map(443)};
    row = with_host_chain(forward({map})).judged();
    CHECK(row.verdict == NatVerdict::translated);
    CHECK(row.explanation.starts_with("port 443: what co1 sends"));

    // What keeps out all others stops nobody who asks for the web.
    auto web = rule(37, RuleAction::accept);
    web.destination_port = {{80, 80}, false};
    auto answers = rule(38, RuleAction::accept);
    answers.flow = {kernel::flow_is_established, false};
    auto policy = forward({answers, web});
    policy.drops = true;
    row = with_host_chain(policy).judged();
    CHECK(row.verdict == NatVerdict::translated);
    CHECK(row.explanation.starts_with("port 443: what co1 sends to the outside is dropped by the policy"));

    // And one that may stop that port.
    jump.more_conditions = true;
    jump.action = RuleAction::drop;
    row = with_host_chain(forward({jump})).judged();
    CHECK(row.verdict == NatVerdict::translated);
    CHECK(row.explanation.starts_with("port 443: ip filter FORWARD handle 34 may decide otherwise: "));
}

TEST_CASE("nat: whose address nobody can answer is told so whatever may drop the answer", "[unit]") {
    auto doubtful = towards("br-1");
    doubtful.more_conditions = true;
    const auto row = Case([&](Case& one) {
                         leave_untranslated(one);
                         one.host.chains.push_back(forward({doubtful}));
                     }).judged();
    CHECK(row.verdict == NatVerdict::routed);
    CHECK(row.suggestion == "iptables -t nat -I POSTROUTING -s 172.18.0.2 -o eth0 -j MASQUERADE");
    // One that may drop it, or send it to a proxy, before it leaves decides.
    doubtful.output.reset();
    doubtful.input = {"br-1", false};
    CHECK(Case([&](Case& one) {
              leave_untranslated(one);
              one.host.chains.push_back(forward({doubtful}));
          })
              .judged()
              .verdict == NatVerdict::unknown);
    // Whom others know the way to an answer reaches.
    doubtful = towards("br-1");
    doubtful.more_conditions = true;
    CHECK(Case([&](Case& one) {
              leave_untranslated(one);
              one.way.source = address("203.0.114.2");
              one.host.chains.push_back(forward({doubtful}));
          })
              .judged()
              .verdict == NatVerdict::unknown);
}

TEST_CASE("nat: of a rule that only its program may change no removal is suggested", "[unit]") {
    auto notrack = rule(12, RuleAction::none);
    notrack.input = {"br-1", false};
    notrack.untracks = true;
    auto raw = chain("ip raw", "PREROUTING", NF_INET_PRE_ROUTING, -300, {notrack});
    raw.owner = 4711;
    const auto row = with_host_chain(raw).judged();
    CHECK(row.verdict == NatVerdict::routed);
    CHECK(row.suggestion.starts_with("ps -p 4711  # "));
}

TEST_CASE("nat: a name that is more than a word comes into no command", "[unit]") {
    auto policy = chain("ip filter", "OUTPUT", NF_INET_LOCAL_OUT, 0, {});
    policy.drops = true;
    CHECK(with_own_chain(policy).judged().suggestion == "netlab firewall co1  # shows what it accepts");
    const auto row = Case([&](Case& one) {
                         one.co1.name = "a;reboot";
                         one.own.chains.push_back(policy);
                     }).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.suggestion.empty());
}

TEST_CASE("nat: MASQUERADE gives the address in the next hop's network, or the first", "[unit]") {
    const auto own = [](std::uint32_t index, const char* prefix) {
        kernel::Address out;
        out.index = index;
        out.prefix = *IpPrefix::parse(prefix);
        return out;
    };
    NamespaceFacts host;
    CHECK_FALSE(masquerade_address(host, 7, address("10.8.0.1")));
    auto tun = own(7, "10.9.0.2/32");
    tun.peer = address("10.9.0.1");
    auto link_scope = own(7, "192.0.2.2/24");
    link_scope.scope = RT_SCOPE_LINK;
    host.addresses = {own(6, "10.7.0.2/24"), link_scope, own(7, "10.8.0.2/24"), tun,
                      own(7, "2001:db8::2/64")};
    CHECK(masquerade_address(host, 7, address("203.0.113.8")) == address("10.8.0.2"));
    CHECK(masquerade_address(host, 7, address("10.9.0.1")) == address("10.9.0.2"));
    CHECK(masquerade_address(host, 7, address("2001:db8:9::1")) == address("2001:db8::2"));
    host.addresses.push_back(own(7, "2001:db8:1::2/64"));
    CHECK_FALSE(masquerade_address(host, 7, address("2001:db8:9::1")));
}
