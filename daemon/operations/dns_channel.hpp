#pragma once

#include "daemon/operations/name_search.hpp"
#include "daemon/operations/output.hpp"
#include "daemon/operations/resolv_conf.hpp"
#include "daemon/operations/target_watch.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

struct ares_channeldata;

namespace netlab::operations {

struct AresDestroy {
    void operator()(ares_channeldata* channel) const noexcept;
};
using AresChannel = std::unique_ptr<ares_channeldata, AresDestroy>;

/// What one server made of one name.
struct DnsReply {
    NameOutcome outcome = NameOutcome::timed_out;
    std::vector<IpAddress> addresses;  ///< in the families' order, then the server's
};

/// Asks one DNS server at a time by c-ares, which never chooses a server, a name or a moment itself: so it is
/// always known who answered what. Its sockets open in whatever namespace the process is in when it asks.
class DnsChannel {
  public:
    /// For `prepare`: c-ares reads /dev/urandom here. errc::operation_failed.
    [[nodiscard]] static Result<DnsChannel> open();

    /// For `run`. Asks `server` for the A or AAAA records of `name`, at once where both are wanted, and waits
    /// for all the answers until `until`. A truncated answer is asked for again over TCP. errc::target_gone,
    /// errc::operation_failed; a server that says no or nothing is no error.
    [[nodiscard]] Result<DnsReply> ask(const NameServer& server, const std::string& name,
                                       std::span<const Family> families, Output::Clock::time_point until,
                                       const TargetWatch& watch, Output& output);

  private:
    explicit DnsChannel(AresChannel channel) : channel_(std::move(channel)) {}

    AresChannel channel_;
};

/// Joins what a server said of each family: one address is success, "no such name" counts less than "no
/// address".
[[nodiscard]] NameOutcome join(std::span<const NameOutcome> outcomes);

}  // namespace netlab::operations
