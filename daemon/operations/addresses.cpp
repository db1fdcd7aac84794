#include "common/api/addresses.hpp"

#include "daemon/kernel/address.hpp"
#include "daemon/kernel/link.hpp"
#include "daemon/kernel/names.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/interface_names.hpp"

/// `netlab addrs`: RTM_GETADDR of each target.
namespace netlab::operations::addresses {

namespace {

using Handles = std::vector<Result<UniqueFd>>;

Result<Handles> prepare(Namespaces& namespaces, const api::AddressesRequest&, const api::Context& context) {
    return open_route_sockets(namespaces, context);
}

std::optional<std::uint32_t> seconds(std::uint32_t lifetime) {
    constexpr std::uint32_t for_ever = 0xFFFFFFFF;
    return lifetime == for_ever ? std::nullopt : std::optional(lifetime);
}

api::AddressRow row_of(const std::string& target, const kernel::Address& address,
                       const InterfaceNames& names) {
    api::AddressRow row;
    row.target = target;
    row.interface = names[address.index];
    row.index = address.index;
    row.family = address.prefix.address().family();
    row.address = address.prefix;
    row.peer = address.peer;
    row.broadcast = address.broadcast;
    row.scope = kernel::scope_name(address.scope);
    row.flags = kernel::address_flag_names(row.family, address.flags);
    row.label = address.label;
    row.valid_seconds = seconds(address.valid);
    row.preferred_seconds = seconds(address.preferred);
    return row;
}

Result<void> run(Handles& handles, const api::AddressesRequest& request, const api::Context& context,
                 Output& output) {
    InterfaceFilter filter(request.interface, context.targets.size());
    const auto inspect = [&](std::size_t i, Rows& rows) -> Result<void> {
        if (!handles[i]) return handles[i].error();
        const int socket = handles[i]->get();
        const auto names = InterfaceNames::read(socket);
        if (!names) return names.error();
        if (auto checked = filter.check(*names); !checked) return checked;
        const auto addresses = kernel::dump_addresses(socket);
        if (!addresses) return addresses.error();
        rows.note(names->consistent() && addresses->consistent);
        for (const auto& address : addresses->rows) {
            if (request.family && address.prefix.address().family() != *request.family) continue;
            if (!filter.admits(address.index)) continue;
            rows.add(row_of(context.targets[i].name, address, *names));
        }
        return {};
    };
    return inspect_each(context, output, inspect, [&](Rows&) { return filter.verdict(); });
}

const Registration<api::AddressesRequest> registered{
    operation<prepare, run>({.descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::addresses
