#include "daemon/operations/interface_names.hpp"

#include "common/text.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>

namespace netlab::operations {

using Entry = std::pair<std::uint32_t, std::string>;

InterfaceNames::InterfaceNames(const std::vector<kernel::Link>& links) {
    for (const auto& link : links) {
        names_.emplace_back(link.index, link.name);
        for (const auto& name : link.alternative_names)
            alternatives_.emplace_back(link.index, name);
    }
    std::ranges::sort(names_);
}

Result<InterfaceNames> InterfaceNames::read(int route_socket) {
    const auto links = kernel::dump_links(route_socket);
    if (!links) return links.error();
    InterfaceNames names(links->rows);
    names.consistent_ = links->consistent;
    return names;
}

std::string InterfaceNames::operator[](std::uint32_t index) const {
    if (index == 0) return {};
    const auto found = std::ranges::lower_bound(names_, index, {}, &Entry::first);
    if (found != names_.end() && found->first == index) return found->second;
    return "if" + std::to_string(index);
}

bool InterfaceNames::has(std::uint32_t index) const {
    return std::ranges::binary_search(names_, index, {}, &Entry::first);
}

Result<std::uint32_t> InterfaceNames::find(const std::string& name) const {
    const auto found = std::ranges::find(names_, name, &Entry::second);
    if (found != names_.end()) return found->first;
    const auto alternative = std::ranges::find(alternatives_, name, &Entry::second);
    if (alternative != alternatives_.end()) return alternative->first;
    std::vector<std::string> names;
    for (const auto& [index, other] : names_)
        names.push_back(other);
    const auto near = nearest(name, names);
    // A list of thousands helps nobody.
    constexpr std::size_t most_listed = 32;
    std::stable_partition(names.begin(), names.end(),
                          [&](const std::string& other) { return std::ranges::count(near, other) > 0; });
    const bool cut = names.size() > most_listed;
    if (cut) names.resize(most_listed);
    const auto hint = (near.empty() ? std::string() : "did you mean " + join_or(near) + "? ") + "it has " +
                      list_and(names) + (cut ? " and more" : "");
    return Error{errc::no_such_interface, "there is no interface " + quoted(name) + " in the target", hint,
                 std::move(names)};
}

Result<void> InterfaceFilter::check(const InterfaceNames& names) {
    if (name_.empty()) return {};
    const auto found = names.find(name_);
    wanted_ = found ? *found : 0;
    if (found) {
        found_ = true;
        return {};
    }
    if (!several_) return found.error();
    missed_ = true;
    constexpr std::size_t most_near = 3;
    const auto near = nearest(name_, found.error().details);
    for (const auto& one : near) {
        if (near_.size() < most_near && std::ranges::count(near_, one) == 0) near_.push_back(one);
    }
    return {};
}

Result<void> InterfaceFilter::verdict() const {
    if (found_ || !missed_) return {};
    return Error{errc::no_such_interface, "none of the targets has an interface " + quoted(name_),
                 near_.empty() ? "" : "did you mean " + join_or(near_) + "?", near_};
}

}  // namespace netlab::operations
