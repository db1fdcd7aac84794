#include "daemon/kernel/xtables.hpp"

#include <cerrno>
#include <map>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netlab::kernel {

namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t largest_table = 8 << 20;

/// Whether the namespace has the table already.
bool is_there(std::string_view name) {
    const UniqueFd file(::open("/proc/thread-self/net/ip_tables_names", O_RDONLY | O_CLOEXEC));
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

std::string name_of(const char (&name)[IFNAMSIZ], const unsigned char (&mask)[IFNAMSIZ]) {
    std::string text(name, ::strnlen(name, IFNAMSIZ));
    // iptables' "eth+": the zero at the name's end is not compared.
    if (!text.empty() && text.size() < IFNAMSIZ && mask[text.size()] == 0) text += '+';
    return text;
}

std::array<std::uint8_t, 4> octets(const in_addr& address) {
    std::array<std::uint8_t, 4> out;
    std::memcpy(out.data(), &address.s_addr, out.size());
    return out;
}

/// The names that iptables gives to the chains of the hooks.
constexpr std::array hook_names{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};

class Parser {
  public:
    explicit Parser(const XtBytes& bytes) : bytes_(bytes), entries_(bytes.entries) {}

    std::optional<XtTable> parse() {
        for (std::size_t at = 0; at < entries_.size();) {
            ipt_entry entry;
            if (!read(entries_.subspan(at), entry)) return std::nullopt;
            const auto size = entry.next_offset;
            if (size < sizeof entry || size > entries_.size() - at || entry.target_offset < sizeof entry ||
                entry.target_offset > size)
                return std::nullopt;
            if (!take(entry, at, entries_.subspan(at, size))) return std::nullopt;
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
    void begin_chain(std::string name, std::optional<std::uint32_t> hook, std::size_t first_rule) {
        starts_[first_rule] = name;
        table_.chains.push_back({name, hook});
        chain_ = std::move(name);
        number_ = 0;
    }

    bool take(const ipt_entry& entry, std::size_t at, Bytes whole) {
        for (std::uint32_t hook = 0; hook < bytes_.hook_entry.size(); ++hook) {
            const bool begins = (bytes_.valid_hooks & (1U << hook)) != 0 && bytes_.hook_entry[hook] == at;
            if (begins) begin_chain(hook_names[hook], hook, at);
        }
        XtRule rule;
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
        rule.ip = {octets(entry.ip.src),
                   octets(entry.ip.smsk),
                   octets(entry.ip.dst),
                   octets(entry.ip.dmsk),
                   name_of(entry.ip.iniface, entry.ip.iniface_mask),
                   name_of(entry.ip.outiface, entry.ip.outiface_mask),
                   entry.ip.proto,
                   entry.ip.flags,
                   entry.ip.invflags};
        rule.packets = entry.counters.pcnt;
        rule.bytes = entry.counters.bcnt;
        if (rule.target.name.empty()) take_verdict(entry, at + whole.size(), rule);
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

    static bool take_extensions(const ipt_entry& entry, Bytes whole, XtRule& rule) {
        auto matches = whole.subspan(sizeof entry, entry.target_offset - sizeof entry);
        while (!matches.empty()) {
            std::uint16_t size = 0;
            if (!read(matches, size) || size < sizeof(xt_entry_match) || size > matches.size()) return false;
            if (!take_extension(matches.first(size), rule.matches.emplace_back())) return false;
            matches = matches.subspan(size);
        }
        return take_extension(whole.subspan(entry.target_offset), rule.target);
    }

    void take_verdict(const ipt_entry& entry, std::size_t next, XtRule& rule) {
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
            rule.verdict = (entry.ip.flags & IPT_F_GOTO) != 0 ? NFT_GOTO : NFT_JUMP;
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

Result<std::optional<XtBytes>> read_xt_table(const char* name) {
    if (!is_there(name)) return std::optional<XtBytes>();
    const auto failed = [](const char* what) { return system_error(errc::operation_failed, what, errno); };
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return failed("open a socket");
    // Somebody may replace the table between the two questions: then its size is another.
    for (int attempt = 0; attempt < 5; ++attempt) {
        ipt_getinfo info{};
        std::strncpy(info.name, name, sizeof info.name - 1);
        socklen_t length = sizeof info;
        if (::getsockopt(socket.get(), IPPROTO_IP, IPT_SO_GET_INFO, &info, &length) != 0)
            return failed("read iptables' rules");
        XtBytes out;
        out.valid_hooks = info.valid_hooks;
        std::copy_n(info.hook_entry, out.hook_entry.size(), out.hook_entry.begin());
        out.too_large = info.size > largest_table;
        if (out.too_large) return std::optional(std::move(out));
        std::vector<std::byte> block(sizeof(ipt_get_entries) + info.size);
        std::memcpy(block.data(), info.name, sizeof info.name);
        std::memcpy(block.data() + offsetof(ipt_get_entries, size), &info.size, sizeof info.size);
        length = static_cast<socklen_t>(block.size());
        if (::getsockopt(socket.get(), IPPROTO_IP, IPT_SO_GET_ENTRIES, block.data(), &length) != 0) {
            if (errno == EAGAIN) continue;
            return failed("read iptables' rules");
        }
        out.entries.assign(block.begin() + sizeof(ipt_get_entries), block.end());
        return std::optional(std::move(out));
    }
    return Error{errc::operation_failed, "cannot read iptables' rules: they change all the time", {}, {}};
}

std::optional<XtTable> parse_xt_table(const XtBytes& bytes) {
    return Parser(bytes).parse();
}

}  // namespace netlab::kernel
