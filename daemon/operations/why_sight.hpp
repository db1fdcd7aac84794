#pragma once

#include "daemon/kernel/nft_trace.hpp"
#include "daemon/kernel/nftables.hpp"
#include "daemon/operations/flow_view.hpp"
#include "daemon/operations/netfilter_orders.hpp"
#include "daemon/operations/why_probe.hpp"
#include "daemon/operations/why_trace.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace netlab::operations {

/// The namespaces in which a flow is watched: FROM's, the host's, those that it may come to. Packets that
/// pass them are seen, and with a trace the rules that they meet.
class WhySight {
  public:
    /// For `prepare`: opens what it takes in the places of `namespaces` that are `wanted`; that of a
    /// namespace that is not there is left out. With `trace`, CAP_NET_ADMIN is needed, and a process beside
    /// is started. What of a trace does not work is kept for untraced(). errc::operation_failed.
    [[nodiscard]] static Result<WhySight> open(Namespaces& namespaces, const std::set<std::size_t>& wanted,
                                               bool probe, bool trace);

    /// For `run`: from now on the flow is seen, and traced. errc::operation_failed.
    [[nodiscard]] Result<void> watch(const Flow& flow, Output& output);

    /// For poll(2): ready where there is news of a trace.
    [[nodiscard]] std::vector<pollfd> waiting() const;
    /// Takes what the kernel has told of traces, and the packets that have been seen; true where something of
    /// the flow is a drop.
    [[nodiscard]] bool take_traces();
    /// Takes the packets that have been seen.
    void take_packets();
    /// Reads the rules where a trace has met any, and those of `also`.
    void read_rules(Output& output, std::optional<std::size_t> also);

    [[nodiscard]] std::set<std::size_t> places() const;
    [[nodiscard]] const std::map<std::size_t, std::vector<SeenPacket>>& packets() const { return packets_; }
    [[nodiscard]] bool saw_all() const { return saw_all_; }
    [[nodiscard]] bool traces() const { return untraced_.empty(); }
    [[nodiscard]] const std::string& untraced() const { return untraced_; }
    /// By place; without names of interfaces and targets.
    [[nodiscard]] std::map<std::size_t, TracedNamespace> take_traced() { return std::move(traced_); }
    /// The sock_diag socket of a place; -1 where there is none.
    [[nodiscard]] int sockets(std::size_t place) const;

  private:
    struct Watched {
        std::size_t place = 0;
        std::optional<NetfilterProcess> netfilter;
        /// The same rules as the kernel lists them, as they were in `prepare`; where that is known.
        std::optional<kernel::NftTables> structure;
        std::optional<FlowView> view;
        std::optional<kernel::TraceListener> trace;
        UniqueFd sockets;
    };

    Result<void> open_sockets(Namespaces& namespaces, bool probe);
    void start_processes(Namespaces& namespaces);
    static std::optional<std::vector<TableText>> read_texts(Watched& watched, Output& output);
    /// The first reason why there is no trace is kept.
    void give_up_trace(const Error& error);

    std::vector<Watched> watched_;
    Flow flow_;
    std::string untraced_;
    std::map<std::size_t, std::vector<SeenPacket>> packets_;
    std::map<std::size_t, TracedNamespace> traced_;
    bool saw_all_ = true;
};

}  // namespace netlab::operations
