#pragma once

#include "common/api/target.hpp"

/// The daemon's own operations, which keep the registry warm. None of them has a path. Their records go to
/// the front in the form of common/binary and nowhere else.
namespace netlab::api {

/// Follows one engine's /events stream. Connects in `prepare`; says `up` once it is subscribed (nothing that
/// happens from then on is missed, so the front now inspects all), then a record for each event, then `down`
/// and ends. Where the socket is absent or refuses, it says `down` at once and ends when the socket may have
/// come back (inotify). However it ends, the front starts it again, with back-off where it ended within a
/// second.
struct WatchEngineRequest {
    Runtime runtime = Runtime::docker;
    std::string socket;  ///< path of the engine's Unix socket
    friend bool operator==(const WatchEngineRequest&, const WatchEngineRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(WatchEngineRequest, (), (runtime, socket))

enum class EngineRecordKind : std::uint8_t {
    up,
    down,               ///< targets stay known; `message` says why
    container_changed,  ///< inspect this one again (created, started, died, renamed, connected, …). Bursts
                        ///< are common: coalesce
    container_removed,
    networks_changed,  ///< something changed that names no container: inspect all
};
BOOST_DESCRIBE_ENUM(EngineRecordKind, up, down, container_changed, container_removed, networks_changed)

struct EngineRecord {
    EngineRecordKind kind = EngineRecordKind::down;
    std::string container;  ///< full ID, for the container_ kinds
    std::string message;    ///< why it is down
    friend bool operator==(const EngineRecord&, const EngineRecord&) = default;
};
BOOST_DESCRIBE_STRUCT(EngineRecord, (), (kind, container, message))

/// Asks an engine for its containers once: all of them, or those named. Answers with a ContainerRecord each,
/// then ends. With `all`, once it has ended without an error, a container that it did not say is gone.
struct InspectEngineRequest {
    Runtime runtime = Runtime::docker;
    std::string socket;
    bool all = false;
    std::vector<std::string> containers;  ///< full IDs
    friend bool operator==(const InspectEngineRequest&, const InspectEngineRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(InspectEngineRequest, (), (runtime, socket, all, containers))

/// One container as the engine knows it. `target.namespace_` and the interfaces' names are not filled: the
/// engine does not know them.
struct ContainerRecord {
    Target target;
    bool gone = false;         ///< the engine has no such container any more; only target.id is meant
    std::string sandbox_path;  ///< SandboxKey, "" where there is none
    std::string compose_project;
    std::string compose_service;
    friend bool operator==(const ContainerRecord&, const ContainerRecord&) = default;
};
BOOST_DESCRIBE_STRUCT(ContainerRecord, (), (target, gone, sandbox_path, compose_project, compose_service))

/// Reads (device, inode), the first process' start time and the interfaces of each namespace that it was
/// given; ends.
struct IdentifyRequest {
    std::vector<std::string> ids;  ///< one key for each namespace given, handed back in the records
    friend bool operator==(const IdentifyRequest&, const IdentifyRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(IdentifyRequest, (), (ids))

struct InterfaceFacts {
    std::uint32_t index = 0;
    std::string name;
    std::string mac;
    bool loopback = false;
    bool bridge = false;  ///< its kind is "bridge"
    bool port = false;    ///< it is enslaved to a master: a bridge port
    std::vector<IpPrefix> addresses;
    friend bool operator==(const InterfaceFacts&, const InterfaceFacts&) = default;
};
BOOST_DESCRIBE_STRUCT(InterfaceFacts, (), (index, name, mac, loopback, bridge, port, addresses))

struct NamespaceRecord {
    std::string id;  ///< the key from the request; for WatchNamespaces: the path, "" for the host
    bool removed =
        false;  ///< a named namespace that is no more (never said by a worker; for Registry::apply)
    bool complete =
        false;  ///< WatchNamespaces only: a mark, nothing else in it is meant (see WatchNamespacesRequest)
    std::uint64_t device = 0;  ///< 0 and 0: it could not be opened
    std::uint64_t inode = 0;
    std::uint64_t start_time =
        0;  ///< of the process, in clock ticks (proc(5), field 22); 0 where there is none
    std::vector<InterfaceFacts> interfaces;
    friend bool operator==(const NamespaceRecord&, const NamespaceRecord&) = default;
};
BOOST_DESCRIBE_STRUCT(NamespaceRecord, (), (id, removed, complete, device, inode, start_time, interfaces))

/// Follows the named namespaces of some directories, and the addresses in each and in the host's (rtnetlink
/// multicast). Says a NamespaceRecord for the host and for each that exists, then one with only `complete`
/// set: a named namespace that was not said between the start of this worker and that mark is gone. After it,
/// a record for each whose addresses changed. It never says `removed`: it ends when a name comes or goes, and
/// the front starts it anew (at once; with back-off where it ended within 50 ms). The front keeps what it
/// knows until the next mark, so that nothing flickers.
struct WatchNamespacesRequest {
    std::vector<std::string> directories;
    friend bool operator==(const WatchNamespacesRequest&, const WatchNamespacesRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(WatchNamespacesRequest, (), (directories))

}  // namespace netlab::api
