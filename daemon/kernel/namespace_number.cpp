#include "daemon/kernel/namespace_number.hpp"

#include "daemon/kernel/netlink.hpp"

#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

struct NumberRequest {
    nlmsghdr message{};
    rtgenmsg header{};
    std::uint8_t padding[3]{};
    nlattr attribute{};
    std::uint32_t namespace_fd = 0;
};

}  // namespace

Result<std::optional<std::int32_t>> number_of_namespace(int route_socket, int namespace_fd) {
    NumberRequest request;
    request.message.nlmsg_type = RTM_GETNSID;
    request.attribute.nla_type = NETNSA_FD;
    request.attribute.nla_len = sizeof request.attribute + sizeof request.namespace_fd;
    request.namespace_fd = static_cast<std::uint32_t>(namespace_fd);
    const auto answer = ask(route_socket, std::as_writable_bytes(std::span(&request, 1)));
    if (!answer) return answer.error();
    if (answer->error != 0)
        return system_error(errc::operation_failed, "ask for a namespace's number", answer->error);
    std::int32_t number = NETNSA_NSID_NOT_ASSIGNED;
    for_each_message(answer->message, [&](std::uint16_t type, std::span<const std::byte> message) {
        // The header is one byte, and attributes begin at a multiple of four.
        constexpr std::size_t attributes = 4;
        if (type != RTM_NEWNSID || message.size() < attributes) return;
        for_each_attribute(message.subspan(attributes), [&](int attribute, std::span<const std::byte> value) {
            if (attribute == NETNSA_NSID) static_cast<void>(read(value, number));
        });
    });
    return number < 0 ? std::nullopt : std::optional(number);
}

}  // namespace netlab::kernel
