#include "daemon/operations/operation.hpp"

#include <array>
#include <cerrno>

#include <sched.h>

namespace netlab::operations {

namespace {

// Zero-initialised before any Registration runs, whatever the order of the files.
constinit std::array<const Operation*, api::catalogue_size> table{};

}  // namespace

Result<void> Namespaces::enter(std::size_t index) {
    const auto& handle = handles_.at(index);
    if (!handle.net) return Error{errc::target_gone, "the target's network namespace is gone", {}, {}};
    // Never 0: systemd's RestrictNamespaces=net allows only the named type.
    if (::setns(handle.net.get(), CLONE_NEWNET) != 0) {
        return system_error(errc::operation_failed, "enter the network namespace", errno);
    }
    return {};
}

const Operation* find(std::uint16_t number) {
    return number < table.size() ? table[number] : nullptr;
}

void add(std::uint16_t number, const Operation& operation) {
    table.at(number) = new Operation(operation);
}

}  // namespace netlab::operations
