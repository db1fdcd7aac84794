#include "daemon/operations/why_trace.hpp"
#include "tests/fuzz/check.hpp"

/// The kernel's account of packets that pass the rules of a namespace, whose tables and chains have whatever
/// names its root gave them.

using namespace netlab;
using namespace netlab::fuzz;
using namespace netlab::operations;

namespace {

/// Chains as the seeds' events name them.
const std::vector<TableText>& rules() {
    static const auto tables = parse_ruleset(
        "table ip filter { # handle 1\n"
        "\tchain FORWARD { # handle 2\n"
        "\t\ttype filter hook forward priority filter; policy drop;\n"
        "\t\ttcp dport 80 counter packets 1 bytes 60 reject with tcp reset comment \"drop\" # handle 9\n"
        "\t\tcounter packets 1 bytes 60 jump c # handle 10\n"
        "\t}\n"
        "}\n"
        "table netdev own { # handle 3\n"
        "\tchain in { # handle 4\n"
        "\t\ttype filter hook ingress devices = { \"eth0\", \"eth1\" } priority filter; policy accept;\n"
        "\t\ttcp dport 80 drop # handle 5\n"
        "\t}\n"
        "}\n");
    static const std::vector<TableText> none;
    return tables ? *tables : none;
}

void follow(const Flow& flow, const std::vector<kernel::TraceEvent>& events) {
    for (const bool known : {true, false}) {
        TracedNamespace traced{"co1", events, {{2, "eth0"}}, std::nullopt};
        if (known) traced.rules = rules();
        const auto steps = read_trace(flow, {{1, std::move(traced)}});
        check(steps.size() <= events.size());
        // By which netlab has the packets traced is none of the rules that they meet.
        const auto is_own = [](const TracedStep& step) {
            return step.step.table.starts_with(trace_table_name(1));
        };
        check(std::ranges::none_of(steps, is_own));
        if (const auto* last = ending_step(steps)) check(last->drops);
        if (const auto* last = queueing_step(steps)) check(last->step.verdict == "queue");
    }
    (void)tells_of_drop(flow, events);
}

/// Rules before all others, that nobody hears of.
void look_at_ingress(std::string_view text) {
    Way way;
    way.points.resize(1);
    way.points[0].place = 1;
    way.points[0].hop.interface = "eth0";
    check(ingress_drops(rules(), way, 1) == std::vector<std::string>{"netdev own in"});
    check(ingress_drops(rules(), way, 2).empty());
    if (const auto tables = parse_ruleset(text)) {
        for (const auto& chain : ingress_drops(*tables, way, 1))
            check(chain.find(' ') != chain.npos);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    look_at_ingress(as_text({data, size}));
    const auto events = kernel::parse_trace(std::as_bytes(std::span(data, size)));
    for (const auto protocol : {api::WhyProtocol::tcp, api::WhyProtocol::udp, api::WhyProtocol::icmp})
        follow({protocol, 40000, *IpAddress::parse("192.0.2.1"), 80}, events);
    return 0;
}
