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
