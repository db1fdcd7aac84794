#include "common/api/links.hpp"

#include "daemon/operations/interface_names.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/link_row.hpp"

/// `netlab links`: RTM_GETLINK of each target, and the other ends in the other namespaces.
namespace netlab::operations::links {

namespace {

Result<KnownNamespaces> prepare(Namespaces& namespaces, const api::LinksRequest&,
                                const api::Context& context) {
    return KnownNamespaces(namespaces, context);
}

/// IFLA_LINK of what is no pair, and of a VXLAN its own attribute: the kernel says only one of the two.
std::optional<api::OtherEnd> parent_of(KnownNamespaces& known, const api::Context& context, std::size_t place,
                                       const kernel::LinkDetails& details) {
    auto index = details.link.peer.value_or(0);
    if (details.vxlan && details.vxlan->parent != 0) index = details.vxlan->parent;
    if (index == 0) return std::nullopt;
    const auto found = known.parent(place, details.link.peer_nsid, index);
    return known.describe(found, details.link.peer_nsid, index, context);
}

Result<void> run(KnownNamespaces& known, const api::LinksRequest& request, const api::Context& context,
                 Output& output) {
    InterfaceFilter filter(request.interface, context.targets.size());
    const auto inspect = [&](std::size_t i, Rows& rows) -> Result<void> {
        const auto& socket = known.socket(i);
        if (!socket) return socket.error();
        const auto links = kernel::dump_link_details(socket->get());
        if (!links) return links.error();
        rows.note(links->consistent);
        std::vector<kernel::Link> plain;
        for (const auto& details : links->rows) {
            known.remember(i, details.link);
            plain.push_back(details.link);
        }
        const InterfaceNames names(plain);
        if (auto checked = filter.check(names); !checked) return checked;
        for (const auto& details : links->rows) {
            if (!filter.admits(details.link.index)) continue;
            auto row = link_row(details);
            row.target = context.targets[i].name;
            if (details.link.master != 0) row.master = names[details.link.master];
            row.peer = peer_of(known, context, i, details.link);
            if (!row.peer) row.parent = parent_of(known, context, i, details);
            rows.add(row);
        }
        return {};
    };
    return inspect_each(context, output, inspect, [&](Rows&) { return filter.verdict(); });
}

const Registration<api::LinksRequest> registered{operation<prepare, run>({.descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::links
