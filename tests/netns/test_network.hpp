#pragma once

#include "daemon/operations/operation.hpp"

#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace netlab::test {

/// Named namespaces of one test, each with its loopback up, removed at its end.
class TestNetwork {
  public:
    /// Makes netlab-test-PID-a, …-b, one for each letter.
    explicit TestNetwork(const std::string& letters);
    ~TestNetwork();
    TestNetwork(const TestNetwork&) = delete;
    TestNetwork& operator=(const TestNetwork&) = delete;

    [[nodiscard]] std::string name(char letter) const;
    /// `ip` in that namespace; throws where it fails.
    void ip(char letter, const std::string& words) const;
    /// A veth pair: an interface in each namespace, both up. An address may be "10.0.0.1/24" or empty.
    void veth(char a, const std::string& a_interface, const std::string& a_address, char b,
              const std::string& b_interface, const std::string& b_address) const;
    /// Lines for `ip -batch`, 100 KiB at most; throws where one fails.
    void batch(char letter, const std::string& lines) const;
    /// `count` IPv4 addresses, 10.2.0.0/32 and on: a table of many datagrams.
    void addresses(char letter, const std::string& interface, int count) const;
    /// As the launcher hands it to an operation; the files' text goes into resolv.conf and hosts.
    [[nodiscard]] operations::TargetHandle handle(char letter, const std::string& resolv_conf = {},
                                                  const std::string& hosts = {}) const;
    /// Removes the namespace's name.
    void remove(char letter);

  private:
    std::string letters_;
};

/// A child process in a namespace, killed and reaped at its end.
class NamespaceProcess {
  public:
    /// `body` gets a descriptor to write one byte to when it is ready; the constructor waits for it.
    NamespaceProcess(const std::string& network_namespace, const std::function<void(int ready)>& body);
    ~NamespaceProcess();
    NamespaceProcess(const NamespaceProcess&) = delete;
    NamespaceProcess& operator=(const NamespaceProcess&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    void kill();

  private:
    pid_t pid_ = -1;
};

}  // namespace netlab::test
