#include "daemon/kernel/netlink.hpp"
#include "daemon/operations/interface_facts.hpp"
#include "daemon/operations/operation.hpp"

namespace netlab::operations::identify {

namespace {

/// The records as far as they are known without asking the kernel's tables, and a route socket for each.
struct Handles {
    std::vector<api::NamespaceRecord> records;
    std::vector<UniqueFd> sockets;  ///< empty where the namespace could not be opened or entered
};

Result<Handles> prepare(Namespaces& namespaces, const api::IdentifyRequest& request, const api::Context&) {
    if (request.ids.size() != namespaces.size()) {
        return Error{errc::bad_request, "identify: a key is needed for each namespace", {}, {}};
    }
    Handles handles;
    for (std::size_t i = 0; i < namespaces.size(); ++i) {
        auto& record = handles.records.emplace_back();
        auto& socket = handles.sockets.emplace_back();
        record.id = request.ids[i];
        if (!namespaces[i].net || !namespaces.enter(i)) continue;
        record.device = namespaces[i].device;
        record.inode = namespaces[i].inode;
        record.start_time = namespaces[i].start_time;
        namespaces[i].net.reset();
        if (auto opened = kernel::open_route_socket()) socket = std::move(*opened);
    }
    return handles;
}

/// One namespace that changes without end must not hold up all that come after it.
constexpr std::chrono::milliseconds patience{50};

Result<void> run(Handles& handles, const api::IdentifyRequest&, const api::Context&, Output& output) {
    for (std::size_t i = 0; i < handles.records.size(); ++i) {
        auto& record = handles.records[i];
        if (handles.sockets[i]) {
            // Without its interfaces a target still can be entered: its identity is what matters.
            if (auto interfaces = read_interfaces(handles.sockets[i].get(), patience)) {
                record.interfaces = std::move(interfaces->facts);
            }
        }
        output.record(record);
    }
    return {};
}

const Registration<api::IdentifyRequest> registered{
    operation<prepare, run>({.start_times = true, .namespaces_may_fail = true, .descriptors = 512})};

}  // namespace

}  // namespace netlab::operations::identify
