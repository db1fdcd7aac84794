#include "daemon/kernel/xtables.hpp"

#include <cerrno>
#include <map>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netlab::kernel {

namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t largest_table = 8 << 20;

std::string name_of(const char (&name)[IFNAMSIZ], const unsigned char (&mask)[IFNAMSIZ]) {
    std::string text(name, ::strnlen(name, IFNAMSIZ));
    // iptables' "eth+": the zero at the name's end is not compared, nor is the '+' that it leaves in front of
    // it.
    if (!text.empty() && text.size() < IFNAMSIZ && mask[text.size()] == 0 && !text.ends_with('+'))
        text += '+';
    return text;
}

template <std::size_t size, class Address>
std::array<std::uint8_t, size> octets(const Address& address) {
    static_assert(sizeof address == size);
    std::array<std::uint8_t, size> out;
    std::memcpy(out.data(), &address, out.size());
    return out;
}

/// The names that iptables gives to the chains of the hooks.
constexpr std::array hook_names{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};

class Parser {
  public:
    explicit Parser(const XtBytes& bytes) : bytes_(bytes), entries_(bytes.entries) {}

    std::optional<XtTable> parse() {
        for (std::size_t at = 0; at < entries_.size();) {
            Entry entry;
            const auto rest = entries_.subspan(at);
            const bool whole =
                bytes_.family == Family::ipv4 ? take_entry(rest, entry) : take_entry6(rest, entry);
            const auto size = entry.next_offset;
            if (!whole || size < entry.head || size > rest.size() || entry.target_offset < entry.head ||
                entry.target_offset > size)
                return std::nullopt;
            if (!take(entry, at, rest.first(size))) return std::nullopt;
            at += size;
        }
        // The chains' names are known only now.
        for (auto& [rule, offset] : jumps_) {
            const auto chain = starts_.find(offset);
            if (chain != starts_.end()) table_.rules[rule].jump = chain->second;
        }
        return std::move(table_);
    }

  private:
    /// An ipt_entry or ip6t_entry.
    struct Entry {
        std::size_t head = 0;  ///< its size
        std::uint16_t target_offset = 0;
        std::uint16_t next_offset = 0;
        XtRule rule;
    };

    template <class Raw, class Ip>
    static void take_common(const Raw& raw, const Ip& ip, Entry& entry) {
        entry.head = sizeof raw;
        entry.target_offset = raw.target_offset;
        entry.next_offset = raw.next_offset;
        entry.rule.ip.input = name_of(ip.iniface, ip.iniface_mask);
        entry.rule.ip.output = name_of(ip.outiface, ip.outiface_mask);
        entry.rule.ip.protocol = ip.proto;
        entry.rule.ip.flags = ip.flags;
        entry.rule.ip.inverted = ip.invflags;
        entry.rule.packets = raw.counters.pcnt;
        entry.rule.bytes = raw.counters.bcnt;
    }

    static bool take_entry(Bytes bytes, Entry& entry) {
        ipt_entry raw;
        if (!read(bytes, raw)) return false;
        take_common(raw, raw.ip, entry);
        entry.rule.ip.source = octets<4>(raw.ip.src);
        entry.rule.ip.source_mask = octets<4>(raw.ip.smsk);
        entry.rule.ip.destination = octets<4>(raw.ip.dst);
        entry.rule.ip.destination_mask = octets<4>(raw.ip.dmsk);
        return true;
    }

    static bool take_entry6(Bytes bytes, Entry& entry) {
        ip6t_entry raw;
        if (!read(bytes, raw)) return false;
        take_common(raw, raw.ipv6, entry);
        entry.rule.ip6 = {octets<16>(raw.ipv6.src), octets<16>(raw.ipv6.smsk), octets<16>(raw.ipv6.dst),
                          octets<16>(raw.ipv6.dmsk)};
        return true;
    }

    void begin_chain(std::string name, std::optional<std::uint32_t> hook, std::size_t first_rule) {
        starts_[first_rule] = name;
        table_.chains.push_back({name, hook});
        chain_ = std::move(name);
        number_ = 0;
    }

    bool take(Entry& entry, std::size_t at, Bytes whole) {
        for (std::uint32_t hook = 0; hook < bytes_.hook_entry.size(); ++hook) {
            const bool begins = (bytes_.valid_hooks & (1U << hook)) != 0 && bytes_.hook_entry[hook] == at;
            if (begins) begin_chain(hook_names[hook], hook, at);
        }
        auto& rule = entry.rule;
        if (!take_extensions(entry, whole, rule)) return false;
        if (rule.target.name == XT_ERROR_TARGET) {
            // Not a rule: the head of a user's chain, or the end of the table.
            const std::string_view name(reinterpret_cast<const char*>(rule.target.info.data()),
                                        rule.target.info.size());
            begin_chain(std::string(name.substr(0, name.find('\0'))), std::nullopt, at + whole.size());
            return true;
        }
        rule.chain = chain_;
        rule.number = ++number_;
        if (rule.target.name.empty()) take_verdict(at + whole.size(), rule);
        table_.rules.push_back(std::move(rule));
        return true;
    }

    /// `size` bytes that begin with an xt_entry_match or xt_entry_target, which are alike.
    static bool take_extension(Bytes bytes, XtExtension& out) {
        struct Head {
            std::uint16_t size;
            char name[XT_EXTENSION_MAXNAMELEN];
            std::uint8_t revision;
        } head;
        static_assert(sizeof head == sizeof(xt_entry_match) && sizeof head == sizeof(xt_entry_target));
        if (!read(bytes, head)) return false;
        out.name.assign(head.name, ::strnlen(head.name, sizeof head.name));
        out.revision = head.revision;
        const auto info = bytes.subspan(sizeof head);
        out.info.assign(info.begin(), info.end());
        return true;
    }

    static bool take_extensions(const Entry& entry, Bytes whole, XtRule& rule) {
        auto matches = whole.subspan(entry.head, entry.target_offset - entry.head);
        while (!matches.empty()) {
            std::uint16_t size = 0;
            if (!read(matches, size) || size < sizeof(xt_entry_match) || size > matches.size()) return false;
            if (!take_extension(matches.first(size), rule.matches.emplace_back())) return false;
            matches = matches.subspan(size);
        }
        return take_extension(whole.subspan(entry.target_offset), rule.target);
    }

    void take_verdict(std::size_t next, XtRule& rule) {
        std::int32_t value = 0;
        if (!read(rule.target.info, value)) return;
        rule.target.info.clear();
        if (value == XT_RETURN) {
            rule.verdict = NFT_RETURN;
        } else if (value < 0) {
            rule.verdict = -(value + 1);  // also of the least one
        } else if (static_cast<std::size_t>(value) == next) {
            rule.verdict = NFT_CONTINUE;  // a rule without a target: it only counts
        } else {
            // IP6T_F_GOTO is another bit.
            const auto go_to = bytes_.family == Family::ipv4 ? IPT_F_GOTO : IP6T_F_GOTO;
            rule.verdict = (rule.ip.flags & go_to) != 0 ? NFT_GOTO : NFT_JUMP;
            jumps_.emplace_back(table_.rules.size(), static_cast<std::size_t>(value));
        }
    }

    const XtBytes& bytes_;
    Bytes entries_;
    XtTable table_;
    std::string chain_;
    std::uint32_t number_ = 0;
    std::map<std::size_t, std::string> starts_;  ///< a chain by the offset of its first rule
    std::vector<std::pair<std::size_t, std::size_t>> jumps_;
};

}  // namespace

bool has_xt_table(const char* name, Family family) {
    const auto* path = family == Family::ipv4 ? "/proc/thread-self/net/ip_tables_names"
                                              : "/proc/thread-self/net/ip6_tables_names";
    const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
    if (!file) return false;
    std::array<char, 256> text;
    const auto size = ::read(file.get(), text.data(), text.size());
    std::string_view lines(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    while (!lines.empty()) {
        const auto line = lines.substr(0, lines.find('\n'));
        if (line == name) return true;
        lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    }
    return false;
}

Result<UniqueFd> open_xt_socket(Family family) {
    UniqueFd socket(::socket(family == Family::ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return system_error(errc::operation_failed, "open a socket", errno);
    return socket;
}

Result<std::optional<XtBytes>> read_xt_table(const char* name, Family family) {
    if (!has_xt_table(name, family)) return std::optional<XtBytes>();
    const auto socket = open_xt_socket(family);
    if (!socket) return socket.error();
    auto bytes = read_xt_table(socket->get(), name, family);
    if (!bytes) return bytes.error();
    return std::optional(std::move(*bytes));
}

Result<XtBytes> read_xt_table(int socket, const char* name, Family family) {
    const auto failed = [](const char* what) { return system_error(errc::operation_failed, what, errno); };
    // ip6_tables' questions and structs are ip_tables' (include/uapi/linux/netfilter_ipv6/ip6_tables.h).
    // NOLINTNEXTLINE(misc-redundant-expression): that they are the same is what is asserted.
    static_assert(IP6T_SO_GET_INFO == IPT_SO_GET_INFO && IP6T_SO_GET_ENTRIES == IPT_SO_GET_ENTRIES);
    static_assert(sizeof(ip6t_getinfo) == sizeof(ipt_getinfo));
    static_assert(offsetof(ip6t_get_entries, entrytable) == offsetof(ipt_get_entries, entrytable));
    const int level = family == Family::ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    // Somebody may replace the table between the two questions: then its size is another.
    for (int attempt = 0; attempt < 5; ++attempt) {
        ipt_getinfo info{};
        std::strncpy(info.name, name, sizeof info.name - 1);
        socklen_t length = sizeof info;
        if (::getsockopt(socket, level, IPT_SO_GET_INFO, &info, &length) != 0)
            return failed("read iptables' rules");
        XtBytes out;
        out.family = family;
        out.valid_hooks = info.valid_hooks;
        std::copy_n(info.hook_entry, out.hook_entry.size(), out.hook_entry.begin());
        out.too_large = info.size > largest_table;
        if (out.too_large) return out;
        std::vector<std::byte> block(sizeof(ipt_get_entries) + info.size);
        std::memcpy(block.data(), info.name, sizeof info.name);
        std::memcpy(block.data() + offsetof(ipt_get_entries, size), &info.size, sizeof info.size);
        length = static_cast<socklen_t>(block.size());
        if (::getsockopt(socket, level, IPT_SO_GET_ENTRIES, block.data(), &length) != 0) {
            if (errno == EAGAIN) continue;
            return failed("read iptables' rules");
        }
        out.entries.assign(block.begin() + sizeof(ipt_get_entries), block.end());
        return out;
    }
    return Error{errc::operation_failed, "cannot read iptables' rules: they change all the time", {}, {}};
}

std::optional<XtTable> parse_xt_table(const XtBytes& bytes) {
    return Parser(bytes).parse();
}

}  // namespace netlab::kernel
