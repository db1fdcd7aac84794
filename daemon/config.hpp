#pragma once

#include "common/api/role.hpp"
#include "common/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace netlab {

/// netlabd.toml. Every key is optional; these are the defaults.
struct Config {
    struct Listen {
        std::string socket = "/run/netlab/netlabd.sock";
        std::string group = "netlab";
        unsigned mode = 0660;
    } listen;

    struct Engines {
        std::vector<std::string> docker{"unix:///run/docker.sock"};
        std::vector<std::string> podman{"unix:///run/podman/podman.sock"};
        std::vector<std::string> netns_dirs{"/run/netns"};
    } engines;

    /// Names of groups. uid 0 has every role without a group. Seeing other people's packets, changing the
    /// firewall's tables (if only for a trace) and probing without a cap are for groups of their own.
    struct Access {
        std::vector<std::string> observe{"netlab"};
        std::vector<std::string> probe{"netlab"};
        std::vector<std::string> trace{"netlab-trace"};
        std::vector<std::string> capture{"netlab-capture"};
        std::vector<std::string> host{"netlab-host"};
    } access;

    /// What one user, root aside, may have under way at once.
    struct Limits {
        std::uint64_t operations = 64;
        std::uint64_t packets_per_second = 200'000;
        std::uint64_t capture_mib = 1024;  ///< of packets that wait in the kernel
    } limits;

    struct Process {
        std::string user = "netlab";
        std::uint64_t patience_s = 30;  ///< for front and launcher to answer the supervisor; 0: without end
    } process;

    struct Log {
        std::string level = "info";  ///< trace, debug, info, warn, error
    } log;
};

/// `name` is what messages call the text. errc::bad_request with the line, and for an unknown key the nearest
/// known one.
[[nodiscard]] Result<Config> parse_config(std::string_view text, const std::string& name);

/// errc::not_found where there is no such file, errc::bad_request where it cannot be read or taken.
[[nodiscard]] Result<Config> read_config(const std::string& path);

}  // namespace netlab
