#include "common/api/conntrack.hpp"

#include "common/text.hpp"

#include <array>
#include <charconv>

#include <netinet/in.h>

namespace netlab::api {

namespace {

struct ProtocolName {
    std::string_view name;
    std::uint8_t number;
};

constexpr ProtocolName protocols[] = {
    {"tcp", IPPROTO_TCP},   {"udp", IPPROTO_UDP},   {"icmp", IPPROTO_ICMP}, {"icmpv6", IPPROTO_ICMPV6},
    {"sctp", IPPROTO_SCTP}, {"dccp", IPPROTO_DCCP}, {"gre", IPPROTO_GRE},   {"udplite", IPPROTO_UDPLITE},
    {"esp", IPPROTO_ESP},   {"ah", IPPROTO_AH},     {"ipip", IPPROTO_IPIP}, {"igmp", IPPROTO_IGMP},
};

/// In the order of enum tcp_conntrack, then what is said of an entry of any protocol.
constexpr std::array state_words{"SYN_SENT", "SYN_RECV",  "ESTABLISHED", "FIN_WAIT",  "CLOSE_WAIT",
                                 "LAST_ACK", "TIME_WAIT", "CLOSE",       "SYN_SENT2", "UNREPLIED",
                                 "REPLIED",  "ASSURED",   "OFFLOAD"};

std::string state_form(std::string_view word) {
    std::string out;
    for (const char letter : word) {
        if (letter == '-') {
            out += '_';
        } else {
            out += letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
        }
    }
    return out;
}

bool have_ports(std::uint8_t protocol) {
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
           protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

Result<void> check_protocol(const ConntrackRequest& request) {
    if (!request.protocol) return {};
    const auto number = conntrack_protocol(*request.protocol);
    if (!number) {
        std::vector<std::string> names;
        for (const auto& entry : protocols)
            names.emplace_back(entry.name);
        const auto near = nearest(*request.protocol, names);
        return Error{errc::bad_request,
                     "there is no protocol " + quoted(*request.protocol),
                     near.empty() ? "known: " + join_or(names) + ", or its number"
                                  : "did you mean " + join_or(near) + "?",
                     {}};
    }
    const bool ports = request.port || request.source_port || request.destination_port;
    if (ports && !have_ports(*number))
        return Error{errc::bad_request, conntrack_protocol_name(*number) + " has no ports", {}, {}};
    return {};
}

}  // namespace

std::optional<std::uint8_t> conntrack_protocol(std::string_view word) {
    for (const auto& entry : protocols) {
        if (entry.name == word) return entry.number;
    }
    std::uint8_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return number;
}

std::string conntrack_protocol_name(std::uint8_t protocol) {
    for (const auto& entry : protocols) {
        if (entry.number == protocol) return std::string(entry.name);
    }
    return std::to_string(protocol);
}

std::optional<std::string> conntrack_state(std::string_view word) {
    auto form = state_form(word);
    for (const auto* known : state_words) {
        if (form == known) return form;
    }
    return std::nullopt;
}

std::vector<std::string> conntrack_state_names() {
    return {state_words.begin(), state_words.end()};
}

Error conntrack_of_host_denied() {
    return {errc::permission_denied,
            "all of the host's table shows other people's flows: it is for the capture role",
            "netlab conntrack TARGET shows one target's; [access] capture in netlabd.toml names the groups",
            {}};
}

Result<void> check(const ConntrackRequest& request, Roles roles) {
    for (const auto& state : request.states) {
        if (conntrack_state(state)) continue;
        const auto names = conntrack_state_names();
        const auto near = nearest(state_form(state), names);
        return Error{errc::bad_request,
                     "there is no conntrack state " + quoted(state),
                     near.empty() ? "known: " + join_or(names) : "did you mean " + join_or(near) + "?",
                     {}};
    }
    if (auto checked = check_protocol(request); !checked) return checked;
    if (request.target == "host" && !roles.has(Role::capture)) return conntrack_of_host_denied();
    return {};
}

Result<void> check(const ConntrackEventsRequest& request, Roles roles) {
    constexpr double longest_ms = 366.0 * 24 * 3'600'000;
    if (!(request.duration_ms >= 0) || request.duration_ms > longest_ms)
        return Error{errc::bad_request, "duration: from 0 to 366 days", {}, {}};
    constexpr std::uint32_t largest_kib = 65'536;
    if (request.buffer_kib > largest_kib)
        return Error{errc::bad_request, "buffer: " + std::to_string(largest_kib) + " KiB at most", {}, {}};
    return check(static_cast<const ConntrackRequest&>(request), roles);
}

std::uint32_t deadline_ms(const ConntrackRequest&) {
    return 600'000;
}

std::uint32_t deadline_ms(const ConntrackEventsRequest&) {
    return 0;
}

}  // namespace netlab::api
