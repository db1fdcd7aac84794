#pragma once

#include "common/api/inspection.hpp"
#include "common/api/sockets.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/processes: the processes in targets' network namespaces. A stream of ProcessRow, then an
/// InspectionReport. Those of the host's namespace are for the host role, and so are command lines.
struct ProcessesRequest {
    std::vector<std::string> targets;
    bool all = false;
    friend bool operator==(const ProcessesRequest&, const ProcessesRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(ProcessesRequest, (), (targets, all))

/// A port that a process takes connections or datagrams on.
struct ListeningPort {
    std::string protocol;  ///< tcp or udp
    std::string address;
    std::uint16_t port = 0;
    std::optional<bool> v6only;  ///< as SocketRow::v6only
    friend bool operator==(const ListeningPort&, const ListeningPort&) = default;
    friend auto operator<=>(const ListeningPort&, const ListeningPort&) = default;
};
BOOST_DESCRIBE_STRUCT(ListeningPort, (), (protocol, address, port, v6only))

struct ProcessRow {
    static constexpr std::string_view type = "process";
    std::string target;
    std::int32_t pid = 0;             ///< in the innermost PID namespace that it is in
    std::int32_t host_pid = 0;        ///< as the daemon's host sees it
    std::int32_t parent_pid = 0;      ///< of the host's view
    std::uint32_t uid = 0;            ///< effective, as the host counts
    std::optional<std::string> user;  ///< where the host's /etc/passwd is the process' own
    std::string name;                 ///< any bytes, 15 at most
    std::string state;                ///< R, S, D, T, Z, …
    std::uint32_t threads = 0;
    std::vector<ListeningPort> ports;
    std::optional<std::string> command;  ///< 4 KiB of it at most; absent: not for this caller, or it has none
};
BOOST_DESCRIBE_STRUCT(ProcessRow, (),
                      (target, pid, host_pid, parent_pid, uid, user, name, state, threads, ports, command))

}  // namespace netlab::api
