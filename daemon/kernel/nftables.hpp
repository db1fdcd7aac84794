#pragma once

#include "daemon/kernel/netlink.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// What nf_tables has (NETLINK_NETFILTER, net/netfilter/nf_tables_api.c), as far as netlab looks at it.
/// Chains and rules are written by whoever is root in a namespace: every length and name of theirs is
/// hostile.
namespace netlab::kernel {

/// A register as its first 32-bit word: NFT_REG_1 and NFT_REG32_00 are both 0. Verdicts have none.
using NftRegister = std::uint32_t;

/// Loads `length` bytes of the packet.
struct NftPayload {
    NftRegister to = 0;
    std::uint32_t base = 0;  ///< NFT_PAYLOAD_…_HEADER
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    friend bool operator==(const NftPayload&, const NftPayload&) = default;
};
/// Loads something about the packet.
struct NftMeta {
    NftRegister to = 0;
    std::uint32_t key = 0;  ///< NFT_META_
    friend bool operator==(const NftMeta&, const NftMeta&) = default;
};
/// to = from & mask ^ exclusive
struct NftBitwise {
    NftRegister from = 0;
    NftRegister to = 0;
    std::vector<std::byte> mask;
    std::vector<std::byte> exclusive;
    friend bool operator==(const NftBitwise&, const NftBitwise&) = default;
};
/// to = from with each `size` bytes in the other order
struct NftByteOrder {
    NftRegister from = 0;
    NftRegister to = 0;
    std::uint32_t length = 0;
    std::uint32_t size = 0;
    friend bool operator==(const NftByteOrder&, const NftByteOrder&) = default;
};
/// Ends the rule unless it holds.
struct NftCompare {
    NftRegister from = 0;
    std::uint32_t op = 0;  ///< NFT_CMP_
    std::vector<std::byte> data;
    friend bool operator==(const NftCompare&, const NftCompare&) = default;
};
/// Ends the rule unless the register is, or with `outside` is not, between both.
struct NftRange {
    NftRegister from = 0;
    bool outside = false;
    std::vector<std::byte> first;
    std::vector<std::byte> last;
    friend bool operator==(const NftRange&, const NftRange&) = default;
};
struct NftImmediate {
    NftRegister to = 0;
    std::vector<std::byte> data;
    friend bool operator==(const NftImmediate&, const NftImmediate&) = default;
};
struct NftVerdict {
    std::int32_t code = 0;  ///< NF_ACCEPT, NFT_JUMP, …
    std::string chain;      ///< of a jump or goto
    friend bool operator==(const NftVerdict&, const NftVerdict&) = default;
};
struct NftLookup {
    NftRegister from = 0;
    std::string set;
    bool inverted = false;          ///< it must not be there
    bool decides = false;           ///< a map of verdicts
    std::optional<NftRegister> to;  ///< of another map: what it found
    friend bool operator==(const NftLookup&, const NftLookup&) = default;
};
/// Loads what the routing tables say of an address.
struct NftFib {
    NftRegister to = 0;
    std::uint32_t result = 0;  ///< NFT_FIB_RESULT_
    std::uint32_t flags = 0;   ///< NFTA_FIB_F_: of which address, and what else counts
    friend bool operator==(const NftFib&, const NftFib&) = default;
};
/// Loads what conntrack knows.
struct NftConntrack {
    NftRegister to = 0;
    std::uint32_t key = 0;  ///< NFT_CT_
    friend bool operator==(const NftConntrack&, const NftConntrack&) = default;
};
struct NftNat {
    std::uint32_t type = 0;              ///< NFT_NAT_SNAT or NFT_NAT_DNAT
    std::uint32_t family = 0;            ///< NFPROTO_
    std::optional<NftRegister> address;  ///< the first of the range
    std::optional<NftRegister> port;
    friend bool operator==(const NftNat&, const NftNat&) = default;
};
/// DNAT to the host itself.
struct NftRedirect {
    std::optional<NftRegister> port;  ///< the first of the range; absent: it stays
    friend bool operator==(const NftRedirect&, const NftRedirect&) = default;
};
struct NftCounter {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    friend bool operator==(const NftCounter&, const NftCounter&) = default;
};
/// A match or a target of x_tables, which iptables-nft uses where nf_tables has no words of its own; also
/// what iptables-legacy's rules are made of.
struct XtExtension {
    std::string name;  ///< "udp", "DNAT"
    std::uint32_t revision = 0;
    std::vector<std::byte> info;  ///< its struct, as <linux/netfilter/xt_….h> has it
    friend bool operator==(const XtExtension&, const XtExtension&) = default;
};
struct NftMatch : XtExtension {
    friend bool operator==(const NftMatch&, const NftMatch&) = default;
};
struct NftTarget : XtExtension {
    friend bool operator==(const NftTarget&, const NftTarget&) = default;
};
/// One that is not taken apart: "masq", "limit", "reject", …
/// `ct zone set`.
struct NftSetZone {
    NftRegister from = 0;
    std::optional<std::uint8_t> direction;  ///< IP_CT_DIR_; absent: both
    friend bool operator==(const NftSetZone&, const NftSetZone&) = default;
};

struct NftOther {
    std::string name;
    friend bool operator==(const NftOther&, const NftOther&) = default;
};

using NftExpression = std::variant<NftPayload, NftMeta, NftBitwise, NftByteOrder, NftCompare, NftRange,
                                   NftImmediate, NftVerdict, NftLookup, NftFib, NftConntrack, NftRedirect,
                                   NftNat, NftCounter, NftMatch, NftTarget, NftSetZone, NftOther>;

struct NftHook {
    std::uint32_t number = 0;  ///< NF_INET_, NF_BR_ or NF_NETDEV_
    std::int32_t priority = 0;
    std::vector<std::string> devices{};  ///< of ingress and egress; "veth*" where it is how names begin
    friend bool operator==(const NftHook&, const NftHook&) = default;
};

struct NftTable {
    std::uint8_t family = 0;  ///< NFPROTO_
    std::string name;
    std::uint32_t flags = 0;               ///< NFT_TABLE_F_
    std::optional<std::uint32_t> owner{};  ///< netlink port of the program that alone may change it
    friend bool operator==(const NftTable&, const NftTable&) = default;
};

struct NftChain {
    std::uint8_t family = 0;  ///< NFPROTO_
    std::string table;
    std::string name;
    std::uint64_t handle = 0;
    std::optional<NftHook> hook;          ///< of a base chain
    std::string type;                     ///< of a base chain: "nat", "filter", "route"
    std::optional<std::uint32_t> policy;  ///< of a base chain: NF_ACCEPT or NF_DROP
    friend bool operator==(const NftChain&, const NftChain&) = default;
};

struct NftRule {
    std::uint8_t family = 0;
    std::string table;
    std::string chain;
    std::uint64_t handle = 0;
    std::vector<NftExpression>
        expressions;      ///< in their order; empty ones and those without a name are left out
    std::string comment;  ///< nft's own; iptables has a match for it
    friend bool operator==(const NftRule&, const NftRule&) = default;
};

/// One of a set or map that rules look things up in.
struct NftElement {
    std::vector<std::byte> key;         ///< empty: it stands for all that no other has
    std::vector<std::byte> key_end;     ///< of a concatenation with ranges: the last; otherwise empty
    bool interval_end = false;          ///< of a set of intervals: the first key behind one
    std::optional<NftVerdict> verdict;  ///< of a map of verdicts
    bool conditional = false;           ///< it has a limit, a quota, …: whether it matches is not known
    friend bool operator==(const NftElement&, const NftElement&) = default;
};

struct NftSet {
    std::uint8_t family = 0;  ///< NFPROTO_
    std::string table;
    std::string name;
    std::uint32_t flags = 0;       ///< NFT_SET_
    std::uint32_t key_length = 0;  ///< bytes
    std::vector<std::uint32_t>
        fields;  ///< of a concatenation: the length of each in bytes; each takes whole registers of four
    std::vector<NftElement> elements;
    bool complete = false;  ///< false: not all elements are there
    bool sorted = false;    ///< by their keys: look_up() need not go through them all
    friend bool operator==(const NftSet&, const NftSet&) = default;
};

/// The NFT_MSG_NEWTABLE, NFT_MSG_NEWCHAIN and NFT_MSG_NEWRULE messages among `bytes`, in the kernel's order,
/// which is that of the rules in their chain. What has no table, chain or name is left out.
[[nodiscard]] std::vector<NftTable> parse_nft_tables(std::span<const std::byte> bytes);
[[nodiscard]] std::vector<NftChain> parse_nft_chains(std::span<const std::byte> bytes);
[[nodiscard]] std::vector<NftRule> parse_nft_rules(std::span<const std::byte> bytes);

/// Tables, chains and rules of one family, asked for while CAP_NET_ADMIN is there and read when it is not:
/// nfnetlink checks the capability when a request is sent only.
class NftTables {
  public:
    /// `family`: NFPROTO_IPV4, … errc::operation_failed.
    [[nodiscard]] static Result<NftTables> ask(std::uint8_t family);
    /// And what sets and maps have. Their elements can be asked for by name only, so what the kernel says of
    /// sets is taken apart here already, with the capability at hand: not for a container's namespace. The
    /// dump of rules has begun by then and ends in read(), so it says of a change in between, too.
    [[nodiscard]] static Result<NftTables> ask_with_sets(std::uint8_t family);

    struct Content {
        std::vector<NftChain> chains;
        std::vector<NftRule> rules;
        bool supported = true;  ///< false: the kernel has no nf_tables
        bool complete = true;  ///< false: they changed meanwhile, or there are more than `most` bytes of them
        std::vector<std::shared_ptr<const NftSet>> sets{};  ///< of ask_with_sets()
        std::vector<NftTable> tables{};
    };
    /// Once. errc as read_dump().
    [[nodiscard]] Result<Content> read();

    /// Of rules. They cost several times as much as structs.
    static constexpr std::size_t most = 8 << 20;
    /// Bytes of elements, of all sets together.
    static constexpr std::size_t most_elements = 4 << 20;

  private:
    struct Pending {
        UniqueFd socket;
        std::uint32_t sequence = 0;
    };
    [[nodiscard]] static Result<Pending> send(std::uint8_t message, std::uint8_t family);
    [[nodiscard]] static Result<std::vector<std::byte>> receive(const Pending& pending, Content& content);

    Pending tables_;
    Pending chains_;
    Pending rules_;
    std::vector<std::pair<NftSet, std::vector<std::byte>>> sets_;  ///< and the messages with their elements
};

}  // namespace netlab::kernel
