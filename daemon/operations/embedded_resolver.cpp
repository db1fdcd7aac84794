#include "daemon/operations/embedded_resolver.hpp"

#include "common/endpoint.hpp"
#include "daemon/kernel/netlink.hpp"
#include "daemon/kernel/packet_rule.hpp"
#include "daemon/operations/embedded_explanation.hpp"
#include "daemon/operations/resolver_sockets.hpp"

#include <algorithm>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

namespace {

using kernel::RuleAction;
using kernel::RuleChain;

api::ResolvRule described(const RuleChain& chain, const kernel::PacketRule& rule) {
    api::ResolvRule out;
    out.backend = chain.legacy ? "legacy" : "nft";
    out.table = chain.table;
    out.chain = chain.name;
    out.handle = rule.handle;
    out.number = rule.number;
    out.text = rule.to_string();
    out.packets = rule.packets;
    return out;
}

class Reading {
  public:
    Reading(const std::vector<RuleChain>& chains, const kernel::SocketHolders& holders)
        : chains_(chains), holders_(holders), address_(*IpAddress::parse(embedded_address)) {}

    Result<void> path(const ResolverProtocol& protocol, int diag, api::EmbeddedResolverRow& row) const {
        const auto sockets = listening_sockets(diag, protocol, Family::ipv4);
        if (!sockets) return sockets.error();
        auto& out = row.paths.emplace_back();
        out.protocol = protocol.name;
        // The source is what the kernel takes for a packet to a loopback address.
        constexpr std::uint16_t any_port = 40'000;
        const auto decision =
            kernel::find_nat(chains_, NF_INET_LOCAL_OUT,
                             {*IpAddress::parse("127.0.0.1"), address_, protocol.number, any_port, dns_port});
        row.uncertain = row.uncertain || decision.uncertain;
        auto to_address = address_;
        auto to_port = dns_port;
        if (decision.rule != nullptr) {
            out.rule = described(*decision.chain, *decision.rule);
            if (decision.rule->action == RuleAction::dnat || decision.rule->action == RuleAction::redirect) {
                to_address = decision.rule->to_address.value_or(address_);
                to_port = decision.rule->to_port.value_or(dns_port);
                out.to = endpoint_text(to_address, to_port);
            }
        }
        for (const auto& socket : *sockets) {
            if (takes(socket, to_address, to_port) && !out.socket) {
                out.socket = owned(socket, holders_);
            } else if (socket.address == address_) {
                constexpr std::size_t most = 16;
                if (out.listening.size() < most)
                    out.listening.push_back(endpoint_text(socket.address, socket.port));
            }
        }
        return {};
    }

    /// What the resolver sends from its port is to come from port 53.
    void source_rules(api::EmbeddedResolverRow& row) const {
        for (const auto& chain : chains_) {
            for (const auto& rule : chain.rules) {
                constexpr std::size_t most = 16;
                const bool its = rule.action == RuleAction::snat && rule.source && !rule.source->inverted &&
                                 rule.source->value.length() == 32 &&
                                 rule.source->value.address() == address_;
                if (its && row.source_rules.size() < most) row.source_rules.push_back(described(chain, rule));
            }
        }
    }

  private:
    const std::vector<RuleChain>& chains_;
    const kernel::SocketHolders& holders_;
    IpAddress address_;
};

}  // namespace

KnownRules known_rules(const Result<kernel::NftTables::Content>& nft,
                       const Result<std::optional<kernel::XtBytes>>& legacy) {
    KnownRules out;
    // What was not read may be the very rules.
    out.known = nft && legacy && (nft->supported || *legacy);
    if (nft) {
        out.chains = kernel::rule_chains(*nft);
        out.known = out.known && nft->complete;
    }
    if (!legacy || !*legacy) return out;
    const auto table = (*legacy)->too_large ? std::nullopt : kernel::parse_xt_table(**legacy);
    out.known = out.known && table;
    if (!table) return out;
    auto more = kernel::rule_chains(*table, "nat");
    std::ranges::move(more, std::back_inserter(out.chains));
    return out;
}

Result<EmbeddedResolver> EmbeddedResolver::open() {
    auto diag = kernel::open_sock_diag_socket();
    if (!diag) return diag.error();
    return EmbeddedResolver(kernel::NftTables::ask(NFPROTO_UNSPEC), kernel::read_xt_table("nat"),
                            std::move(*diag));
}

Result<api::EmbeddedResolverRow> EmbeddedResolver::read(const kernel::SocketHolders& holders) {
    api::EmbeddedResolverRow row;
    row.address = embedded_address;
    const auto rules = known_rules(nft_ ? nft_->read() : nft_.error(), legacy_);
    row.rules_known = rules.known;
    const Reading reading(rules.chains, holders);
    for (const auto& protocol : resolver_protocols()) {
        if (auto read = reading.path(protocol, diag_.get(), row); !read) return read.error();
    }
    reading.source_rules(row);
    return row;
}

}  // namespace netlab::operations
