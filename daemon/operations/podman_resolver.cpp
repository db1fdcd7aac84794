#include "daemon/operations/podman_resolver.hpp"

#include "common/endpoint.hpp"
#include "daemon/kernel/netlink.hpp"
#include "daemon/operations/resolver_sockets.hpp"

namespace netlab::operations {

Result<PodmanResolver> PodmanResolver::open() {
    auto diag = kernel::open_sock_diag_socket();
    if (!diag) return diag.error();
    kernel::SocketHolders holders;
    kernel::for_each_process([&](pid_t pid, int directory) {
        std::string name;
        constexpr std::size_t longest = 64;
        kernel::read_small_file(directory, "comm", longest, name);
        if (name == "aardvark-dns\n") holders.add(pid, directory);
    });
    return PodmanResolver(std::move(*diag), std::move(holders));
}

Result<api::EmbeddedResolverRow> PodmanResolver::read(const IpAddress& server) {
    holders_.settle();
    api::EmbeddedResolverRow row;
    row.engine = api::Runtime::podman;
    row.address = server.to_string();
    for (const auto& protocol : resolver_protocols()) {
        const auto sockets = listening_sockets(diag_.get(), protocol, server.family());
        if (!sockets) return sockets.error();
        auto& path = row.paths.emplace_back();
        path.protocol = protocol.name;
        path.to = endpoint_text(server, dns_port);
        for (const auto& socket : *sockets) {
            if (takes(socket, server, dns_port) && !path.socket) path.socket = owned(socket, holders_);
        }
    }
    return row;
}

}  // namespace netlab::operations
