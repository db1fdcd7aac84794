#include "common/api/dns.hpp"

#include "common/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace netlab::api {

namespace {

// IANA, "Domain Name System (DNS) Parameters".
constexpr std::array types{DnsType{"A", 1},    DnsType{"AAAA", 28}, DnsType{"PTR", 12}, DnsType{"CNAME", 5},
                           DnsType{"MX", 15},  DnsType{"NS", 2},    DnsType{"SOA", 6},  DnsType{"SRV", 33},
                           DnsType{"TXT", 16}, DnsType{"ANY", 255}, DnsType{"CAA", 257}};

bool same_word(std::string_view a, std::string_view b) {
    const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
    return std::ranges::equal(a, b, {}, upper, upper);
}

std::string shown(std::string_view word) {
    constexpr std::size_t longest = 64;
    return "'" + valid_utf8(word.substr(0, longest)) + (word.size() > longest ? "…'" : "'");
}

Error bad(std::string message, std::string hint = {}) {
    return {errc::bad_request, std::move(message), std::move(hint), {}};
}

Error no_server(std::string_view text) {
    return bad(shown(text) + " is no address of a DNS server",
               "as in 192.0.2.1, 192.0.2.1:5353, 2001:db8::1, [2001:db8::1]:5353 or fe80::1%eth0");
}

/// An address as NAME has one type only.
bool is_address(std::string_view name) {
    return IpAddress::parse(name).has_value();
}

Result<void> check_type(const DnsRequest& request) {
    if (request.type.empty()) return {};
    const auto* type = find_dns_type(request.type);
    if (type == nullptr) {
        std::vector<std::string> names;
        for (const auto& known : types)
            names.emplace_back(known.name);
        return bad(shown(request.type) + " is no type of record that netlab asks for", join_or(names));
    }
    if (is_address(request.name) && type->name != "PTR") {
        return bad(request.name + " is an address: what DNS has of it is a PTR record",
                   "leave out " + std::string(type->name));
    }
    return {};
}

/// An address that is one server's.
Result<void> check_server(const std::string& word) {
    const auto server = parse_dns_server(word);
    if (!server) return server.error();
    const auto& address = server->address;
    const auto text = address.to_string();
    constexpr const char* hint = "a DNS server has an address of its own";
    if (address.is_multicast()) return bad(text + " is a multicast address", hint);
    if (text == "255.255.255.255") return bad(text + " is a broadcast address", hint);
    if (address.is_unspecified()) return bad(text + " is nobody's address", hint);
    return {};
}

Result<void> check_trace(const DnsRequest& request) {
    if (!request.trace) {
        if (request.root.empty()) return {};
        return bad("root: it is where a trace begins", "--trace --root " + request.root);
    }
    if (request.all_servers || !request.servers.empty())
        return bad("a trace asks the servers that it is referred to", "--root says where it begins");
    if (request.root.empty()) return {};
    return check_server(request.root);
}

}  // namespace

std::span<const DnsType> dns_types() {
    return types;
}

const DnsType* find_dns_type(std::string_view name) {
    const auto* at =
        std::ranges::find_if(types, [&](const DnsType& type) { return same_word(type.name, name); });
    return at == types.end() ? nullptr : &*at;
}

Result<DnsServerWord> parse_dns_server(std::string_view text) {
    DnsServerWord server;
    auto host = text;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == text.npos) return no_server(text);
        host = text.substr(1, end - 1);
        port = text.substr(end + 1);
        if (!port.empty() && !port.starts_with(':')) return no_server(text);
    } else if (const auto colon = text.find(':'); colon != text.npos && colon == text.rfind(':')) {
        host = text.substr(0, colon);
        port = text.substr(colon);
    }
    if (!port.empty()) {
        const auto digits = port.substr(1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), server.port);
        if (error != std::errc{} || end != digits.data() + digits.size() || server.port == 0)
            return no_server(text);
    }
    const auto percent = host.find('%');
    const auto address = IpAddress::parse(host.substr(0, percent));
    if (!address || (text.starts_with('[') && address->is_v4())) return no_server(text);
    server.address = *address;
    if (percent == host.npos) return server;
    constexpr std::size_t longest_interface = 15;  // IFNAMSIZ without its zero
    server.zone = host.substr(percent + 1);
    const bool zone = address->is_v6() && !server.zone.empty() && server.zone.size() <= longest_interface;
    if (!zone || server.zone.find('\0') != server.zone.npos) return no_server(text);
    return server;
}

Result<void> check(const DnsRequest& request, Roles) {
    if (request.from.empty()) return bad("from: a target is needed");
    if (request.name.empty()) return bad("name: a name or an address is needed", "the root of DNS is '.'");
    if (!(request.wait_ms > 0) || request.wait_ms > DnsLimits::wait_ms)
        return bad("wait: more than 0, up to 60 seconds");
    if (request.servers.size() > DnsLimits::servers)
        return bad("servers: " + std::to_string(DnsLimits::servers) + " at most");
    for (const auto& server : request.servers) {
        if (auto one = check_server(server); !one) return one;
    }
    if (auto type = check_type(request); !type) return type;
    return check_trace(request);
}

std::uint32_t deadline_ms(const DnsRequest& request) {
    // The engine may be asked for a container's servers, and hangs.
    constexpr double besides = 3'000;
    return static_cast<std::uint32_t>(request.wait_ms + besides);
}

}  // namespace netlab::api
