#include "daemon/kernel/nftables.hpp"

#include "daemon/kernel/nft_attributes.hpp"
#include "daemon/kernel/nft_set.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

namespace netlab::kernel {

namespace {

using namespace nft_attributes;

NftRegister register_of(Bytes value) {
    const auto reg = number(value);
    if (reg >= NFT_REG32_00) return reg - NFT_REG32_00;
    return reg == NFT_REG_VERDICT ? 0 : (reg - NFT_REG_1) * (NFT_REG_SIZE / NFT_REG32_SIZE);
}

/// What is not longer than the kernel allows a value to be.
std::vector<std::byte> copy(Bytes value, std::size_t most = 64) {
    const auto kept = value.first(std::min(value.size(), most));
    return {kept.begin(), kept.end()};
}

NftExpression parse_payload(Bytes data) {
    NftPayload out;
    bool loads = false;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_PAYLOAD_DREG) {
            out.to = register_of(value);
            loads = true;
        }
        if (type == NFTA_PAYLOAD_BASE) out.base = number(value);
        if (type == NFTA_PAYLOAD_OFFSET) out.offset = number(value);
        if (type == NFTA_PAYLOAD_LEN) out.length = number(value);
    });
    if (!loads) return NftOther{"payload"};  // it writes to the packet
    return out;
}

NftExpression parse_meta(Bytes data) {
    NftMeta out;
    bool loads = false;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_META_DREG) {
            out.to = register_of(value);
            loads = true;
        }
        if (type == NFTA_META_KEY) out.key = number(value);
    });
    if (!loads) return NftOther{out.key == NFT_META_MARK ? "meta mark" : "meta"};  // it sets something
    return out;
}

NftExpression parse_bitwise(Bytes data) {
    NftBitwise out;
    std::uint32_t op = NFT_BITWISE_BOOL;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_BITWISE_SREG) out.from = register_of(value);
        if (type == NFTA_BITWISE_DREG) out.to = register_of(value);
        if (type == NFTA_BITWISE_MASK) out.mask = data_value(value);
        if (type == NFTA_BITWISE_XOR) out.exclusive = data_value(value);
        if (type == NFTA_BITWISE_OP) op = number(value);
    });
    if (op != NFT_BITWISE_BOOL) return NftOther{"bitwise"};
    return out;
}

NftExpression parse_byte_order(Bytes data) {
    NftByteOrder out;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_BYTEORDER_SREG) out.from = register_of(value);
        if (type == NFTA_BYTEORDER_DREG) out.to = register_of(value);
        if (type == NFTA_BYTEORDER_LEN) out.length = number(value);
        if (type == NFTA_BYTEORDER_SIZE) out.size = number(value);
    });
    return out;
}

NftExpression parse_compare(Bytes data) {
    NftCompare out;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_CMP_SREG) out.from = register_of(value);
        if (type == NFTA_CMP_OP) out.op = number(value);
        if (type == NFTA_CMP_DATA) out.data = data_value(value);
    });
    return out;
}

NftExpression parse_range(Bytes data) {
    NftRange out;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_RANGE_SREG) out.from = register_of(value);
        if (type == NFTA_RANGE_OP) out.outside = number(value) == NFT_RANGE_NEQ;
        if (type == NFTA_RANGE_FROM_DATA) out.first = data_value(value);
        if (type == NFTA_RANGE_TO_DATA) out.last = data_value(value);
    });
    return out;
}

NftExpression parse_immediate(Bytes data) {
    NftImmediate out;
    std::optional<NftVerdict> verdict;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_IMMEDIATE_DREG) out.to = register_of(value);
        if (type != NFTA_IMMEDIATE_DATA) return;
        for_each_attribute(value, [&](int inner_type, Bytes inner) {
            if (inner_type == NFTA_DATA_VALUE) out.data = copy(inner);
            if (inner_type == NFTA_DATA_VERDICT) verdict = parse_verdict(inner);
        });
    });
    if (verdict) return std::move(*verdict);
    return out;
}

NftExpression parse_lookup(Bytes data) {
    NftLookup out;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_LOOKUP_SREG) out.from = register_of(value);
        if (type == NFTA_LOOKUP_SET) out.set = text(value);
        if (type == NFTA_LOOKUP_FLAGS) out.inverted = (number(value) & NFT_LOOKUP_F_INV) != 0;
        if (type != NFTA_LOOKUP_DREG) return;
        out.decides = number(value) == NFT_REG_VERDICT;
        if (!out.decides) out.to = register_of(value);
    });
    return out;
}

NftExpression parse_fib(Bytes data) {
    NftFib out;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_FIB_DREG) out.to = register_of(value);
        if (type == NFTA_FIB_RESULT) out.result = number(value);
        if (type == NFTA_FIB_FLAGS) out.flags = number(value);
    });
    return out;
}

NftExpression parse_conntrack(Bytes data) {
    NftConntrack out;
    NftSetZone zone;
    bool loads = false;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_CT_DREG) {
            out.to = register_of(value);
            loads = true;
        }
        if (type == NFTA_CT_KEY) out.key = number(value);
        if (type == NFTA_CT_SREG) zone.from = register_of(value);
        if (type == NFTA_CT_DIRECTION && !value.empty())
            zone.direction = std::to_integer<std::uint8_t>(value.front());
    });
    if (!loads && out.key == NFT_CT_ZONE) return zone;
    if (!loads) return NftOther{"ct set"};
    return out;
}

NftExpression parse_nat(Bytes data) {
    NftNat out;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_NAT_TYPE) out.type = number(value);
        if (type == NFTA_NAT_FAMILY) out.family = number(value);
        if (type == NFTA_NAT_REG_ADDR_MIN) out.address = register_of(value);
        if (type == NFTA_NAT_REG_PROTO_MIN) out.port = register_of(value);
    });
    return out;
}

NftExpression parse_redirect(Bytes data) {
    NftRedirect out;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_REDIR_REG_PROTO_MIN) out.port = register_of(value);
    });
    return out;
}

/// An object with a name: one that only counts, or that tells conntrack or others something, lets the rule go
/// on.
NftExpression parse_object(Bytes data) {
    std::uint32_t kind = NFT_OBJECT_UNSPEC;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_OBJREF_IMM_TYPE) kind = number(value);
    });
    switch (kind) {
        case NFT_OBJECT_COUNTER:
        case NFT_OBJECT_CT_HELPER:
        case NFT_OBJECT_CT_TIMEOUT:
        case NFT_OBJECT_SECMARK:
            return NftCounter{};
        default:
            return NftOther{"objref"};
    }
}

NftExpression parse_counter(Bytes data) {
    NftCounter out;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_COUNTER_PACKETS) out.packets = big_endian<std::uint64_t>(value);
        if (type == NFTA_COUNTER_BYTES) out.bytes = big_endian<std::uint64_t>(value);
    });
    return out;
}

/// NFTA_MATCH_ and NFTA_TARGET_ are numbered alike.
template <class Extension>
NftExpression parse_extension(Bytes data) {
    static_assert(int{NFTA_MATCH_NAME} == NFTA_TARGET_NAME && int{NFTA_MATCH_REV} == NFTA_TARGET_REV &&
                  int{NFTA_MATCH_INFO} == NFTA_TARGET_INFO);
    constexpr std::size_t longest = 1024;
    Extension out;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_MATCH_NAME) out.name = text(value);
        if (type == NFTA_MATCH_REV) out.revision = number(value);
        if (type == NFTA_MATCH_INFO) out.info = copy(value, longest);
    });
    return out;
}

struct Parser {
    std::string_view name;
    NftExpression (*parse)(Bytes);
};
constexpr Parser parsers[] = {
    {"payload", parse_payload},
    {"meta", parse_meta},
    {"bitwise", parse_bitwise},
    {"byteorder", parse_byte_order},
    {"cmp", parse_compare},
    {"range", parse_range},
    {"immediate", parse_immediate},
    {"lookup", parse_lookup},
    {"fib", parse_fib},
    {"ct", parse_conntrack},
    {"nat", parse_nat},
    {"redir", parse_redirect},
    {"objref", parse_object},
    {"counter", parse_counter},
    {"match", parse_extension<NftMatch>},
    {"target", parse_extension<NftTarget>},
};

void parse_expression(Bytes element, std::vector<NftExpression>& out) {
    std::string name;
    Bytes data;
    for_each_attribute(element, [&](int type, Bytes value) {
        if (type == NFTA_EXPR_NAME) name = text(value);
        if (type == NFTA_EXPR_DATA) data = value;
    });
    if (name.empty()) return;
    for (const auto& parser : parsers) {
        if (parser.name == name) return out.push_back(parser.parse(data));
    }
    out.push_back(NftOther{std::move(name)});
}

NftHook parse_hook(Bytes data) {
    NftHook hook;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_HOOK_HOOKNUM) hook.number = number(value);
        if (type == NFTA_HOOK_PRIORITY) hook.priority = static_cast<std::int32_t>(number(value));
        if (type == NFTA_HOOK_DEV) hook.devices.push_back(text(value));
        if (type != NFTA_HOOK_DEVS) return;
        for_each_attribute(value, [&](int kind, Bytes name) {
            constexpr int prefix = NFTA_DEVICE_NAME + 1;  // NFTA_DEVICE_PREFIX, Linux 6.16 and later
            if (kind == NFTA_DEVICE_NAME) hook.devices.push_back(text(name));
            if (kind == prefix) hook.devices.push_back(text(name) + "*");
        });
    });
    return hook;
}

}  // namespace

std::vector<std::byte> nft_attributes::data_value(Bytes value) {
    std::vector<std::byte> out;
    for_each_attribute(value, [&](int type, Bytes inner) {
        if (type == NFTA_DATA_VALUE) out = copy(inner);
    });
    return out;
}

NftVerdict nft_attributes::parse_verdict(Bytes data) {
    NftVerdict out;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_VERDICT_CODE) out.code = static_cast<std::int32_t>(number(value));
        if (type == NFTA_VERDICT_CHAIN) out.chain = text(value);
    });
    return out;
}

std::vector<NftTable> parse_nft_tables(Bytes bytes) {
    std::vector<NftTable> out;
    for_each_object(bytes, NFT_MSG_NEWTABLE, [&](std::uint8_t family, Bytes attributes) {
        NftTable table;
        table.family = family;
        for_each_attribute(attributes, [&](int type, Bytes value) {
            if (type == NFTA_TABLE_NAME) table.name = text(value);
            if (type == NFTA_TABLE_FLAGS) table.flags = number(value);
            if (type == NFTA_TABLE_OWNER) table.owner = number(value);
        });
        if (!table.name.empty()) out.push_back(std::move(table));
    });
    return out;
}

std::vector<NftChain> parse_nft_chains(Bytes bytes) {
    std::vector<NftChain> out;
    for_each_object(bytes, NFT_MSG_NEWCHAIN, [&](std::uint8_t family, Bytes attributes) {
        NftChain chain;
        chain.family = family;
        for_each_attribute(attributes, [&](int type, Bytes value) {
            if (type == NFTA_CHAIN_TABLE) chain.table = text(value);
            if (type == NFTA_CHAIN_NAME) chain.name = text(value);
            if (type == NFTA_CHAIN_HANDLE) chain.handle = big_endian<std::uint64_t>(value);
            if (type == NFTA_CHAIN_HOOK) chain.hook = parse_hook(value);
            if (type == NFTA_CHAIN_TYPE) chain.type = text(value);
            if (type == NFTA_CHAIN_POLICY) chain.policy = number(value);
        });
        if (!chain.table.empty() && !chain.name.empty()) out.push_back(std::move(chain));
    });
    return out;
}

namespace {

/// Of nft's own notes to a rule (libnftnl's udata.h: a byte of type, one of length, the value).
std::string comment_in(Bytes notes) {
    constexpr std::byte comment{0};  // NFTNL_UDATA_RULE_COMMENT
    while (notes.size() >= 2) {
        const auto size = std::to_integer<std::size_t>(notes[1]);
        if (notes.size() - 2 < size) break;
        if (notes[0] == comment) return text(notes.subspan(2, size));
        notes = notes.subspan(2 + size);
    }
    return {};
}

}  // namespace

std::vector<NftRule> parse_nft_rules(Bytes bytes) {
    std::vector<NftRule> out;
    for_each_object(bytes, NFT_MSG_NEWRULE, [&](std::uint8_t family, Bytes attributes) {
        NftRule rule;
        rule.family = family;
        for_each_attribute(attributes, [&](int type, Bytes value) {
            if (type == NFTA_RULE_TABLE) rule.table = text(value);
            if (type == NFTA_RULE_CHAIN) rule.chain = text(value);
            if (type == NFTA_RULE_HANDLE) rule.handle = big_endian<std::uint64_t>(value);
            if (type == NFTA_RULE_USERDATA) rule.comment = comment_in(value);
            if (type != NFTA_RULE_EXPRESSIONS) return;
            for_each_attribute(value, [&](int element_type, Bytes element) {
                if (element_type == NFTA_LIST_ELEM) parse_expression(element, rule.expressions);
            });
        });
        if (!rule.table.empty() && !rule.chain.empty()) out.push_back(std::move(rule));
    });
    return out;
}

namespace {

/// NFT_MSG_GETSETELEM of one set.
Result<std::uint32_t> ask_elements(int socket, const NftSet& set) {
    DumpRequest<nfgenmsg> request(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM));
    request.header.nfgen_family = set.family;
    request.header.version = NFNETLINK_V0;
    const auto head = request.bytes();
    std::vector<std::byte> message(head.begin(), head.end());
    for (const auto& [type, name] :
         {std::pair(NFTA_SET_ELEM_LIST_TABLE, &set.table), std::pair(NFTA_SET_ELEM_LIST_SET, &set.name)}) {
        nlattr attribute{static_cast<std::uint16_t>(NLA_HDRLEN + name->size() + 1),
                         static_cast<std::uint16_t>(type)};
        const auto bytes = std::as_bytes(std::span(&attribute, 1));
        message.insert(message.end(), bytes.begin(), bytes.end());
        const auto text = std::as_bytes(std::span(name->c_str(), name->size() + 1));
        message.insert(message.end(), text.begin(), text.end());
        message.resize(NLMSG_ALIGN(message.size()));
    }
    const auto length = static_cast<std::uint32_t>(message.size());
    std::memcpy(message.data(), &length, sizeof length);
    return send_dump(socket, message);
}

}  // namespace

Result<NftTables> NftTables::ask_with_sets(std::uint8_t family) {
    auto tables = ask(family);
    if (!tables) return tables;
    auto asked = send(NFT_MSG_GETSET, family);
    if (!asked) return asked.error();
    Content ignored;
    const auto sets = receive(*asked, ignored);
    if (!sets) return sets.error();
    std::size_t left = most_elements;
    for (auto& set : parse_nft_sets(*sets)) {
        auto& kept = tables->sets_.emplace_back(std::move(set), std::vector<std::byte>());
        const auto sequence = ask_elements(asked->socket.get(), kept.first);
        if (!sequence) return sequence.error();
        bool more = false;
        // One that is gone meanwhile has none.
        const auto end = read_dump(asked->socket.get(), *sequence, [&](Bytes piece) {
            more = more || kept.second.size() + piece.size() > left;
            if (!more) kept.second.insert(kept.second.end(), piece.begin(), piece.end());
        });
        // What is too large takes nothing from the others.
        if (more) kept.second = {};
        left -= kept.second.size();
        kept.first.complete = end && end->consistent && !more;
    }
    return tables;
}

Result<NftTables> NftTables::ask(std::uint8_t family) {
    NftTables tables;
    // One dump at a time for each socket.
    auto names = send(NFT_MSG_GETTABLE, family);
    if (!names) return names.error();
    auto chains = send(NFT_MSG_GETCHAIN, family);
    if (!chains) return chains.error();
    auto rules = send(NFT_MSG_GETRULE, family);
    if (!rules) return rules.error();
    tables.tables_ = std::move(*names);
    tables.chains_ = std::move(*chains);
    tables.rules_ = std::move(*rules);
    return tables;
}

Result<NftTables::Pending> NftTables::send(std::uint8_t message, std::uint8_t family) {
    auto socket = open_netfilter_socket();
    if (!socket) return socket.error();
    DumpRequest<nfgenmsg> request(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message));
    request.header.nfgen_family = family;
    request.header.version = NFNETLINK_V0;
    const auto sequence = send_dump(socket->get(), request.bytes());
    if (!sequence) return sequence.error();
    return Pending{std::move(*socket), *sequence};
}

Result<std::vector<std::byte>> NftTables::receive(const Pending& pending, Content& content) {
    std::vector<std::byte> bytes;
    bool more = false;
    const auto end = read_dump(pending.socket.get(), pending.sequence, [&](Bytes piece) {
        if (more || bytes.size() + piece.size() > most) {
            more = true;
            return;
        }
        bytes.insert(bytes.end(), piece.begin(), piece.end());
    });
    if (!end) return end.error();
    content.supported = content.supported && end->supported;
    content.complete = content.complete && end->consistent && !more;
    return bytes;
}

Result<NftTables::Content> NftTables::read() {
    Content content;
    const auto tables = receive(tables_, content);
    if (!tables) return tables.error();
    const auto chains = receive(chains_, content);
    if (!chains) return chains.error();
    const auto rules = receive(rules_, content);
    if (!rules) return rules.error();
    content.tables = parse_nft_tables(*tables);
    content.chains = parse_nft_chains(*chains);
    content.rules = parse_nft_rules(*rules);
    for (auto& [set, elements] : sets_) {
        set.elements = parse_nft_elements(elements);
        sort_elements(set);
        content.sets.push_back(std::make_shared<const NftSet>(std::move(set)));
    }
    return content;
}

}  // namespace netlab::kernel
