#include "daemon/operations/address_names.hpp"

#include <algorithm>

namespace netlab::operations {

AddressNames::AddressNames(const std::vector<api::NamedAddress>& names) : names_(names) {
    std::ranges::stable_sort(names_, {}, &api::NamedAddress::address);
}

const std::string* AddressNames::find(const IpAddress& address) const {
    const auto found = std::ranges::lower_bound(names_, address, {}, &api::NamedAddress::address);
    return found != names_.end() && found->address == address ? &found->name : nullptr;
}

}  // namespace netlab::operations
