#include "daemon/operations/conntrack_row.hpp"

#include "common/text.hpp"

#include <algorithm>

#include <netinet/in.h>
// The kernel's own headers after the C library's.
#include <linux/netfilter/nf_conntrack_common.h>

namespace netlab::operations {

namespace {

using kernel::Conntrack;

bool is_one_of(const std::optional<IpPrefix>& wanted, const IpAddress& before, const IpAddress& after) {
    return !wanted || wanted->contains(before) || wanted->contains(after);
}

bool is_one_of(const std::optional<std::uint16_t>& wanted, const std::optional<std::uint16_t>& before,
               const std::optional<std::uint16_t>& after) {
    return !wanted || before == wanted || after == wanted;
}

std::string protocol_name(std::uint8_t protocol) {
    return api::conntrack_protocol_name(protocol);
}

/// A table is called nearly full from here on: the kernel begins to drop at its maximum.
constexpr std::uint64_t nearly_full_percent = 90;

}  // namespace

ConntrackFilter::ConntrackFilter(const api::ConntrackRequest& request) : request_(request) {
    if (request.protocol) protocol_ = api::conntrack_protocol(*request.protocol);
    for (const auto& word : request.states) {
        if (auto state = api::conntrack_state(word)) states_.push_back(std::move(*state));
    }
}

void ConntrackFilter::limit_to(std::vector<IpAddress> addresses) {
    std::ranges::sort(addresses);
    addresses_ = std::move(addresses);
}

bool ConntrackFilter::concerns(const Conntrack& entry) const {
    if (!addresses_) return true;
    const auto is_its = [&](const IpAddress& address) {
        return std::ranges::binary_search(*addresses_, address);
    };
    return is_its(entry.original.source) || is_its(entry.original.destination) ||
           is_its(entry.reply.source) || is_its(entry.reply.destination);
}

bool ConntrackFilter::has_state(const Conntrack& entry) const {
    if (states_.empty()) return true;
    return std::ranges::any_of(states_, [&](const std::string& state) {
        if (state == "UNREPLIED") return !entry.replied();
        if (state == "REPLIED") return entry.replied();
        if (state == "ASSURED") return (entry.status & IPS_ASSURED) != 0;
        if (state == "OFFLOAD") return (entry.status & (IPS_OFFLOAD | IPS_HW_OFFLOAD)) != 0;
        return entry.state_name() == state;
    });
}

bool ConntrackFilter::admits(const Conntrack& entry) const {
    const auto& original = entry.original;
    const auto& reply = entry.reply;
    if (protocol_ && original.protocol != *protocol_) return false;
    if (request_.family && original.source.family() != *request_.family) return false;
    if (request_.nat && !entry.translated()) return false;
    if (!is_one_of(request_.source, original.source, reply.destination)) return false;
    if (!is_one_of(request_.destination, original.destination, reply.source)) return false;
    if (!is_one_of(request_.source_port, original.source_port, reply.destination_port)) return false;
    if (!is_one_of(request_.destination_port, original.destination_port, reply.source_port)) return false;
    const auto& port = request_.port;
    if (port && !is_one_of(port, original.source_port, reply.destination_port) &&
        !is_one_of(port, original.destination_port, reply.source_port))
        return false;
    return has_state(entry) && concerns(entry);
}

void ConntrackRows::fill(api::ConntrackEnd& end, const IpAddress& address,
                         std::optional<std::uint16_t> port) const {
    end.address = address;
    end.port = port;
    if (const auto* name = names_.find(address)) {
        end.name = *name;
    } else {
        end.name.reset();
    }
}

void ConntrackRows::fill(api::ConntrackDirection& direction, const kernel::ConntrackTuple& tuple,
                         const std::optional<kernel::ConntrackCounter>& counter) const {
    fill(direction.source, tuple.source, tuple.source_port);
    fill(direction.destination, tuple.destination, tuple.destination_port);
    direction.icmp.reset();
    if (tuple.icmp) direction.icmp = api::ConntrackIcmp{tuple.icmp->type, tuple.icmp->code, tuple.icmp->id};
    direction.packets.reset();
    direction.bytes.reset();
    if (!counter) return;
    direction.packets = counter->packets;
    direction.bytes = counter->bytes;
}

api::ConntrackRow& ConntrackRows::row_of(const Conntrack& entry) {
    row_.time.reset();
    row_.event.reset();
    row_.stale.reset();
    row_.family = entry.original.source.family();
    row_.protocol = protocol_name(entry.original.protocol);
    row_.state.reset();
    if (const auto name = entry.state_name(); !name.empty()) row_.state = name;
    row_.replied = entry.replied();
    row_.status = kernel::conntrack_status_names(entry.status);
    row_.timeout = entry.timeout;
    fill(row_.original, entry.original, entry.original_counter);
    fill(row_.reply, entry.reply, entry.reply_counter);
    row_.snat.reset();
    row_.dnat.reset();
    if (entry.source_translated()) row_.snat = {row_.original.source, row_.reply.destination};
    if (entry.destination_translated()) row_.dnat = {row_.original.destination, row_.reply.source};
    row_.mark = entry.mark;
    row_.zone = entry.zone ? entry.zone : entry.original.zone;
    row_.id = entry.id;
    row_.use = entry.use;
    row_.helper.reset();
    if (!entry.helper.empty()) row_.helper = valid_utf8(entry.helper);
    row_.started.reset();
    row_.stopped.reset();
    if (entry.started_ns) row_.started = time_(*entry.started_ns);
    if (entry.stopped_ns) row_.stopped = time_(*entry.stopped_ns);
    return row_;
}

api::ConntrackTableRow table_row(std::string target, const kernel::ConntrackStatistics& statistics) {
    api::ConntrackTableRow row;
    row.target = std::move(target);
    row.entries = statistics.entries;
    row.maximum = statistics.maximum;
    row.dropped = statistics.dropped;
    row.early_dropped = statistics.early_dropped;
    row.insert_failed = statistics.insert_failed;
    if (row.entries == std::uint64_t{0}) {
        row.explanation = "nothing is tracked in " + row.target +
                          ": no packet has come since a rule there (NAT, or a ct match) wanted it";
    }
    // nf_conntrack_max may be 0: no limit.
    if (!row.entries || row.maximum.value_or(0) == 0) return row;
    const auto percent = *row.entries * 100 / *row.maximum;
    if (percent < nearly_full_percent) return row;
    row.finding = std::to_string(*row.entries) + " of " + std::to_string(*row.maximum) + " entries (" +
                  std::to_string(percent) +
                  " %): at the maximum the kernel drops the first packet of each "
                  "new connection";
    row.suggestion = "sysctl -w net.netfilter.nf_conntrack_max=" + std::to_string(2 * *row.maximum);
    return row;
}

std::string conntrack_delete_command(const Conntrack& entry) {
    const auto& tuple = entry.original;
    std::string out = "conntrack -D";
    if (tuple.source.is_v6()) out += " -f ipv6";
    out += " -p " + protocol_name(tuple.protocol);
    out += " -s " + tuple.source.to_string() + " -d " + tuple.destination.to_string();
    if (tuple.source_port) out += " --sport " + std::to_string(*tuple.source_port);
    if (tuple.destination_port) out += " --dport " + std::to_string(*tuple.destination_port);
    if (tuple.icmp) {
        const std::string prefix = tuple.protocol == IPPROTO_ICMPV6 ? " --icmpv6-" : " --icmp-";
        out += prefix + "type " + std::to_string(tuple.icmp->type);
        out += prefix + "code " + std::to_string(tuple.icmp->code);
        out += prefix + "id " + std::to_string(tuple.icmp->id);
    }
    if (entry.zone) out += " -w " + std::to_string(*entry.zone);
    return out;
}

}  // namespace netlab::operations
