#include "daemon/operations/dns_client.hpp"

#include <algorithm>
#include <array>

namespace netlab::operations {

Result<DnsClient> DnsClient::open(std::size_t udp, std::size_t tcp) {
    const auto open_all = [](std::size_t count, api::DnsTransport transport) -> Result<Channels> {
        Channels channels;
        while (channels.size() < count) {
            auto asking = DnsAsking::open(transport);
            if (!asking) return asking.error();
            channels.push_back(std::move(*asking));
        }
        return channels;
    };
    auto datagrams = open_all(udp, api::DnsTransport::udp);
    if (!datagrams) return datagrams.error();
    auto streams = open_all(tcp, api::DnsTransport::tcp);
    if (!streams) return streams.error();
    return DnsClient(std::move(*datagrams), std::move(*streams));
}

Result<void> DnsClient::wait(std::span<DnsAsking* const> busy, Output::Clock::time_point until,
                             const TargetWatch& watch, Output& output) {
    const auto done = [&] {
        return std::ranges::all_of(busy, [](const auto* asking) { return asking->done(); });
    };
    while (!done() && Output::Clock::now() < until) {
        std::vector<pollfd> sockets;
        std::vector<DnsAsking*> owners;
        for (auto* asking : busy) {
            if (!asking->done()) asking->append_sockets(sockets);
            owners.resize(sockets.size(), asking);
        }
        if (auto ready = watch.wait(output, sockets, until); !ready) return ready.error();
        for (std::size_t i = 0; i < sockets.size(); ++i)
            owners[i]->process(sockets[i]);
    }
    return {};
}

Result<std::vector<DnsExchange>> DnsClient::ask(std::span<const DnsCall> calls,
                                                Output::Clock::time_point until, const TargetWatch& watch,
                                                Output& output) {
    std::vector<DnsExchange> exchanges(calls.size());
    std::size_t begun = 0;
    while (begun < calls.size()) {
        std::size_t udp = 0;
        std::size_t tcp = 0;
        std::vector<std::pair<std::size_t, DnsAsking*>> turn;
        for (; begun < calls.size(); ++begun) {
            const bool stream = calls[begun].transport == api::DnsTransport::tcp;
            auto& channels = stream ? tcp_ : udp_;
            auto& used = stream ? tcp : udp;
            if (used == channels.size()) break;
            turn.emplace_back(begun, channels[used++].get());
        }
        if (turn.empty())
            return Error{errc::operation_failed, "no resolver was set up for this transport", {}, {}};
        std::vector<DnsAsking*> busy;
        for (const auto& [index, asking] : turn) {
            const auto started = asking->start(calls[index]);
            if (!started) return started.error();
            if (*started)
                busy.push_back(asking);
            else
                exchanges[index].outcome = NameOutcome::invalid_name;
        }
        const auto left = calls.size() - begun;
        const auto now = Output::Clock::now();
        const auto share = left == 0 ? until : now + (until - now) / static_cast<int>(1 + left / turn.size());
        if (auto waited = wait(busy, now + (share - now) / 2, watch, output); !waited) return waited.error();
        for (auto* asking : busy) {
            if (!asking->done()) asking->repeat();
        }
        if (auto waited = wait(busy, share, watch, output); !waited) return waited.error();
        for (const auto& [index, asking] : turn) {
            if (std::ranges::find(busy, asking) != busy.end()) exchanges[index] = asking->finish();
        }
    }
    return exchanges;
}

NameOutcome join(std::span<const NameOutcome> outcomes) {
    // The first that occurs is what the whole exchange came to.
    constexpr std::array order{
        NameOutcome::resolved, NameOutcome::no_data,   NameOutcome::no_such_name, NameOutcome::server_failure,
        NameOutcome::refused,  NameOutcome::timed_out, NameOutcome::no_server,    NameOutcome::invalid_name};
    for (const auto outcome : order) {
        if (std::ranges::find(outcomes, outcome) != outcomes.end()) return outcome;
    }
    return NameOutcome::timed_out;
}

std::string reason_of(std::span<const DnsExchange> exchanges, NameOutcome outcome) {
    const auto at = std::ranges::find(exchanges, outcome, &DnsExchange::outcome);
    return at == exchanges.end() ? std::string() : reason_of(*at);
}

bool is_answer(NameOutcome outcome) {
    return outcome == NameOutcome::resolved || outcome == NameOutcome::no_such_name ||
           outcome == NameOutcome::no_data || outcome == NameOutcome::invalid_name;
}

}  // namespace netlab::operations
