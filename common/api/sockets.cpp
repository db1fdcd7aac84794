#include "common/api/sockets.hpp"

#include "common/text.hpp"

namespace netlab::api {

namespace {

/// include/net/tcp_states.h.
enum : std::uint32_t {
    established = 1U << 1,
    syn_sent = 1U << 2,
    syn_recv = 1U << 3,
    fin_wait_1 = 1U << 4,
    fin_wait_2 = 1U << 5,
    time_wait = 1U << 6,
    closed = 1U << 7,
    close_wait = 1U << 8,
    last_ack = 1U << 9,
    listening = 1U << 10,
    closing = 1U << 11,
    all = (1U << 12) - 2,
};

struct StateName {
    std::string_view name;
    std::uint32_t states;
};

/// ss.c, scan_state(): also the short forms that ss(8) prints.
constexpr StateName state_table[] = {
    {"established", established},
    {"estab", established},
    {"syn-sent", syn_sent},
    {"syn-recv", syn_recv},
    {"fin-wait-1", fin_wait_1},
    {"fin-wait-2", fin_wait_2},
    {"time-wait", time_wait},
    {"closed", closed},
    {"unconnected", closed},
    {"unconn", closed},
    {"close-wait", close_wait},
    {"last-ack", last_ack},
    {"listening", listening},
    {"listen", listening},
    {"closing", closing},
    {"all", all},
    {"connected", all & ~(closed | listening)},
    {"synchronized", all & ~(closed | listening | syn_sent)},
    {"bucket", syn_recv | time_wait},
    {"big", all & ~(syn_recv | time_wait)},
};

char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

}  // namespace

std::uint32_t socket_states(std::string_view name) {
    std::string word;
    for (const char letter : name)
        word += lower(letter) == '_' ? '-' : lower(letter);
    for (const auto& entry : state_table) {
        if (entry.name == word) return entry.states;
    }
    return 0;
}

std::vector<std::string> socket_state_names() {
    std::vector<std::string> names;
    for (const auto& entry : state_table)
        names.emplace_back(entry.name);
    return names;
}

Result<void> check(const SocketsRequest& request, Roles) {
    const auto names = socket_state_names();
    for (const auto& state : request.states) {
        if (socket_states(state) != 0) continue;
        const auto near = nearest(state, names);
        return Error{errc::bad_request,
                     "there is no socket state " + quoted(state),
                     near.empty() ? "known: " + join_or(names) : "did you mean " + join_or(near) + "?",
                     {}};
    }
    const auto has_ports = [&] {
        for (const auto kind : request.kinds) {
            if (kind == SocketKind::tcp || kind == SocketKind::udp) return true;
        }
        return request.kinds.empty();
    };
    if ((request.source_port || request.destination_port) && !has_ports())
        return Error{errc::bad_request, "only TCP and UDP sockets have ports", {}, {}};
    return {};
}

std::uint32_t deadline_ms(const SocketsRequest&) {
    return 600'000;
}

}  // namespace netlab::api
