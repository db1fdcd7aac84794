#pragma once

#include "common/api/context.hpp"
#include "common/api/watch.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What has a network namespace on this machine, by name: pure, no I/O. The watchers' records go in, answers
/// come out.
namespace netlab::targets {

/// One engine of the configuration; there may be several of a runtime.
struct Engine {
    api::Runtime runtime = api::Runtime::docker;
    std::string socket;
    friend auto operator<=>(const Engine&, const Engine&) = default;
};

enum class Way : std::uint8_t {
    host,     ///< the launcher's own namespace
    path,     ///< a file that the namespace is bound to; by `pid` where the path is not to be had
    process,  ///< /proc/PID/ns/net
};

/// How to get into a target's namespace, and what must be true of it then. The front makes a launcher's
/// reference of it.
struct NamespaceReference {
    Way way = Way::host;
    std::string path;
    std::int32_t pid = 0;          ///< 0: none
    std::uint64_t start_time = 0;  ///< of that process; 0: not known
    std::uint64_t device = 0;      ///< with `inode`: its identity; 0 and 0: not known
    std::uint64_t inode = 0;
    friend bool operator==(const NamespaceReference&, const NamespaceReference&) = default;
};

/// A target that runs.
struct Resolution {
    api::Target target;
    NamespaceReference reference;
};

/// The other end of an operation. A stopped one has no reference.
struct Peer {
    api::Target target;
    std::optional<NamespaceReference> reference;
    api::PeerMatch match = api::PeerMatch::none;
};

/// A namespace that `identify` should look into; `key` goes into IdentifyRequest::ids and comes back in the
/// record.
struct Unidentified {
    std::string key;
    NamespaceReference reference;
};

struct EngineState {
    bool up = false;
    std::string message;  ///< why it is down
    friend bool operator==(const EngineState&, const EngineState&) = default;
};

class Index;

class Registry {
  public:
    Registry();
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    /// A container as its engine knows it now; `gone` removes it.
    void apply(const Engine& engine, const api::ContainerRecord& record);
    /// All that an engine knows (InspectEngineRequest::all): what is not in `records` is gone.
    void replace(const Engine& engine, std::span<const api::ContainerRecord> records);
    /// EngineRecordKind::container_removed. Nothing happens where there is no such container.
    void remove(const std::string& container_id);
    /// Its containers stay known while an engine is down.
    void set_state(const Engine& engine, EngineState state);

    /// To be called when the watcher of namespaces is started: what it does not say until its `complete` is
    /// gone.
    void begin_namespaces();
    /// Of the watcher (host, named namespace, `complete`) or of `identify` (by the key of
    /// take_unidentified(), or by a container's full ID). A record that a newer ContainerRecord has made
    /// stale is ignored.
    void apply(const api::NamespaceRecord& record);

    /// Whether a named namespace of this path is known and is this very one.
    [[nodiscard]] bool has_named(const std::string& path, std::uint64_t device, std::uint64_t inode) const;

    /// Running containers whose namespace or interfaces may have changed since they were last identified;
    /// each is said once, until its ContainerRecord changes. At most `most`: ask again until it is empty.
    [[nodiscard]] std::vector<Unidentified> take_unidentified(std::size_t most = 256);
    /// The answer for this key is not going to come: it is said again by take_unidentified().
    void identify_again(std::string_view key);

    /// Every target: containers by runtime and name (co2 before co10), named namespaces, the host last. Valid
    /// until the next change. A named namespace that only is an engine's handle of a container is left out.
    [[nodiscard]] const std::vector<api::Target>& list() const;
    /// Counts changes of what list() says.
    [[nodiscard]] std::uint64_t version() const { return version_; }

    /// What a user may write for a target: a name, an ID prefix, `docker:co1`, `podman:web`, `netns:blue`,
    /// `pid:4242`, `host`, a compose service or `project/service`. errc::no_such_target with the nearest
    /// names, errc::ambiguous_target with the candidates in `details`, errc::target_not_running with its
    /// state, errc::bad_request for a PID that is none.
    [[nodiscard]] Result<Resolution> resolve(std::string_view word) const;

    /// One running target for each namespace that is known and identified: the host for its own, else a
    /// container before a process or a name, in the order of list().
    [[nodiscard]] std::vector<Resolution> namespaces() const;

    /// The running members of an engine's network, in the order of list(), each namespace once.
    /// errc::no_such_target with the nearest names where no running container is on a network of that name.
    [[nodiscard]] Result<std::vector<Resolution>> members(std::string_view network) const;

    /// Of a container that lives in another's namespace (`container:ID`) what that one publishes: it leads to
    /// both. Empty where they are not known to share one.
    [[nodiscard]] std::vector<api::PublishedPort> joined_ports(const api::Target& target) const;

    /// The engines of the configuration that have been heard of.
    [[nodiscard]] std::vector<Engine> engines() const;

    /// Down, without a reason, where nothing has been heard of it.
    [[nodiscard]] EngineState state_of(const Engine& engine) const;

    /// The names that are like a word which names nothing, best first; three at most.
    [[nodiscard]] std::vector<std::string> similar(std::string_view word) const;

    /// What netlab knows of the other end: `host`, a prefixed word, a bare name (of `from`'s runtime first),
    /// or an address that a running target has (one that shares a network with `from` first). No peer where
    /// no target is meant, or several. errc as resolve(), for prefixed words alone: no resolver knows those.
    [[nodiscard]] Result<std::optional<Peer>> find_peer(std::string_view word, const api::Target& from) const;

    /// The worst state among the engines of a runtime; nullopt where there is none.
    [[nodiscard]] std::optional<EngineState> engine_state(api::Runtime runtime) const;

  private:
    struct Container {
        Engine engine;
        api::ContainerRecord record;
        std::optional<api::NamespaceRecord> facts;  ///< of `identify`, for this very process
        std::uint64_t generation = 0;
        bool asked = false;
    };

    void changed();
    void keep(const Engine& engine, const api::ContainerRecord& record);
    void apply_identified(const api::NamespaceRecord& record);
    [[nodiscard]] const Index& index() const;

    std::map<std::string, Container> containers_;        ///< by full ID
    std::map<std::string, api::NamespaceRecord> named_;  ///< by path
    std::set<std::string> said_;                         ///< paths since begin_namespaces()
    std::optional<api::NamespaceRecord> host_;
    std::map<Engine, EngineState> engines_;
    std::uint64_t generation_ = 0;
    std::uint64_t version_ = 0;
    mutable std::unique_ptr<Index> index_;  ///< made when somebody asks; none after a change
};

}  // namespace netlab::targets
