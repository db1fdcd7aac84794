#include "cli/connect_words.hpp"

#include "cli/options.hpp"
#include "common/address.hpp"

namespace netlab::cli {

namespace {

Error bad(std::string message, std::string hint) {
    return {errc::bad_request, std::move(message), std::move(hint), {}};
}

bool is_ipv6(std::string_view text) {
    const auto address = IpAddress::parse(text.substr(0, text.find('%')));
    return address && address->is_v6();
}

}  // namespace

Result<std::uint16_t> parse_port(std::string_view text) {
    const auto number = parse_whole(text);
    if (!number || *number == 0 || *number > 65'535)
        return bad("'" + std::string(text) + "' is no port", "a number from 1 to 65535");
    return static_cast<std::uint16_t>(*number);
}

Result<HostAndPort> parse_host_and_port(std::string_view text) {
    const std::string whole(text);
    std::string_view host;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == text.npos)
            return bad("'" + whole + "' has no ']'", "an IPv6 address is written [fd00::1]:80");
        host = text.substr(1, close - 1);
        const auto rest = text.substr(close + 1);
        if (rest.empty()) return bad("which port of " + whole + "?", whole + ":80");
        if (rest.front() != ':') return bad("'" + whole + "' is no address and port", "[fd00::1]:80");
        if (!is_ipv6(host))
            return bad("'" + std::string(host) + "' is no IPv6 address", "brackets are for those alone");
        port = rest.substr(1);
    } else {
        // The port would be taken for the address' last group, or the other way round.
        if (is_ipv6(text))
            return bad("'" + whole + "': where does the address end?", "[" + whole + "]:80 or [fd00::1]:80");
        const auto colon = text.rfind(':');
        if (colon == text.npos) return bad("which port of '" + whole + "'?", whole + ":80");
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        if (is_ipv6(host))
            return bad("'" + whole + "': an IPv6 address needs brackets",
                       "[" + std::string(host) + "]:" + std::string(port));
    }
    if (host.empty()) return bad("'" + whole + "' has no name or address before the port", "co2:80");
    const auto number = parse_port(port);
    if (!number) return number.error();
    return HostAndPort{std::string(host), *number};
}

}  // namespace netlab::cli
