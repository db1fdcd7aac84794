#include "cli/render/nat_text.hpp"

#include "cli/render/escape.hpp"
#include "cli/render/rule_text.hpp"
#include "common/endpoint.hpp"

namespace netlab::cli::nat_text {

namespace {

using api::NatInRow;
using api::NatOutRow;
using api::NatVerdict;

constexpr std::string_view indent = "       ";

/// The rule in its own words, with its place and counters.
std::string rule_line(const api::NatRule& rule, std::string_view lead = {}) {
    auto text = std::string(indent) + std::string(lead) + escape(rule_place(rule)) + ": " + escape(rule.text);
    if (const auto counter = rule_counter(rule); !counter.empty()) text += "  [" + counter + "]";
    return text + "\n";
}

std::string heading(const NatOutRow& row) {
    std::string text = row.target.empty() ? std::string() : escape(row.target);
    if (!row.network.empty()) text += (text.empty() ? "" : " on ") + escape(row.network);
    if (row.target.empty() && row.source) text += " " + row.source->to_string();
    if (row.internal) text += ", internal";
    return text;
}

std::string with_device(const std::string& what, const std::string& device) {
    if (device.empty()) return what;
    return what.empty() ? escape(device) : what + " (" + escape(device) + ")";
}

/// "172.18.0.2 (eth0) -> 172.18.0.1 (br-1) -> eth0 as 198.51.100.2, MASQUERADE"
std::string way(const NatOutRow& row) {
    const bool of_target = !row.target.empty() && row.source;
    auto text = with_device(of_target ? row.source->address().to_string() : std::string(), row.interface);
    if (row.verdict == NatVerdict::host_network || row.verdict == NatVerdict::not_by_host) {
        if (row.as) text = with_device(row.as->to_string(), row.output);
        return text;
    }
    if (row.verdict == NatVerdict::no_route && row.output.empty()) return text;
    const auto gateway = with_device(row.gateway ? row.gateway->to_string() : std::string(), row.bridge);
    if (!gateway.empty()) text += (text.empty() ? "" : " -> ") + gateway;
    if (row.verdict == NatVerdict::no_route || row.verdict == NatVerdict::not_forwarded) return text;
    if (!row.output.empty()) text += " -> " + escape(row.output);
    return text;
}

std::string outcome(const NatOutRow& row) {
    switch (row.verdict) {
        case NatVerdict::translated:
            return row.as ? " as " + row.as->to_string() : std::string(" translated");
        case NatVerdict::routed:
            return " not translated";
        case NatVerdict::host_network:
            return ", the host's own";
        case NatVerdict::no_route:
        case NatVerdict::not_by_host:
            return {};
        case NatVerdict::not_forwarded:
            return ", NOT FORWARDED";
        case NatVerdict::blocked:
            // With the address that it leaves with it is the answer that is.
            return row.as ? " as " + row.as->to_string() + ", NO ANSWER" : std::string(", DROPPED");
        case NatVerdict::unknown:
            break;
    }
    return ", unknown";
}

std::string text_of(const NatOutRow& row) {
    auto text = "  out  " + way(row) + outcome(row) + "\n";
    if (row.rule) text += rule_line(*row.rule);
    if (row.shadowed_by) text += rule_line(*row.shadowed_by, "NEVER MET, first comes ");
    if (!row.explanation.empty()) text += std::string(indent) + escape(row.explanation) + "\n";
    if (!row.suggestion.empty()) text += std::string(indent) + "try: " + escape(row.suggestion) + "\n";
    return text;
}

std::string text_of(const NatInRow& row) {
    auto from = row.host_address ? row.host_address->to_string() : std::string("*");
    if (row.host_port) {
        from = row.host_address ? endpoint_text(*row.host_address, *row.host_port)
                                : "*:" + std::to_string(*row.host_port);
    }
    if (!row.protocol.empty()) from += "/" + escape(row.protocol);
    auto text = "  in   " + from + " -> ";
    if (row.to)
        text +=
            row.to->port != 0 ? endpoint_text(row.to->address, row.to->port) : row.to->address.to_string();
    if (!row.target.empty()) text += " (" + escape(row.target) + ")";
    if (row.target.empty()) text += " (nobody that netlab knows)";
    if (!row.reached) text += ", no chain leads to this rule";
    text += "\n" + rule_line(row.rule);
    if (row.shadowed_by) text += rule_line(*row.shadowed_by, "NEVER MET, first comes ");
    if (row.hairpin) text += rule_line(*row.hairpin, "from itself: ");
    return text;
}

}  // namespace

std::string page(const std::vector<NatOutRow>& out, const std::vector<NatInRow>& in, bool wide) {
    std::string text;
    std::string last;
    std::vector<bool> shown(in.size());
    const auto show = [&](std::size_t i) {
        if (shown[i]) return;
        shown[i] = true;
        if (in[i].reached || wide) text += text_of(in[i]);
    };
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto& row = out[i];
        if (const auto now = heading(row); now != last) {
            text += (text.empty() ? "" : "\n") + now + "\n";
            last = now;
        }
        text += text_of(row);
        const bool is_last = i + 1 == out.size() || heading(out[i + 1]) != last;
        if (!is_last) continue;
        for (std::size_t j = 0; j < in.size(); ++j) {
            // A target's heading is that of both its families, a network's of one subnet's.
            const bool its = row.target.empty() ? in[j].family == row.family : in[j].target == row.target;
            if (its && in[j].network == row.network) show(j);
        }
    }
    bool more = false;
    for (std::size_t j = 0; j < in.size(); ++j) {
        if (!shown[j] && !more && (in[j].reached || wide)) {
            text += std::string(text.empty() ? "" : "\n") + "other rules\n";
            more = true;
        }
        show(j);
    }
    return text.empty() ? "nothing is translated\n" : text;
}

}  // namespace netlab::cli::nat_text
