#include "tests/netns/test_network.hpp"

#include "tests/netns/operation_process.hpp"
#include "tests/support/command.hpp"

#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace netlab::test {

namespace {

UniqueFd file_with(const std::string& text) {
    if (text.empty()) return {};
    UniqueFd file(::memfd_create("text", MFD_CLOEXEC));
    if (::write(file.get(), text.data(), text.size()) != std::ssize(text)) throw std::runtime_error("memfd");
    return file;
}

void must(const std::string& command) {
    if (!shell(command)) throw std::runtime_error("failed: " + command);
}

/// The kernel tells IPv6 of a carrier from a queue of its own, and only then has the interface an address, if
/// it is to have one at all.
void settle(const std::string& netns, const std::string& interface) {
    const auto has_address =
        "ip -n " + netns + " -6 -o addr show dev " + interface + " scope link | grep -q fe80";
    const auto wants_none =
        "ip netns exec " + netns + " grep -q 1 /proc/sys/net/ipv6/conf/" + interface + "/disable_ipv6";
    if (shell(has_address) || shell(wants_none)) return;
    if (!support::eventually([&] { return shell(has_address); }, std::chrono::seconds(5)))
        throw std::runtime_error(interface + " of " + netns + " has no link-local address");
}

}  // namespace

TestNetwork::TestNetwork(const std::string& letters) : letters_(letters) {
    for (const char letter : letters_) {
        must("ip netns add " + name(letter));
        ip(letter, "link set lo up");
    }
}

TestNetwork::~TestNetwork() {
    for (const char letter : letters_)
        (void)shell("ip netns del " + name(letter));
}

std::string TestNetwork::name(char letter) const {
    return "netlab-test-" + std::to_string(::getpid()) + "-" + letter;
}

void TestNetwork::ip(char letter, const std::string& words) const {
    must("ip -n " + name(letter) + " " + words);
}

void TestNetwork::veth(char a, const std::string& a_interface, const std::string& a_address, char b,
                       const std::string& b_interface, const std::string& b_address) const {
    ip(a, "link add " + a_interface + " type veth peer name " + b_interface + " netns " + name(b));
    // Without duplicate address detection an IPv6 address can be used at once.
    if (!a_address.empty())
        ip(a, "addr add " + a_address + " dev " + a_interface +
                  (a_address.find(':') == a_address.npos ? "" : " nodad"));
    if (!b_address.empty())
        ip(b, "addr add " + b_address + " dev " + b_interface +
                  (b_address.find(':') == b_address.npos ? "" : " nodad"));
    ip(a, "link set " + a_interface + " up");
    ip(b, "link set " + b_interface + " up");
    settle(name(a), a_interface);
    settle(name(b), b_interface);
}

void TestNetwork::batch(char letter, const std::string& lines) const {
    must("ip -n " + name(letter) + " -batch - <<'END'\n" + lines + "END");
}

void TestNetwork::addresses(char letter, const std::string& interface, int count) const {
    std::string lines;
    for (int i = 0; i < count; ++i)
        lines += "addr add 10.2." + std::to_string(i / 256) + "." + std::to_string(i % 256) + " dev " +
                 interface + "\n";
    batch(letter, lines);
}

operations::TargetHandle TestNetwork::handle(char letter, const std::string& resolv_conf,
                                             const std::string& hosts) const {
    operations::TargetHandle handle;
    handle.net = UniqueFd(::open(("/run/netns/" + name(letter)).c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (::fstat(handle.net.get(), &status) != 0) throw std::runtime_error("no namespace");
    handle.device = status.st_dev;
    handle.inode = status.st_ino;
    handle.resolv_conf = file_with(resolv_conf);
    handle.hosts = file_with(hosts);
    return handle;
}

void TestNetwork::remove(char letter) {
    must("ip netns del " + name(letter));
    std::erase(letters_, letter);
}

NamespaceProcess::NamespaceProcess(const std::string& network_namespace,
                                   const std::function<void(int ready)>& body) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ == 0) {
        reader.reset();
        // A group of its own, so that what it starts ends with it.
        ::setpgid(0, 0);
        const UniqueFd net(::open(("/run/netns/" + network_namespace).c_str(), O_RDONLY | O_CLOEXEC));
        if (::setns(net.get(), CLONE_NEWNET) != 0) std::_Exit(1);
        body(writer.get());
        std::_Exit(0);
    }
    writer.reset();
    char byte = 0;
    if (::read(reader.get(), &byte, 1) != 1) {
        kill();
        throw std::runtime_error("the process in " + network_namespace + " did not start");
    }
}

NamespaceProcess::~NamespaceProcess() {
    kill();
}

void NamespaceProcess::kill() {
    if (pid_ < 0) return;
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);  // it may not have come as far as its group
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

}  // namespace netlab::test
