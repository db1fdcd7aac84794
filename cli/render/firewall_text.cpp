#include "cli/render/firewall_text.hpp"

#include "cli/render/escape.hpp"

#include <algorithm>
#include <array>

namespace netlab::cli {

namespace {

std::string padded(const std::string& text, std::size_t width) {
    return std::string(width - std::min(width, text.size()), ' ') + text;
}

std::string number_text(const std::optional<std::uint64_t>& number) {
    return number ? std::to_string(*number) : "-";
}

std::string_view backend_text(api::RuleBackend backend) {
    switch (backend) {
        case api::RuleBackend::iptables_nft:
            return "iptables-nft";
        case api::RuleBackend::iptables_legacy:
            return "iptables-legacy";
        case api::RuleBackend::nft:
            break;
    }
    return "nft";
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words)
        out += (out.empty() ? "" : ", ") + word;
    return out;
}

/// "hook input, priority filter - 10 (-10), policy drop", or who jumps to it.
std::string place_text(const api::FirewallChain& chain, bool counters) {
    if (!chain.hook) return chain.from.empty() ? "unused: nobody jumps to it" : "from " + joined(chain.from);
    std::string text = "hook " + *chain.hook;
    if (chain.kind && *chain.kind != "filter") text = *chain.kind + ", " + text;
    if (!chain.devices.empty()) text += " of " + joined(chain.devices);
    const auto number = std::to_string(chain.priority.value_or(0));
    const auto name = chain.priority_name.value_or(number);
    text += ", priority " + name + (name == number ? "" : " (" + number + ")");
    if (chain.policy) text += ", policy " + *chain.policy;
    if (counters && chain.packets)
        text += " (" + number_text(chain.packets) + " packets, " + number_text(chain.bytes) + " bytes)";
    return text;
}

/// Numbers to the right, the text last.
using Line = std::array<std::string, 4>;

std::string table_text(const std::vector<Line>& lines, bool counters) {
    std::array<std::size_t, 3> widths{};
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < widths.size(); ++i)
            widths[i] = std::max(widths[i], line[i].size());
    }
    std::string out;
    for (const auto& line : lines) {
        out += "  " + padded(line[0], widths[0]);
        for (std::size_t i = 1; counters && i < widths.size(); ++i)
            out += "  " + padded(line[i], widths[i]);
        out += "  " + line[3] + "\n";
    }
    return out;
}

}  // namespace

std::string firewall_chain_text(const api::FirewallChain& chain, const std::vector<api::FirewallRule>& rules,
                                bool counters) {
    std::string out = escape(chain.family + " " + chain.table + " " + chain.name) + ": " +
                      escape(place_text(chain, counters));
    out += "  [" + std::string(backend_text(chain.backend));
    if (!chain.owner.empty() && chain.owner != "iptables") out += ", " + escape(chain.owner);
    for (const auto& flag : chain.table_flags)
        out += ", " + escape(flag);
    out += "]\n";
    if (chain.comment) out += "  " + escape("\"" + *chain.comment + "\"") + "\n";
    if (rules.empty()) return out + "  no rules\n";
    const bool legacy = chain.backend == api::RuleBackend::iptables_legacy;
    std::vector<Line> lines{{legacy ? "NUMBER" : "HANDLE", "PACKETS", "BYTES", "RULE"}};
    for (const auto& rule : rules) {
        auto text = escape(rule.text);
        // What the chain's head does not say already.
        if (!rule.owner.empty() && rule.owner != chain.owner) text += "  [" + escape(rule.owner) + "]";
        lines.push_back({number_text(rule.handle ? rule.handle : std::optional<std::uint64_t>(rule.number)),
                         number_text(rule.packets), number_text(rule.bytes), std::move(text)});
    }
    return out + table_text(lines, counters);
}

std::string firewall_object_text(const api::FirewallObject& object) {
    auto out = escape(object.kind + " " + object.family + " " + object.table + " " + object.name);
    if (object.handle) out += "  # handle " + std::to_string(*object.handle);
    if (!object.owner.empty()) out += "  [" + escape(object.owner) + "]";
    out += '\n';
    for (std::string_view left = object.text; !left.empty();) {
        const auto line = left.substr(0, left.find('\n'));
        left.remove_prefix(std::min(left.size(), line.size() + 1));
        out += "  " + escape(line) + "\n";
    }
    return out;
}

}  // namespace netlab::cli
