#pragma once

#include "common/address.hpp"
#include "common/unique_fd.hpp"

#include <string>

namespace netlab::test {

/// Counts the packets of a namespace, on all its interfaces, that go to UDP or TCP port 53 of an IPv4
/// address.
class DnsPacketCounter {
  public:
    /// `network_namespace` is a name in /run/netns, or "" for the test's own. Throws where it cannot listen.
    DnsPacketCounter(const std::string& network_namespace, const IpAddress& to);
    /// Since it was made, or last asked.
    [[nodiscard]] int count();

  private:
    IpAddress to_;
    UniqueFd socket_;
};

}  // namespace netlab::test
