#include "daemon/operations/why_sight.hpp"

#include "daemon/kernel/netlink.hpp"
#include "daemon/operations/rulesets.hpp"

#include <algorithm>
#include <utility>

#include <linux/netfilter.h>
#include <unistd.h>

namespace netlab::operations {

Result<WhySight> WhySight::open(Namespaces& namespaces, const std::set<std::size_t>& wanted, bool probe,
                                bool trace) {
    WhySight sight;
    for (const auto place : wanted) {
        if (namespaces[place].net) sight.watched_.emplace_back().place = place;
    }
    // Before any other socket: the process beside inherits what is open.
    if (trace)
        sight.start_processes(namespaces);
    else
        sight.untraced_ = "it was not asked for, or needs the role trace";
    if (auto opened = sight.open_sockets(namespaces, probe); !opened) return opened.error();
    return sight;
}

void WhySight::give_up_trace(const Error& error) {
    if (untraced_.empty()) untraced_ = error.message;
}

void WhySight::start_processes(Namespaces& namespaces) {
    for (auto& one : watched_) {
        auto process = start_netfilter(namespaces, one.place);
        if (process)
            one.netfilter = std::move(*process);
        else
            give_up_trace(process.error());
    }
}

Result<void> WhySight::open_sockets(Namespaces& namespaces, bool probe) {
    for (auto& one : watched_) {
        if (auto entered = namespaces.enter(one.place); !entered) return entered;
        auto sockets = kernel::open_sock_diag_socket();
        if (!sockets) return sockets.error();
        one.sockets = std::move(*sockets);
        if (!probe) continue;
        auto view = FlowView::open();
        if (!view) return view.error();
        one.view = std::move(*view);
        if (!one.netfilter) continue;
        if (auto structure = kernel::NftTables::ask(NFPROTO_UNSPEC)) one.structure = std::move(*structure);
        auto listener = kernel::TraceListener::open();
        if (listener)
            one.trace = std::move(*listener);
        else
            give_up_trace(listener.error());
    }
    return {};
}

Result<void> WhySight::watch(const Flow& flow, Output& output) {
    flow_ = flow;
    NetfilterOrder trace;
    trace.kind = NetfilterOrder::Kind::trace;
    trace.process = static_cast<std::uint32_t>(::getpid());
    trace.protocol = flow.protocol;
    trace.v4 = flow.remote.is_v4();
    trace.own = flow.own;
    for (auto& one : watched_) {
        if (auto watching = one.view->watch(flow); !watching) return watching;
        if (!one.netfilter) continue;
        if (const auto done = order(one.netfilter->beside, trace, output); !done) {
            give_up_trace(done.error());
            one.netfilter.reset();
        }
    }
    return {};
}

std::vector<pollfd> WhySight::waiting() const {
    std::vector<pollfd> out;
    for (const auto& one : watched_) {
        if (one.trace) out.push_back({one.trace->descriptor(), POLLIN, 0});
    }
    return out;
}

bool WhySight::take_traces() {
    take_packets();
    std::optional<FlowMark> mark;  // only where there is news
    bool dropped = false;
    for (auto& one : watched_) {
        if (!one.trace) continue;
        std::vector<kernel::TraceEvent> news;
        saw_all_ = one.trace->take(news) && saw_all_;
        auto& events = traced_[one.place].events;
        // Whoever is root in a container can have all of his packets traced.
        constexpr std::size_t most = 20'000;
        if (events.size() + news.size() > most) {
            saw_all_ = false;
            continue;
        }
        events.insert(events.end(), news.begin(), news.end());
        if (news.empty() || dropped) continue;
        if (!mark) mark = mark_of(flow_, packets_);
        dropped = tells_of_drop(flow_, events, *mark);
    }
    return dropped;
}

void WhySight::take_packets() {
    for (auto& one : watched_) {
        if (one.view) saw_all_ = one.view->take(packets_[one.place]) && saw_all_;
    }
}

std::optional<std::vector<TableText>> WhySight::read_texts(Watched& watched, Output& output) {
    const auto text = order(watched.netfilter->beside, {}, output);
    if (!text) return std::nullopt;
    auto tables = parse_ruleset(*text);
    if (!tables || !watched.structure) return tables;
    if (const auto content = std::exchange(watched.structure, std::nullopt)->read()) {
        name_untranslated(*tables, *content, watched.netfilter->translated);
        name_owners(*tables, *content);
    }
    return tables;
}

void WhySight::read_rules(Output& output, std::optional<std::size_t> also) {
    for (auto& one : watched_) {
        const auto found = traced_.find(one.place);
        const bool met = found != traced_.end() && !found->second.events.empty();
        if (one.netfilter && (met || also == one.place)) traced_[one.place].rules = read_texts(one, output);
    }
}

std::set<std::size_t> WhySight::places() const {
    std::set<std::size_t> out;
    for (const auto& one : watched_)
        out.insert(one.place);
    return out;
}

int WhySight::sockets(std::size_t place) const {
    const auto found = std::ranges::find(watched_, place, &Watched::place);
    return found == watched_.end() ? -1 : found->sockets.get();
}

}  // namespace netlab::operations
