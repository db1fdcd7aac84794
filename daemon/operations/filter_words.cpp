#include "daemon/operations/filter_words.hpp"

#include "common/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace netlab::operations {

namespace {

/// What libpcap's scanner knows (scanner.l); none of these is looked up anywhere.
constexpr std::array keywords{"dst",
                              "src",
                              "link",
                              "ether",
                              "ppp",
                              "slip",
                              "fddi",
                              "tr",
                              "wlan",
                              "arp",
                              "rarp",
                              "ip",
                              "sctp",
                              "tcp",
                              "udp",
                              "icmp",
                              "igmp",
                              "igrp",
                              "pim",
                              "vrrp",
                              "carp",
                              "radio",
                              "ip6",
                              "icmp6",
                              "ah",
                              "esp",
                              "atalk",
                              "aarp",
                              "decnet",
                              "lat",
                              "sca",
                              "moprc",
                              "mopdl",
                              "iso",
                              "esis",
                              "es-is",
                              "isis",
                              "is-is",
                              "l1",
                              "l2",
                              "iih",
                              "lsp",
                              "snp",
                              "csnp",
                              "psnp",
                              "clnp",
                              "stp",
                              "ipx",
                              "netbeui",
                              "host",
                              "net",
                              "mask",
                              "port",
                              "portrange",
                              "proto",
                              "protochain",
                              "type",
                              "subtype",
                              "direction",
                              "dir",
                              "less",
                              "greater",
                              "byte",
                              "broadcast",
                              "multicast",
                              "and",
                              "or",
                              "not",
                              "len",
                              "length",
                              "inbound",
                              "outbound",
                              "ifindex",
                              "vlan",
                              "mpls",
                              "pppoed",
                              "pppoes",
                              "geneve",
                              "icmptype",
                              "icmpcode",
                              "icmp-echoreply",
                              "icmp-unreach",
                              "icmp-sourcequench",
                              "icmp-redirect",
                              "icmp-echo",
                              "icmp-routeradvert",
                              "icmp-routersolicit",
                              "icmp-timxceed",
                              "icmp-paramprob",
                              "icmp-tstamp",
                              "icmp-tstampreply",
                              "icmp-ireq",
                              "icmp-ireqreply",
                              "icmp-maskreq",
                              "icmp-maskreply",
                              "icmp6type",
                              "icmp6code",
                              "icmp6-destinationunreach",
                              "icmp6-packettoobig",
                              "icmp6-timeexceeded",
                              "icmp6-parameterproblem",
                              "icmp6-echo",
                              "icmp6-echoreply",
                              "icmp6-multicastlistenerquery",
                              "icmp6-multicastlistenerreportv1",
                              "icmp6-multicastlistenerdone",
                              "icmp6-routersolicit",
                              "icmp6-routeradvert",
                              "icmp6-neighborsolicit",
                              "icmp6-neighboradvert",
                              "icmp6-redirect",
                              "icmp6-routerrenum",
                              "icmp6-nodeinformationquery",
                              "icmp6-nodeinformationresponse",
                              "icmp6-ineighbordiscoverysolicit",
                              "icmp6-ineighbordiscoveryadvert",
                              "icmp6-multicastlistenerreportv2",
                              "icmp6-homeagentdiscoveryrequest",
                              "icmp6-homeagentdiscoveryreply",
                              "icmp6-mobileprefixsolicit",
                              "icmp6-mobileprefixadvert",
                              "icmp6-certpathsolicit",
                              "icmp6-certpathadvert",
                              "icmp6-multicastrouteradvert",
                              "icmp6-multicastroutersolicit",
                              "icmp6-multicastrouterterm",
                              "tcpflags",
                              "tcp-fin",
                              "tcp-syn",
                              "tcp-rst",
                              "tcp-push",
                              "tcp-ack",
                              "tcp-urg",
                              "tcp-ece",
                              "tcp-cwr"};

/// `\tcp` is a protocol and not the keyword; libpcap asks getprotobyname(3) for it.
struct Protocol {
    std::string_view name;
    std::uint16_t ip;     ///< IP protocol, 0: none
    std::uint16_t ether;  ///< EtherType, 0: none
};
constexpr std::array protocols{
    Protocol{"icmp", 1, 0},      Protocol{"igmp", 2, 0},     Protocol{"tcp", 6, 0},
    Protocol{"udp", 17, 0},      Protocol{"esp", 50, 0},     Protocol{"ah", 51, 0},
    Protocol{"icmp6", 58, 0},    Protocol{"pim", 103, 0},    Protocol{"vrrp", 112, 0},
    Protocol{"sctp", 132, 0},    Protocol{"ip", 0, 0x0800},  Protocol{"arp", 0, 0x0806},
    Protocol{"rarp", 0, 0x8035}, Protocol{"ip6", 41, 0x86DD}};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_word_character(char c) {
    return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_' || c == ':';
}

bool is_keyword(std::string_view word) {
    return std::ranges::find(keywords, word) != keywords.end();
}

bool is_number(std::string_view word) {
    if (word.starts_with("0x") || word.starts_with("0X"))
        return word.size() > 2 && std::ranges::all_of(word.substr(2), is_hex);
    return !word.empty() && std::ranges::all_of(word, is_digit);
}

/// 1.2.3.4, and what `net` takes: 1.2.3, 1.2. To libpcap a longer one is a name.
bool is_dotted(std::string_view word) {
    return !word.empty() && is_digit(word.front()) && is_digit(word.back()) &&
           std::ranges::count(word, '.') <= 3 &&
           std::ranges::all_of(word, [](char c) { return is_digit(c) || c == '.'; }) &&
           word.find("..") == word.npos;
}

bool is_mac(std::string_view word) {
    const auto groups = [&](char separator, std::size_t count, std::size_t shortest, std::size_t longest) {
        std::size_t found = 1;
        std::size_t length = 0;
        for (const char c : word) {
            if (c == separator) {
                if (length < shortest) return false;
                ++found;
                length = 0;
            } else if (!is_hex(c) || ++length > longest) {
                return false;
            }
        }
        return found == count && length >= shortest;
    };
    return groups(':', 6, 1, 2) || groups('-', 6, 1, 2) || groups('.', 6, 1, 2) || groups('.', 3, 4, 4);
}

bool is_ipv6(std::string_view word) {
    const auto address = IpAddress::parse(word);
    return address && address->is_v6();
}

Error misplaced(const std::string& filter, std::size_t place, std::string message, std::string hint = {}) {
    return {errc::bad_request, std::move(message), std::move(hint), details_of(filter, place)};
}

/// Where a word ends that begins at `begin`. In brackets a colon is between two numbers: tcp[12:2].
std::size_t end_of_word(std::string_view filter, std::size_t begin, bool in_brackets) {
    auto end = begin;
    while (end < filter.size() && is_word_character(filter[end]) && !(in_brackets && filter[end] == ':'))
        ++end;
    // libpcap's names do not end with these either: `port 80-` is a number and a minus.
    while (end > begin + 1 && (filter[end - 1] == '-' || filter[end - 1] == '_'))
        --end;
    return end;
}

/// Runs over a filter's words as libpcap's scanner does: `take_word(begin, text)`, and `take_other` for each
/// character that is between them.
template <class TakeWord, class TakeOther>
Result<void> scan(const std::string& filter, const TakeWord& take_word, const TakeOther& take_other) {
    int brackets = 0;
    for (std::size_t i = 0; i < filter.size();) {
        const char c = filter[i];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            ++i;
            continue;
        }
        const bool escaped = c == '\\';
        const auto begin = i + (escaped ? 1 : 0);
        if (begin < filter.size() && (is_letter(filter[begin]) || is_digit(filter[begin]) ||
                                      (filter[begin] == ':' && brackets == 0 && !escaped))) {
            const auto end = end_of_word(filter, begin, brackets > 0);
            if (auto taken = take_word(i, std::string_view(filter).substr(i, end - i)); !taken) return taken;
            i = end;
            continue;
        }
        constexpr std::string_view operators = "()[]!&|<>=+-*/%^,$:";
        if (operators.find(c) == operators.npos) {
            return misplaced(
                filter, i,
                "syntax error in filter expression: " + quoted(std::string_view(filter).substr(i, 1)) +
                    " is nothing that a filter has");
        }
        if (c == '[') ++brackets;
        if (c == ']') --brackets;
        // Operators of two characters stay together.
        constexpr std::array pairs{"&&", "||", "<<", ">>", "<=", ">=", "==", "!="};
        const auto two = std::string_view(filter).substr(i, 2);
        const std::size_t length = std::ranges::find(pairs, two) != pairs.end() ? 2 : 1;
        take_other(i, std::string_view(filter).substr(i, length));
        i += length;
    }
    return {};
}

class FilterReader {
  public:
    FilterReader(const std::string& filter, std::span<const api::NamedAddress> names, const PortOf& port_of)
        : names_(names), port_of_(port_of) {
        out_.written = filter;
    }

    Result<FilterWords> read() {
        auto scanned = scan(
            out_.written, [&](std::size_t begin, std::string_view word) { return take(begin, word); },
            [&](std::size_t begin, std::string_view text) { add(begin, std::string(text)); });
        if (!scanned) return scanned.error();
        return std::move(out_);
    }

  private:
    Result<void> take(std::size_t begin, std::string_view word) {
        if (word.starts_with('\\')) return take_protocol(begin, word.substr(1));
        // A name where a name is due is not a keyword, whatever it is called.
        const bool is_host = expects_host();
        if ((!is_host || addresses_of(word).empty()) &&
            (is_keyword(word) || is_number(word) || is_dotted(word) || is_mac(word) || is_ipv6(word))) {
            add(begin, std::string(word));
            return {};
        }
        if (const auto keyword = port_keyword(); !keyword.empty())
            return take_ports(begin, word, keyword == "portrange");
        return take_host(begin, word);
    }

    Result<void> take_protocol(std::size_t begin, std::string_view name) {
        const auto found = std::ranges::find(protocols, name, &Protocol::name);
        const bool ether =
            out_.words.size() >= 2 && last(1) == "proto" && (last(2) == "ether" || last(2) == "link");
        if (found == protocols.end() || (ether ? found->ether : found->ip) == 0) {
            return misplaced(out_.written, begin, "unknown protocol " + quoted(name),
                             "a number is always understood");
        }
        add(begin, std::to_string(ether ? found->ether : found->ip));
        return {};
    }

    /// One service, or a range of two of them or of numbers.
    Result<void> take_ports(std::size_t begin, std::string_view word, bool range) {
        const auto port = [&](std::string_view text) -> std::optional<std::string> {
            if (is_number(text)) return std::string(text);
            const auto number = port_of_(std::string(text));
            return number ? std::optional(std::to_string(*number)) : std::nullopt;
        };
        if (const auto whole = port(word)) {
            add(begin, *whole);
            return {};
        }
        // A service's name may have a dash of its own.
        for (auto dash = word.find('-'); dash != word.npos; dash = word.find('-', dash + 1)) {
            const auto first = port(word.substr(0, dash));
            const auto second = port(word.substr(dash + 1));
            if (!first || !second) continue;
            if (!range)
                return misplaced(out_.written, begin, "a range of ports needs portrange",
                                 "portrange " + *first + "-" + *second);
            add(begin, *first + "-" + *second);
            return {};
        }
        return misplaced(out_.written, begin, "unknown port " + quoted(word),
                         "a number is always understood");
    }

    Result<void> take_host(std::size_t begin, std::string_view word) {
        auto addresses = addresses_of(word);
        const bool ip4 = qualified_by({"ip", "arp", "rarp"});
        const bool ip6 = qualified_by({"ip6"});
        std::erase_if(addresses, [&](const IpAddress& address) {
            return (ip4 && !address.is_v4()) || (ip6 && !address.is_v6());
        });
        if (addresses.empty()) {
            std::vector<std::string> known;
            for (const auto& name : names_)
                known.push_back(name.name);
            std::ranges::sort(known);
            known.erase(std::unique(known.begin(), known.end()), known.end());
            const auto near = nearest(word, known);
            const bool other_family = !addresses_of(word).empty();
            return misplaced(out_.written, begin,
                             other_family ? quoted(word) + " has no address of that family"
                                          : "unknown host " + quoted(word),
                             near.empty() || other_family
                                 ? "names are those of running targets; anything else as a number"
                                 : "did you mean " + join_or(near) + "?");
        }
        std::string text;
        for (const auto& address : addresses)
            text += (text.empty() ? "" : " or ") + address.to_string();
        add(begin, addresses.size() == 1 ? text : "(" + text + ")");
        return {};
    }

    [[nodiscard]] std::vector<IpAddress> addresses_of(std::string_view word) const {
        std::vector<IpAddress> found;
        for (const auto& [address, name] : names_) {
            if (name == word) found.push_back(address);
        }
        return found;
    }

    /// The word `back` from the end, 1 the last.
    [[nodiscard]] std::string_view last(std::size_t back) const {
        return back <= out_.words.size() ? std::string_view(out_.words[out_.words.size() - back].text)
                                         : std::string_view();
    }

    [[nodiscard]] bool expects_host() const { return last(1) == "host"; }

    /// `port` or `portrange`, where a port is due: behind it, and behind `or` in `port http or https`.
    [[nodiscard]] std::string_view port_keyword() const {
        for (std::size_t back = 1; back <= out_.words.size(); ++back) {
            const auto word = last(back);
            if (word == "port" || word == "portrange") return word;
            const bool passes = word == "or" || word == "and" || word == "||" || word == "&&" ||
                                word == "(" || word == "not" || word == "!" || is_number(word) ||
                                word.find('-') != word.npos;
            if (!passes) return {};
        }
        return {};
    }

    /// Whether one of these is among the qualifiers of the word to come.
    [[nodiscard]] bool qualified_by(std::initializer_list<std::string_view> wanted) const {
        constexpr std::array qualifiers{"host", "src", "dst", "ip", "ip6", "arp", "rarp", "ether", "net"};
        for (std::size_t back = 1; back <= out_.words.size(); ++back) {
            const auto word = last(back);
            if (std::ranges::find(wanted, word) != wanted.end()) return true;
            if (std::ranges::find(qualifiers, word) == qualifiers.end()) return false;
        }
        return false;
    }

    void add(std::size_t begin, std::string text) { out_.words.push_back({begin, std::move(text)}); }

    std::span<const api::NamedAddress> names_;
    const PortOf& port_of_;
    FilterWords out_;
};

}  // namespace

std::string FilterWords::text(std::size_t count) const {
    std::string out;
    for (std::size_t i = 0; i < count && i < words.size(); ++i)
        out += (i == 0 ? "" : " ") + words[i].text;
    return out;
}

Result<FilterWords> read_filter(const std::string& filter, std::span<const api::NamedAddress> names,
                                const PortOf& port_of) {
    return FilterReader(filter, names, port_of).read();
}

std::vector<std::string> possible_services(const std::string& filter) {
    std::vector<std::string> out;
    const auto add = [&](std::string_view word) {
        if (!word.empty() && !is_number(word)) out.emplace_back(word);
    };
    static_cast<void>(scan(
        filter,
        [&](std::size_t, std::string_view word) -> Result<void> {
            if (is_keyword(word) || is_number(word) || is_dotted(word) || word.find(':') != word.npos)
                return {};
            add(word);
            for (auto dash = word.find('-'); dash != word.npos; dash = word.find('-', dash + 1)) {
                add(word.substr(0, dash));
                add(word.substr(dash + 1));
            }
            return {};
        },
        [](std::size_t, std::string_view) {}));
    constexpr std::size_t most = 64;
    if (out.size() > most) out.resize(most);
    return out;
}

std::vector<std::string> details_of(const std::string& filter, std::size_t place) {
    // A tab or a line's end is one column wide here, as the caret is.
    std::string text = valid_utf8(filter);
    std::ranges::replace_if(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return {text, std::string(std::min(place, filter.size()), ' ') + "^"};
}

}  // namespace netlab::operations
