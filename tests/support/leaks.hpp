#pragma once

#include <set>
#include <string>

namespace netlab::support {

/// What a test could leave behind: this process' descriptors, its children (orphans of its children become
/// its own, see main.cpp), network namespaces named netlab-test-….
struct Belongings {
    std::set<std::string> descriptors;
    std::set<std::string> children;
    std::set<std::string> namespaces;
};

[[nodiscard]] Belongings belongings();

/// One line for each thing in `after` that was not in `before`; "" where there is none.
[[nodiscard]] std::string left_behind(const Belongings& before, const Belongings& after);

}  // namespace netlab::support
