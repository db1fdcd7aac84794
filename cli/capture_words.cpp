#include "cli/capture_words.hpp"

#include "cli/options.hpp"
#include "common/address.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace netlab::cli {

namespace {

/// What pcap-filter(7) can begin with on Ethernet, raw IP and SLL2; not those of 802.11, ATM, SS7 and
/// rings of old.
constexpr std::array<std::string_view, 56> keywords{
    "aarp",     "ah",    "and",   "arp",       "atalk",  "broadcast", "carp",    "clnp",
    "decnet",   "dst",   "esis",  "esp",       "ether",  "gateway",   "geneve",  "greater",
    "host",     "icmp",  "icmp6", "ifindex",   "igmp",   "igrp",      "inbound", "ip",
    "ip6",      "ipx",   "isis",  "iso",       "len",    "length",    "less",    "link",
    "mopdl",    "moprc", "mpls",  "multicast", "net",    "netbeui",   "not",     "or",
    "outbound", "pim",   "port",  "portrange", "pppoed", "pppoes",    "proto",   "protochain",
    "rarp",     "sctp",  "src",   "stp",       "tcp",    "udp",       "vlan",    "vrrp"};
static_assert(std::ranges::is_sorted(keywords));

Error bad(std::string message, std::string hint) {
    return {errc::bad_request, std::move(message), std::move(hint), {}};
}

/// How many bytes a unit has; 0 where it is none.
std::uint64_t bytes_of_unit(std::string_view unit) {
    if (unit.ends_with("iB")) {
        unit.remove_suffix(2);
    } else if (unit.ends_with('B')) {
        unit.remove_suffix(1);
    }
    if (unit.empty()) return 1;
    if (unit == "K" || unit == "k") return 1ULL << 10;
    if (unit == "M" || unit == "m") return 1ULL << 20;
    if (unit == "G" || unit == "g") return 1ULL << 30;
    return 0;
}

}  // namespace

bool is_filter_keyword(std::string_view word) {
    return std::ranges::binary_search(keywords, word);
}

bool begins_filter(std::string_view word) {
    constexpr std::string_view of_filters_only = " \t\r\n()[]!=<>&|*/\\\"'`^%;{}";
    return is_filter_keyword(word) || word.find_first_of(of_filters_only) != std::string_view::npos ||
           IpAddress::parse(word).has_value();
}

Result<PointsAndFilter> split_points(const std::vector<std::string>& words) {
    if (words.empty())
        return bad("which point?", "netlab capture co1, co1:eth0, net:NAME; netlab ls shows the targets");
    PointsAndFilter out;
    const auto filter = std::find_if(words.begin() + 1, words.end(), begins_filter);
    out.points.assign(words.begin(), filter);
    for (auto word = filter; word != words.end(); ++word)
        out.filter += (out.filter.empty() ? "" : " ") + *word;
    return out;
}

Result<std::uint64_t> parse_size(std::string_view text, std::uint64_t unit) {
    const auto wrong = [&] {
        return bad("'" + std::string(text) + "' is no size", "as in 512K, 100M or 1G");
    };
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || number == 0) return wrong();
    const auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
    const auto factor = rest.empty() ? unit : bytes_of_unit(rest);
    if (factor == 0 || number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor)
        return wrong();
    return number * factor;
}

Result<std::uint32_t> parse_buffer(std::string_view text) {
    constexpr std::uint64_t kib = 1024;
    const auto bytes = parse_size(text, kib);
    if (!bytes) return bytes.error();
    const auto whole = (*bytes + kib - 1) / kib;
    if (whole > std::numeric_limits<std::uint32_t>::max())
        return bad("'" + std::string(text) + "' is more than a buffer can have", {});
    return static_cast<std::uint32_t>(whole);
}

Result<Ring> parse_ring(std::string_view text) {
    const auto colon = text.find(':');
    const auto files = parse_whole(text.substr(0, colon));
    if (colon == std::string_view::npos || !files || *files == 0)
        return bad("'" + std::string(text) + "' is not FILES:SIZE", "as in 10:100M");
    const auto bytes = parse_size(text.substr(colon + 1), 1);
    if (!bytes) return bytes.error();
    return Ring{*files, *bytes};
}

}  // namespace netlab::cli
