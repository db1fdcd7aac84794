#pragma once

#include "tests/support/command.hpp"

#include <memory>
#include <optional>

namespace netlab::support {

/// How a daemon under test is started.
struct DaemonSettings {
    std::string
        network_namespace;      ///< a name in /run/netns that becomes its `host`; empty: where the test runs
    std::string docker_socket;  ///< empty: no Docker
    std::string podman_socket;  ///< empty: no Podman
    std::string netns_dir = "/run/netns";
    std::string group = "root";
    std::string extra_config;  ///< appended to netlabd.toml
    Words prefix;              ///< what starts netlabd: "setpriv", … ; after nsenter
    std::map<std::string, std::string> environment;
};

/// A netlabd of its own, with its socket in a folder of its own, ended and cleared away at the end.
class Daemon {
  public:
    explicit Daemon(const DaemonSettings& settings);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    [[nodiscard]] std::string socket() const { return folder_ + "/netlabd.sock"; }
    [[nodiscard]] std::string folder() const { return folder_; }
    [[nodiscard]] pid_t pid() const { return process_->pid(); }
    [[nodiscard]] Process& process() { return *process_; }
    [[nodiscard]] std::string log() const { return process_->err_so_far(); }

    /// The PID of its launcher or front ("nl:launcher", "nl:front"), 0 where there is none at this moment.
    [[nodiscard]] pid_t child(std::string_view comm) const;
    /// PIDs of all workers with that name ("nl:ping"), wherever they hang in the tree.
    [[nodiscard]] std::vector<pid_t> workers(std::string_view comm) const;

    /// `netlab WORDS…` against this daemon.
    [[nodiscard]] Finished netlab(const Words& words) const;
    [[nodiscard]] Process start_netlab(const Words& words) const;
    [[nodiscard]] std::map<std::string, std::string> environment() const;

    /// A request as a hostile client would send it: bytes in, all bytes that come back until the other side
    /// closes or `patience` is over.
    [[nodiscard]] std::string raw(std::string_view bytes,
                                  std::chrono::milliseconds patience = std::chrono::seconds(3)) const;

  private:
    std::string folder_;
    std::unique_ptr<Process> process_;
};

/// The value of NAME in /proc/PID/status ("CapEff"), "" where there is none.
[[nodiscard]] std::string process_status(pid_t pid, std::string_view name);

}  // namespace netlab::support
