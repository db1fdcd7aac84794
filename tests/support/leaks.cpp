#include "tests/support/leaks.hpp"

#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace netlab::support {

namespace {

namespace fs = std::filesystem;

std::set<std::string> names_in(const fs::path& directory) {
    std::set<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error))
        names.insert(entry.path().filename());
    return names;
}

std::set<std::string> descriptors() {
    std::set<std::string> all;
    const fs::path directory = "/proc/self/fd";
    for (const auto& name : names_in(directory)) {
        std::error_code error;
        const auto target = fs::read_symlink(directory / name, error).string();
        // The directory that is being listed is one of them.
        if (!error && target.find("/fd") == target.npos) all.insert(name + " -> " + target);
    }
    return all;
}

std::set<std::string> children() {
    std::ifstream file("/proc/thread-self/children");
    std::set<std::string> all;
    for (std::string pid; file >> pid;)
        all.insert(pid);
    return all;
}

/// Tests give their namespaces this prefix; those of other processes may come and go meanwhile.
std::set<std::string> test_namespaces() {
    std::set<std::string> all;
    const auto own = "netlab-test-" + std::to_string(::getpid()) + "-";
    for (const auto& name : names_in("/run/netns")) {
        if (name.starts_with(own)) all.insert(name);
    }
    return all;
}

void compare(std::string& out, const char* what, const std::set<std::string>& before,
             const std::set<std::string>& after) {
    for (const auto& entry : after) {
        if (!before.contains(entry)) out += std::string(what) + " left behind: " + entry + "\n";
    }
}

}  // namespace

Belongings belongings() {
    return {descriptors(), children(), test_namespaces()};
}

std::string left_behind(const Belongings& before, const Belongings& after) {
    std::string out;
    compare(out, "descriptor", before.descriptors, after.descriptors);
    compare(out, "child process", before.children, after.children);
    compare(out, "network namespace", before.namespaces, after.namespaces);
    return out;
}

}  // namespace netlab::support
