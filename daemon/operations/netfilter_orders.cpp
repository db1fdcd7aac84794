#include "daemon/operations/netfilter_orders.hpp"

#include "daemon/operations/ruleset_reader.hpp"
#include "daemon/operations/why_trace.hpp"

#include <memory>

namespace netlab::operations {

namespace {

BesideProcess::Bytes answer_of(const Result<std::string>& result) {
    const std::string text = result ? "+" + *result : "-" + result.error().message;
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

Result<std::string> carry_out(RulesetReader& nft, const NetfilterOrder& order) {
    if (order.kind == NetfilterOrder::Kind::list) return nft.read();
    const auto done =
        nft.run(trace_commands(trace_table_name(order.process), order.protocol, order.v4, order.own));
    if (!done) return done.error();
    return std::string();
}

}  // namespace

Result<NetfilterProcess> start_netfilter(Namespaces& namespaces, std::size_t place) {
    if (auto entered = namespaces.enter(place); !entered) return entered.error();
    auto reader = RulesetReader::open();
    if (!reader) return reader.error();
    const auto shared = std::make_shared<RulesetReader>(std::move(*reader));
    auto beside = BesideProcess::start(namespaces, [shared](const BesideProcess::Order& bytes) {
        return answer_of(carry_out(*shared, from_order<NetfilterOrder>(bytes)));
    });
    if (!beside) return beside.error();
    return NetfilterProcess{std::move(*beside), shared->translated()};
}

Result<std::string> order(BesideProcess& process, const NetfilterOrder& order, Output& output) {
    const auto answer = process.ask(to_order(order), output);
    if (!answer) return answer.error();
    std::string text(reinterpret_cast<const char*>(answer->data()), answer->size());
    if (text.starts_with('+')) return text.substr(1);
    return Error{errc::operation_failed, text.empty() ? "no answer" : text.substr(1), {}, {}};
}

}  // namespace netlab::operations
