#include "daemon/operations/netfilter_orders.hpp"

#include "daemon/operations/why_trace.hpp"

#include <memory>

namespace netlab::operations {

namespace {

BesideProcess::Bytes answer_of(const Result<std::string>& result) {
    const std::string text = result ? "+" + *result : "-" + result.error().message;
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

Result<std::string> carry_out(std::vector<Result<kernel::NftCommands>>& commands,
                              const NetfilterOrder& order) {
    if (order.number >= commands.size())
        return Error{errc::operation_failed, "no such namespace was opened", {}, {}};
    auto& nft = commands[order.number];
    if (!nft) return nft.error();
    if (order.kind == NetfilterOrder::Kind::list) return nft->run("list ruleset");
    return nft->run(trace_commands(trace_table_name(order.process), order.protocol, order.v4, order.own));
}

}  // namespace

Result<BesideProcess> NetfilterSide::start(Namespaces& namespaces) {
    const auto commands = std::make_shared<std::vector<Result<kernel::NftCommands>>>(std::move(commands_));
    return BesideProcess::start(namespaces, [commands](const BesideProcess::Order& bytes) {
        return answer_of(carry_out(*commands, from_order<NetfilterOrder>(bytes)));
    });
}

Result<std::string> order(BesideProcess& process, const NetfilterOrder& order, Output& output) {
    const auto answer = process.ask(to_order(order), output);
    if (!answer) return answer.error();
    std::string text(reinterpret_cast<const char*>(answer->data()), answer->size());
    if (text.starts_with('+')) return text.substr(1);
    return Error{errc::operation_failed, text.empty() ? "no answer" : text.substr(1), {}, {}};
}

}  // namespace netlab::operations
