#include "daemon/operations/resolv_conf.hpp"

#include "common/text.hpp"
#include "daemon/operations/numeric_host.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace netlab::operations {

namespace {

constexpr std::string_view blanks = " \t";

/// What follows `keyword` and a blank; nothing where the line is another one. A keyword stands at the line's
/// start.
std::optional<std::string_view> after(std::string_view line, std::string_view keyword) {
    if (!line.starts_with(keyword)) return std::nullopt;
    line.remove_prefix(keyword.size());
    if (line.empty() || blanks.find(line.front()) == blanks.npos) return std::nullopt;
    const auto start = line.find_first_not_of(blanks);
    return start == line.npos ? std::string_view{} : line.substr(start);
}

/// Takes the next word off the front of `text`; empty at its end.
std::string_view next_word(std::string_view& text) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(blanks)));
    const auto word = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(word.size());
    return word;
}

/// glibc takes inet_aton(3)'s forms here as well: "nameserver 127.1".
std::optional<NameServer> parse_server(std::string_view word) {
    auto host = parse_numeric_host(word);
    if (!host) return std::nullopt;
    return NameServer{host->address, std::move(host->zone), 53};
}

/// As atoi(3) and then capped: no digits are a zero.
unsigned number(std::string_view digits, unsigned least, unsigned most) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc::result_out_of_range) value = most;
    return std::clamp(value, least, most);
}

/// The options without a number that glibc 2.36 knows (resolv/res_init.c, res_setoptions) and those of musl.
constexpr std::array flags{"rotate",
                           "edns0",
                           "inet6",
                           "ip6-bytestring",
                           "ip6-dotint",
                           "no-ip6-dotint",
                           "no-reload",
                           "use-vc",
                           "trust-ad",
                           "no-aaaa",
                           "debug",
                           "single-request",
                           "single-request-reopen",
                           "no_tld_query",
                           "no-tld-query"};

constexpr std::array keywords{"nameserver", "search", "domain", "options", "sortlist"};

/// Goes through a file line by line. What a line changes is in `out`, why it changes nothing too.
class Reader {
  public:
    ResolvConfReading read(std::string_view text) {
        while (!text.empty()) {
            const auto end = std::min(text.size(), text.find('\n'));
            line_ = text.substr(0, end);
            text.remove_prefix(std::min(text.size(), end + 1));
            ++number_;
            // To glibc a line is a C string: it ends at the first zero byte.
            const auto zero = line_.find('\0');
            if (zero != line_.npos) skip("what follows a zero byte does not count");
            line_ = line_.substr(0, zero);
            if (line_.starts_with('#') || line_.starts_with(';')) {
                take_comment(line_);
            } else {
                take_line();
            }
        }
        out_.default_server = out_.conf.servers.empty();
        if (out_.default_server) out_.conf.servers.push_back({*IpAddress::parse("127.0.0.1"), {}, 53});
        return std::move(out_);
    }

  private:
    [[nodiscard]] bool is_full() const { return out_.skipped.size() >= ResolvConfReading::most_skipped; }

    void skip(std::string reason, SkippedLine::Kind kind = SkippedLine::Kind::other) {
        if (is_full()) {
            ++out_.more_skipped;
            return;
        }
        out_.skipped.push_back(
            {number_, std::string(line_.substr(0, SkippedLine::longest_text)), std::move(reason), kind});
    }

    template <std::size_t N>
    [[nodiscard]] std::string did_you_mean(std::string_view word,
                                           const std::array<const char*, N>& known) const {
        if (is_full()) return {};
        const auto near = nearest(word, std::vector<std::string>(known.begin(), known.end()), 1);
        return near.empty() ? std::string() : "; did you mean " + near.front() + "?";
    }

    void take_line() {
        if (line_.find_first_not_of(" \t\r") == line_.npos) return;
        if (auto domain = after(line_, "domain")) {
            const auto word = next_word(*domain);
            take_search(word.empty() ? std::vector<std::string>() : std::vector{std::string(word)});
        } else if (auto search = after(line_, "search")) {
            std::vector<std::string> words;
            for (auto word = next_word(*search); !word.empty(); word = next_word(*search))
                words.emplace_back(word);
            take_search(std::move(words));
        } else if (auto server = after(line_, "nameserver")) {
            take_server(next_word(*server));
        } else if (const auto options = after(line_, "options")) {
            take_options(*options);
        } else if (!after(line_, "sortlist")) {
            skip_unknown();
        }
    }

    void skip_unknown() {
        auto rest = line_;
        const auto word = next_word(rest);
        if (number_ == 1 && line_.starts_with("\xEF\xBB\xBF"))
            return skip(
                "the file begins with a UTF-8 byte order mark, which becomes a part of its first word",
                word.ends_with("nameserver") ? SkippedLine::Kind::nameserver : SkippedLine::Kind::other);
        if (blanks.find(line_.front()) != blanks.npos)
            return skip("a keyword must stand at the start of its line",
                        word == "nameserver" ? SkippedLine::Kind::nameserver : SkippedLine::Kind::other);
        const bool known = std::ranges::find(keywords, word) != keywords.end();
        if (known) return skip("nothing follows the keyword");
        skip(quoted(word) + " is no keyword of resolv.conf" + did_you_mean(word, keywords));
    }

    void take_search(std::vector<std::string> words) {
        if (words.empty()) return skip("nothing follows the keyword");
        if (search_line_ != 0 && is_full()) {
            ++out_.more_skipped;
        } else if (search_line_ != 0) {
            const SkippedLine earlier{search_line_, search_text_,
                                      "a later search or domain line replaces it"};
            // Among the others in the file's order.
            const auto place = std::ranges::upper_bound(out_.skipped, search_line_, {}, &SkippedLine::number);
            out_.skipped.insert(place, earlier);
        }
        search_line_ = number_;
        search_text_ = line_.substr(0, SkippedLine::longest_text);
        out_.conf.search = std::move(words);
    }

    void take_server(std::string_view word) {
        constexpr auto kind = SkippedLine::Kind::nameserver;
        if (word.empty()) return skip("nothing follows the keyword", kind);
        auto parsed = parse_server(word);
        if (!parsed && word.ends_with('\r'))
            return skip("the line ends with a carriage return, which becomes a part of the address", kind);
        if (!parsed) return skip(quoted(word) + " is no IP address", kind);
        if (out_.conf.servers.size() >= ResolvConf::most_servers)
            return skip("only the first three servers are asked", kind);
        out_.conf.servers.push_back(std::move(*parsed));
    }

    void take_options(std::string_view words) {
        for (auto word = next_word(words); !word.empty(); word = next_word(words)) {
            if (take_option(word)) out_.options.emplace_back(word);
        }
    }

    /// False where there is none of that name.
    bool take_option(std::string_view word) {
        auto& conf = out_.conf;
        const auto is = [&](std::string_view prefix) { return word.starts_with(prefix); };
        if (is("ndots:")) {
            conf.ndots = number(word.substr(6), 0, 15);
        } else if (is("timeout:")) {
            conf.timeout = std::chrono::seconds(number(word.substr(8), 1, 30));
        } else if (is("attempts:")) {
            conf.attempts = number(word.substr(9), 1, 5);
        } else if (is("no-aaaa")) {
            conf.no_aaaa = true;
        } else if (is("use-vc")) {
            conf.use_vc = true;
        } else if (std::ranges::find(flags, word) == flags.end()) {
            skip("no option is called " + quoted(word) + did_you_mean(word, flags));
            return false;
        }
        return true;
    }

    void take_comment(std::string_view line) {
        constexpr std::string_view marker = "# ExtServers: [";
        if (!line.starts_with(marker)) return;
        line.remove_prefix(marker.size());
        line = line.substr(0, line.find(']'));
        constexpr std::size_t most = 16;
        for (auto word = next_word(line); !word.empty(); word = next_word(line)) {
            const bool from_host = word.starts_with("host(") && word.ends_with(')');
            if (from_host) word = word.substr(5, word.size() - 6);
            if (out_.external.size() < most && parse_server(word))
                out_.external.push_back({std::string(word), from_host});
        }
    }

    ResolvConfReading out_;
    std::string_view line_;
    std::size_t number_ = 0;
    std::size_t search_line_ = 0;  ///< of the search or domain that counts up to now; 0: none
    std::string search_text_;
};

}  // namespace

std::string NameServer::to_string() const {
    const auto host = zone.empty() ? address.to_string() : address.to_string() + "%" + zone;
    if (port == 53) return host;
    return (address.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

ResolvConfReading read_resolv_conf(std::string_view text) {
    return Reader().read(text);
}

ResolvConf parse_resolv_conf(std::string_view text) {
    return read_resolv_conf(text).conf;
}

std::chrono::seconds server_timeout(const ResolvConf& conf, std::size_t server) {
    auto timeout = conf.timeout * (1 << std::min(server, ResolvConf::most_servers));
    if (server > 0) timeout /= static_cast<int>(std::max<std::size_t>(1, conf.servers.size()));
    return std::max(timeout, std::chrono::seconds(1));
}

}  // namespace netlab::operations
