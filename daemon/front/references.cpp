#include "daemon/front/references.hpp"

#include <algorithm>

namespace netlab::front {

Result<launcher::NamespaceReference> launcher_reference(const targets::NamespaceReference& reference) {
    launcher::NamespaceReference out;
    out.pid = reference.pid;
    out.start_time = reference.start_time;
    out.device = reference.device;
    out.inode = reference.inode;
    switch (reference.way) {
        case targets::Way::host:
            out.way = launcher::Way::host;
            out.pid = 0;
            return out;
        case targets::Way::process:
            out.way = launcher::Way::process;
            return out;
        case targets::Way::path:
            break;
    }
    // A path must leave room for the zero that ends it.
    if (reference.path.size() < out.path.size() && reference.path.find('\0') == reference.path.npos) {
        out.way = launcher::Way::path;
        std::ranges::copy(reference.path, out.path.begin());
        return out;
    }
    if (reference.pid == 0) {
        return Error{errc::too_large, "the path of the target's network namespace is too long", {}, {}};
    }
    out.way = launcher::Way::process;
    return out;
}

}  // namespace netlab::front
