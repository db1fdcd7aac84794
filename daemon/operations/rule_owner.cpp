#include "daemon/operations/rule_owner.hpp"

#include <algorithm>
#include <array>

namespace netlab::operations {

namespace {

struct Mark {
    std::string_view begin;
    std::string_view owner;
};

/// How chains begin that programs make by iptables.
constexpr std::array chain_marks{
    Mark{"DOCKER-", "docker"},     Mark{"DOCKER_", "docker"},   Mark{"NETAVARK", "podman"},
    Mark{"CNI-", "podman"},        Mark{"KUBE-", "kubernetes"}, Mark{"ufw-", "ufw"},
    Mark{"ufw6-", "ufw"},          Mark{"LIBVIRT_", "libvirt"}, Mark{"f2b-", "fail2ban"},
    Mark{"fail2ban-", "fail2ban"}, Mark{"ts-", "tailscale"},    Mark{"cali-", "calico"},
    Mark{"CILIUM_", "cilium"},     Mark{"FLANNEL-", "flannel"}, Mark{"WEAVE", "weave"},
};

/// How tables begin that programs make in nf_tables.
constexpr std::array table_marks{
    Mark{"docker-bridges", "docker"}, Mark{"netavark", "podman"},         Mark{"firewalld", "firewalld"},
    Mark{"kube-proxy", "kubernetes"}, Mark{"libvirt_network", "libvirt"}, Mark{"f2b-", "fail2ban"},
    Mark{"netlab", "netlab"},         Mark{"crowdsec", "crowdsec"},
};

template <std::size_t size>
std::string find_mark(const std::array<Mark, size>& marks, std::string_view name) {
    const auto found =
        std::ranges::find_if(marks, [&](const Mark& mark) { return name.starts_with(mark.begin); });
    return found == marks.end() ? std::string() : std::string(found->owner);
}

/// Of a chain that iptables did not bring along.
std::string owner_by_name(std::string_view chain) {
    return chain == "DOCKER" ? "docker" : find_mark(chain_marks, chain);
}

/// As Docker names its bridges where nobody has named them: "docker0", "br-0123456789ab".
bool is_dockers_bridge(std::string_view name) {
    constexpr std::string_view hex = "0123456789abcdef";
    constexpr std::size_t id = 12;
    return name == "docker0" || (name.size() == 3 + id && name.starts_with("br-") &&
                                 name.find_first_not_of(hex, 3) == std::string_view::npos);
}

std::string replace_all(std::string text, std::string_view what, std::string_view by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
    return text;
}

/// What Docker writes for a bridge into chains of iptables' own (setupIPTablesInternal() in
/// libnetwork/drivers/bridge/setup_ip_tables.go), in nft's words; a bridge of a name that an administrator
/// gave is not recognised.
bool is_dockers_own(const std::string& table, const std::string& chain, const std::string& text) {
    const auto begin = text.find('"');
    const auto end = text.find('"', begin + 1);
    if (begin == std::string::npos || end == std::string::npos) return false;
    const auto bridge = text.substr(begin, end - begin + 1);
    if (!is_dockers_bridge(std::string_view(bridge).substr(1, bridge.size() - 2))) return false;
    const auto shape = replace_all(text, bridge, "BRIDGE");
    if (table == "filter" && chain == "FORWARD") {
        constexpr std::array<std::string_view, 4> shapes{
            "oifname BRIDGE ct state related,established accept", "iifname BRIDGE oifname != BRIDGE accept",
            "iifname BRIDGE oifname BRIDGE accept", "iifname BRIDGE oifname BRIDGE drop"};
        return std::ranges::find(shapes, shape) != shapes.end();
    }
    if (table != "nat" || chain != "POSTROUTING" || !shape.ends_with(" masquerade")) return false;
    constexpr std::array<std::string_view, 2> of_network{"oifname != BRIDGE ip saddr ",
                                                         "oifname != BRIDGE ip6 saddr "};
    return std::ranges::any_of(of_network, [&](std::string_view start) {
        return shape.starts_with(start) && std::ranges::count(shape.substr(start.size()), ' ') == 1;
    });
}

bool is_jump(RuleBackend backend, std::string_view word) {
    if (backend == RuleBackend::iptables_legacy) return word == "-j" || word == "-g";
    return word == "jump" || word == "goto";
}

}  // namespace

std::string table_owner(const TableText& table) {
    return table.backend == RuleBackend::nft ? find_mark(table_marks, table.name) : std::string();
}

std::string chain_owner(const TableText& table, const ChainText& chain) {
    if (table.backend == RuleBackend::nft) return table_owner(table);
    return chain.hook ? "iptables" : owner_by_name(chain.name);
}

std::string rule_owner(const TableText& table, const ChainText& chain, const RuleText& rule) {
    if (table.backend == RuleBackend::nft) return table_owner(table);
    if (chain.name == "DOCKER-USER") return {};
    if (!chain.hook) return owner_by_name(chain.name);
    if (is_dockers_own(table.name, chain.name, rule.text)) return "docker";
    const auto jumps = jumps_of(table.backend, rule.text);
    return jumps.empty() ? std::string() : owner_by_name(jumps.front());
}

std::vector<std::string> programs_behind(const kernel::RuleChain& chain) {
    std::vector<std::string> out;
    for (const auto& rule : chain.rules) {
        for (const auto& next : kernel::next_chains(rule)) {
            auto owner = owner_by_names({}, next);
            if (!owner.empty() && std::ranges::find(out, owner) == out.end()) out.push_back(std::move(owner));
        }
    }
    return out;
}

std::string owner_by_names(std::string_view table, std::string_view chain) {
    if (chain == "DOCKER-USER") return {};
    auto owner = owner_by_name(chain);
    return owner.empty() ? find_mark(table_marks, table) : owner;
}

std::vector<std::string> jumps_of(RuleBackend backend, std::string_view text) {
    std::vector<std::string> out;
    bool quoted = false;
    bool jumps = false;
    std::string word;
    const auto end_word = [&] {
        if (word.empty()) return;
        if (jumps) out.push_back(word);
        jumps = !jumps && is_jump(backend, word);
        word.clear();
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '\\') {
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
            word.clear();
        } else if (!quoted && (c == ' ' || c == ',' || c == '\n')) {
            end_word();
        } else if (!quoted) {
            word += c;
        }
    }
    end_word();
    return out;
}

std::string iptables_program(std::string_view family, std::string_view table) {
    constexpr std::array<std::string_view, 5> tables{"raw", "mangle", "nat", "filter", "security"};
    if (std::ranges::find(tables, table) == tables.end()) return {};
    return family == "ip" ? "iptables-nft" : family == "ip6" ? "ip6tables-nft" : "";
}

}  // namespace netlab::operations
