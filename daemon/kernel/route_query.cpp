#include "daemon/kernel/route_query.hpp"

#include <utility>

#include <arpa/inet.h>

namespace netlab::kernel {

namespace {

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
    out.resize((out.size() + 3) & ~std::size_t{3});
}

void append_attribute(std::vector<std::byte>& out, std::uint16_t type, std::span<const std::byte> value) {
    const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
    append(out, std::as_bytes(std::span(&header, 1)));
    append(out, value);
}

void append_attribute(std::vector<std::byte>& out, std::uint16_t type, std::uint32_t value) {
    append_attribute(out, type, std::as_bytes(std::span(&value, 1)));
}

}  // namespace

std::vector<std::byte> route_request(const RouteQuery& query) {
    const auto length = static_cast<std::uint8_t>(query.destination.bytes().size() * 8);
    nlmsghdr message{};
    message.nlmsg_type = RTM_GETROUTE;
    rtmsg header{};
    header.rtm_family = query.destination.is_v4() ? AF_INET : AF_INET6;
    header.rtm_dst_len = length;
    header.rtm_src_len = query.from ? length : std::uint8_t{0};
    // IPv6 always says the table, and under strict checking refuses to be asked for it.
    if (query.destination.is_v4()) header.rtm_flags = RTM_F_LOOKUP_TABLE;
    if (query.which_entry) header.rtm_flags |= RTM_F_FIB_MATCH;
    std::vector<std::byte> out;
    append(out, std::as_bytes(std::span(&message, 1)));
    append(out, std::as_bytes(std::span(&header, 1)));
    append_attribute(out, RTA_DST, std::as_bytes(query.destination.bytes()));
    if (query.from) append_attribute(out, RTA_SRC, std::as_bytes(query.from->bytes()));
    if (query.input != 0) append_attribute(out, RTA_IIF, query.input);
    if (query.output != 0) append_attribute(out, RTA_OIF, query.output);
    if (query.mark != 0) append_attribute(out, RTA_MARK, query.mark);
    if (query.protocol == 0) return out;
    append_attribute(out, RTA_IP_PROTO, std::as_bytes(std::span(&query.protocol, 1)));
    for (const auto& [type, port] :
         {std::pair(RTA_SPORT, query.source_port), std::pair(RTA_DPORT, query.destination_port)}) {
        const auto big_endian = htons(port);
        append_attribute(out, type, std::as_bytes(std::span(&big_endian, 1)));
    }
    return out;
}

Result<RouteReply> query_route(int route_socket, const RouteQuery& query) {
    auto request = route_request(query);
    const auto answer = ask(route_socket, request);
    if (!answer) return answer.error();
    RouteReply reply;
    reply.error = answer->error;
    if (reply.error != 0) return reply;
    auto routes = parse_routes(answer->message);
    if (routes.empty())
        return Error{errc::operation_failed, "the kernel's answer to a route is not understood", {}, {}};
    reply.route = std::move(routes.front());
    reply.error = -static_cast<std::int32_t>(reply.route->error);
    return reply;
}

}  // namespace netlab::kernel
