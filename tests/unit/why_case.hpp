#pragma once

#include "daemon/operations/why_explanation.hpp"
#include "daemon/operations/why_notes.hpp"

#include <string_view>

/// What the tests of `why`'s explanations begin with.
namespace netlab::operations::test {

inline IpAddress address(const char* text) {
    return *IpAddress::parse(text);
}

inline api::Target container(const char* name, const char* network, const char* prefix) {
    api::Target out;
    out.name = name;
    out.runtime = api::Runtime::docker;
    out.pid = 42;
    out.state = api::State::running;
    api::Membership membership;
    membership.name = network;
    membership.addresses = {*IpPrefix::parse(prefix)};
    out.networks = {membership};
    return out;
}

/// One question of co1's to the outside, as a test begins with it.
struct Case {
    api::Context context;
    api::WhyRequest request;
    WhyFacts facts{context, request};
    WhyDecision decision;

    explicit Case(const char* to = "203.0.113.8") {
        context.targets = {container("co1", "net", "172.18.0.2/16")};
        request.from = "co1";
        request.to = to;
        request.protocol = api::WhyProtocol::tcp;
        request.port = 80;
        facts.flow = {api::WhyProtocol::tcp, 40'000, address(to), 80};
        facts.way.end_place = 0;
        facts.way.end_target = "co1";
        facts.host = "host";
        facts.probed = true;
    }
    Explanation explain(api::WhyVerdict verdict) {
        decision.verdict = verdict;
        return explain_why(facts, decision);
    }
};

inline api::WhyRule rule(const char* chain, const char* text, const char* owner = "") {
    api::WhyRule out;
    out.target = "host";
    out.family = "ip";
    out.table = "filter";
    out.chain = chain;
    out.handle = 17;
    out.text = text;
    out.owner = owner;
    return out;
}

inline TracedStep step(const api::WhyRule& rule, const char* hook, const char* verdict = "drop") {
    TracedStep out;
    out.place = 1;
    static_cast<api::WhyRule&>(out.step) = rule;
    out.step.hook = hook;
    out.step.verdict = verdict;
    out.step.input = "eth0";
    out.drops = std::string_view(verdict) == "drop";
    return out;
}

/// FROM and the host, whose rules they are.
inline void add_host(Case& one) {
    api::Target host;
    host.name = "host";
    host.runtime = api::Runtime::host;
    one.context.others = {host};
}

}  // namespace netlab::operations::test
