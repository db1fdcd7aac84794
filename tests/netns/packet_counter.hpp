#pragma once

#include "common/address.hpp"
#include "common/unique_fd.hpp"

#include <string>
#include <vector>

namespace netlab::test {

/// Counts the packets of a namespace, on all its interfaces, that go to UDP or TCP port 53.
class DnsPacketCounter {
  public:
    /// `network_namespace` is a name in /run/netns, or "" for the test's own. Where `to` is not empty,
    /// packets to others do not count. Throws where it cannot listen.
    explicit DnsPacketCounter(const std::string& network_namespace, std::vector<IpAddress> to = {});
    /// Since it was made, or last asked.
    [[nodiscard]] int count();

  private:
    std::vector<IpAddress> to_;
    UniqueFd socket_;
};

}  // namespace netlab::test
