#include "daemon/operations/resolv_conf.hpp"

#include "daemon/operations/numeric_host.hpp"

#include <algorithm>
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

void apply_options(ResolvConf& conf, std::string_view words) {
    for (auto word = next_word(words); !word.empty(); word = next_word(words)) {
        if (word.starts_with("ndots:")) {
            conf.ndots = number(word.substr(6), 0, 15);
        } else if (word.starts_with("timeout:")) {
            conf.timeout = std::chrono::seconds(number(word.substr(8), 1, 30));
        } else if (word.starts_with("attempts:")) {
            conf.attempts = number(word.substr(9), 1, 5);
        } else if (word.starts_with("no-aaaa")) {
            conf.no_aaaa = true;
        }
    }
}

void apply_line(ResolvConf& conf, std::string_view line) {
    if (auto domain = after(line, "domain"); domain && !domain->empty()) {
        conf.search.assign(1, std::string(next_word(*domain)));
    } else if (auto search = after(line, "search"); search && !search->empty()) {
        conf.search.clear();
        for (auto word = next_word(*search); !word.empty(); word = next_word(*search))
            conf.search.emplace_back(word);
    } else if (auto server = after(line, "nameserver");
               server && conf.servers.size() < ResolvConf::most_servers) {
        if (auto parsed = parse_server(next_word(*server))) conf.servers.push_back(std::move(*parsed));
    } else if (const auto options = after(line, "options")) {
        apply_options(conf, *options);
    }
}

}  // namespace

std::string NameServer::to_string() const {
    const auto host = zone.empty() ? address.to_string() : address.to_string() + "%" + zone;
    if (port == 53) return host;
    return (address.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

ResolvConf parse_resolv_conf(std::string_view text) {
    ResolvConf conf;
    while (!text.empty()) {
        const auto end = std::min(text.size(), text.find('\n'));
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), end + 1));
        // To glibc a line is a C string: it ends at the first zero byte.
        line = line.substr(0, line.find('\0'));
        if (line.starts_with('#') || line.starts_with(';')) continue;
        apply_line(conf, line);
    }
    if (conf.servers.empty()) conf.servers.push_back({*IpAddress::parse("127.0.0.1"), {}, 53});
    return conf;
}

std::chrono::seconds server_timeout(const ResolvConf& conf, std::size_t server) {
    auto timeout = conf.timeout * (1 << std::min(server, ResolvConf::most_servers));
    if (server > 0) timeout /= static_cast<int>(std::max<std::size_t>(1, conf.servers.size()));
    return std::max(timeout, std::chrono::seconds(1));
}

}  // namespace netlab::operations
