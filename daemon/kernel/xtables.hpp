#pragma once

#include "common/address.hpp"
#include "daemon/kernel/nftables.hpp"

#include <array>

/// The tables of iptables-legacy (net/ipv4/netfilter/ip_tables.c, net/ipv6/netfilter/ip6_tables.c): one block
/// of bytes with all rules of a table, each with offsets to its parts. Root in the namespace wrote it; the
/// kernel has checked it, and it is checked again here.
namespace netlab::kernel {

/// One table as bytes.
struct XtBytes {
    std::array<std::uint32_t, 5> hook_entry{};  ///< offset of the first rule of each NF_INET_ hook
    std::uint32_t valid_hooks = 0;              ///< bits 1 << NF_INET_
    std::vector<std::byte> entries;
    bool too_large = false;  ///< more than 8 MiB: not read
    Family family = Family::ipv4;
};

/// For `prepare`, with CAP_NET_ADMIN: the family's table of that name ("nat") in the calling thread's network
/// namespace; nullopt where it has none. The kernel makes a table for whoever asks for it, so it is asked
/// only where /proc says that there is one. errc::operation_failed.
[[nodiscard]] Result<std::optional<XtBytes>> read_xt_table(const char* name, Family family = Family::ipv4);

/// The two halves of it, for who may open neither files nor sockets when he reads it: whether there is one,
/// the socket to ask by, and what the namespace of that has now.
[[nodiscard]] bool has_xt_table(const char* name, Family family);
[[nodiscard]] Result<UniqueFd> open_xt_socket(Family family);
[[nodiscard]] Result<XtBytes> read_xt_table(int socket, const char* name, Family family);

/// A rule's conditions on IPv6 addresses.
struct XtIp6 {
    std::array<std::uint8_t, 16> source{};
    std::array<std::uint8_t, 16> source_mask{};
    std::array<std::uint8_t, 16> destination{};
    std::array<std::uint8_t, 16> destination_mask{};
    friend bool operator==(const XtIp6&, const XtIp6&) = default;
};

/// A rule's conditions on IPv4 addresses, interfaces and the protocol.
struct XtIp {
    std::array<std::uint8_t, 4> source{};
    std::array<std::uint8_t, 4> source_mask{};
    std::array<std::uint8_t, 4> destination{};
    std::array<std::uint8_t, 4> destination_mask{};
    std::string input;           ///< "" any; a '+' at its end where it is a prefix
    std::string output;          ///< the same
    std::uint16_t protocol = 0;  ///< 0 any
    std::uint8_t flags = 0;      ///< IPT_F_
    std::uint8_t inverted = 0;   ///< IPT_INV_
    friend bool operator==(const XtIp&, const XtIp&) = default;
};

struct XtRule {
    std::string chain;
    std::uint32_t number = 0;  ///< its place in the chain, from 1
    XtIp ip;                   ///< of IPv6's without addresses, and its flags are IP6T_F_
    std::optional<XtIp6> ip6;  ///< of an IPv6 table
    std::vector<XtExtension> matches;
    XtExtension target;        ///< its name is "" of the verdicts below
    std::int32_t verdict = 0;  ///< NF_ACCEPT, NF_DROP, XT_RETURN as NFT_RETURN; NFT_JUMP and NFT_GOTO
    std::string jump;          ///< chain
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    friend bool operator==(const XtRule&, const XtRule&) = default;
};

struct XtChain {
    std::string name;                   ///< "OUTPUT" of a hook's
    std::optional<std::uint32_t> hook;  ///< NF_INET_
    friend bool operator==(const XtChain&, const XtChain&) = default;
};

struct XtTable {
    std::vector<XtChain> chains;
    std::vector<XtRule> rules;  ///< in their order; the last of a hook's chain is its policy
};

/// nullopt where the bytes are not whole.
[[nodiscard]] std::optional<XtTable> parse_xt_table(const XtBytes& bytes);

}  // namespace netlab::kernel
