#include "daemon/kernel/address.hpp"
#include "daemon/kernel/fdb.hpp"
#include "daemon/kernel/interface_settings.hpp"
#include "daemon/kernel/link.hpp"
#include "daemon/kernel/link_details.hpp"
#include "daemon/kernel/neighbour.hpp"
#include "daemon/kernel/neighbour_table.hpp"
#include "daemon/kernel/route.hpp"
#include "daemon/kernel/route_entry.hpp"
#include "daemon/kernel/rule.hpp"
#include "daemon/kernel/sock_diag.hpp"

/// Everything that takes netlink's bytes apart: the kernel's framing is trusted, what containers put into
/// names, options and attributes is not, and neither is a length.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace netlab::kernel;
    const auto bytes = std::as_bytes(std::span(data, size));
    (void)parse_links(bytes);
    (void)parse_link_details(bytes);
    (void)parse_addresses(bytes);
    for (const auto& neighbour : parse_neighbours(bytes)) {
        (void)neighbour_state_name(neighbour.state);
        (void)neighbour_flag_names(neighbour.flags);
        (void)neighbour.is_unanswered();
    }
    (void)parse_neighbour_table(bytes, netlab::Family::ipv4);
    for (const auto& entry : parse_fdb(bytes)) {
        (void)fdb_state_name(entry.state);
        (void)fdb_flag_names(entry);
    }
    (void)parse_routes(bytes);
    (void)parse_default_routes(bytes);
    (void)parse_rules(bytes);
    InterfaceSettings settings;
    take_settings(bytes, false, settings);
    take_settings(bytes, true, settings);
    take_force_forwarding(bytes, settings);
    (void)forwards(netlab::Family::ipv4, settings);
    (void)forwards(netlab::Family::ipv6, settings);
    InetSocket inet;
    UnixSocket local;
    PacketSocket packet;
    for_each_message(bytes, [&](std::uint16_t, std::span<const std::byte> message) {
        (void)parse_inet_socket(message, inet);
        (void)parse_unix_socket(message, local);
        (void)parse_packet_socket(message, packet);
    });
    return 0;
}
