#include "daemon/operations/embedded_resolver.hpp"

#include "daemon/kernel/packet_rule.hpp"
#include "daemon/kernel/sock_diag.hpp"
#include "daemon/operations/embedded_explanation.hpp"

#include <algorithm>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <netinet/tcp.h>

namespace netlab::operations {

namespace {

using kernel::RuleAction;
using kernel::RuleChain;

constexpr std::uint16_t dns_port = 53;

struct Protocol {
    const char* name;
    std::uint8_t number;
    std::uint32_t states;  ///< of a socket that takes questions
};
constexpr Protocol protocols[] = {{"udp", IPPROTO_UDP, 1U << TCP_CLOSE},
                                  {"tcp", IPPROTO_TCP, 1U << TCP_LISTEN}};

struct Socket {
    IpAddress address;
    std::uint16_t port = 0;
    std::uint64_t inode = 0;
    std::uint32_t uid = 0;
};

IpAddress local_address(const kernel::InetSocket& socket) {
    return IpAddress::from_bytes(std::span(socket.local).first(4));
}

/// Those that IPv4 questions may come to.
Result<std::vector<Socket>> listening(int diag, const Protocol& protocol) {
    std::vector<Socket> out;
    kernel::InetQuery query;
    query.family = AF_INET;
    query.protocol = protocol.number;
    query.states = protocol.states;
    const auto end = kernel::dump_inet_sockets(diag, query, [&](const kernel::InetSocket& socket) {
        constexpr std::size_t most = 10'000;
        if ((protocol.states & (1U << socket.state)) == 0 || out.size() >= most) return;
        out.push_back({local_address(socket), socket.local_port, socket.inode, socket.uid});
    });
    if (!end) return end.error();
    return out;
}

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

std::string endpoint(const IpAddress& address, std::uint16_t port) {
    return address.to_string() + ":" + std::to_string(port);
}

class Reading {
  public:
    Reading(const std::vector<RuleChain>& chains, const kernel::SocketHolders& holders)
        : chains_(chains), holders_(holders), address_(*IpAddress::parse(embedded_address)) {}

    Result<void> path(const Protocol& protocol, int diag, api::EmbeddedResolverRow& row) const {
        const auto sockets = listening(diag, protocol);
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
                out.to = endpoint(to_address, to_port);
            }
        }
        for (const auto& socket : *sockets) {
            const bool there =
                socket.port == to_port && (socket.address == to_address || socket.address.is_unspecified());
            if (there && !out.socket) {
                out.socket = owned(socket);
            } else if (socket.address == address_) {
                constexpr std::size_t most = 16;
                if (out.listening.size() < most)
                    out.listening.push_back(endpoint(socket.address, socket.port));
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
    [[nodiscard]] api::ResolvSocket owned(const Socket& socket) const {
        api::ResolvSocket out{socket.inode, socket.uid, {}};
        const auto holders = holders_.of(socket.inode);
        if (!holders.empty()) {
            const auto& process = holders_.process(holders.front());
            out.owner = {process.host_pid, process.name, holders.front().fd};
        }
        return out;
    }

    const std::vector<RuleChain>& chains_;
    const kernel::SocketHolders& holders_;
    IpAddress address_;
};

}  // namespace

Result<EmbeddedResolver> EmbeddedResolver::open() {
    auto diag = kernel::open_sock_diag_socket();
    if (!diag) return diag.error();
    return EmbeddedResolver(kernel::NftTables::ask(NFPROTO_UNSPEC), kernel::read_xt_table("nat"),
                            std::move(*diag));
}

Result<api::EmbeddedResolverRow> EmbeddedResolver::read(const kernel::SocketHolders& holders) {
    api::EmbeddedResolverRow row;
    std::vector<RuleChain> chains;
    bool complete = true;
    bool any = false;
    if (nft_) {
        // A kernel without nf_tables says so here.
        if (const auto content = nft_->read()) {
            chains = kernel::rule_chains(*content);
            complete = content->complete;
            any = true;
        }
    }
    if (!legacy_ || (*legacy_ && (*legacy_)->too_large)) {
        complete = false;
    } else if (*legacy_) {
        const auto table = kernel::parse_xt_table(**legacy_);
        complete = complete && table.has_value();
        if (table) {
            auto more = kernel::rule_chains(*table, "nat");
            std::ranges::move(more, std::back_inserter(chains));
            any = true;
        }
    }
    row.rules_known = any && complete;
    const Reading reading(chains, holders);
    for (const auto& protocol : protocols) {
        if (auto read = reading.path(protocol, diag_.get(), row); !read) return read.error();
    }
    reading.source_rules(row);
    return row;
}

}  // namespace netlab::operations
