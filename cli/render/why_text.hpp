#pragma once

#include "cli/render/screen.hpp"
#include "common/api/why.hpp"

#include <string>

namespace netlab::cli::why_text {

/// "dropped at host, ip filter FORWARD", with what there is to say of it, and the way as a table. With
/// `steps` the packet's way through the rules, too.
[[nodiscard]] std::string report(const api::WhyReport& report, const Screen& screen, bool steps);

/// "co3:80/tcp": a destination as the command takes it. errc::bad_request.
struct Destination {
    std::string host;
    std::uint16_t port = 0;
    api::WhyProtocol protocol = api::WhyProtocol::icmp;
    friend bool operator==(const Destination&, const Destination&) = default;
};
[[nodiscard]] Result<Destination> parse_destination(std::string_view word);

}  // namespace netlab::cli::why_text
