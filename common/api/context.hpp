#pragma once

#include "common/api/point.hpp"
#include "common/api/role.hpp"
#include "common/api/target.hpp"

#include <algorithm>
namespace netlab::api {

/// How the word that names the other end was found in the registry.
enum class PeerMatch : std::uint8_t {
    none,       ///< no target has that name or address
    name,       ///< by its bare name: what it resolves to is FROM's resolver's business
    explicit_,  ///< by a prefix such as `docker:`: no program in FROM would type that
    address,    ///< the word is an address that this target has
    host,       ///< the word is `host`
};
BOOST_DESCRIBE_ENUM(PeerMatch, none, name, explicit_, address, host)

/// An engine of the configuration, for operations that ask it.
struct EngineSocket {
    Runtime runtime = Runtime::docker;
    std::string socket;  ///< path of its Unix socket
    friend bool operator==(const EngineSocket&, const EngineSocket&) = default;
};
BOOST_DESCRIBE_STRUCT(EngineSocket, (), (runtime, socket))

/// What the front knows when it starts an operation; travels to the worker beside the request.
struct Context {
    std::vector<Target> targets;  ///< one for each target word of the request, in its order
    std::optional<Target> peer;   ///< the other end, where a target has that name or address
    PeerMatch peer_match = PeerMatch::none;
    bool peer_namespace = false;  ///< after those of `targets`, `prepare` is given the peer's namespace
    /// Row::published_on: running containers that publish that port of the host's, with that port alone;
    /// `prepare` is given their namespaces next. Those that could not be opened are empty.
    std::vector<Target> publishers;
    bool host_namespace = false;  ///< Row::beside_host: next is the host's, unless the target is the host
    /// Row::with_others: one target for each other namespace that is known. Their namespaces are the last
    /// that `prepare` is given; those that could not be opened are empty. Without networks, ports and image.
    std::vector<Target> others;
    /// Row::with_residents: the containers that live in a namespace with other targets, where one of them is
    /// paused or one of `targets` has joined it. Without networks, ports, image and those they share it with.
    std::vector<Target> residents;
    std::vector<EngineSocket> engines;  ///< Row::asking_engines
    std::vector<Role> roles;            ///< the caller's
    std::vector<std::string>
        similar;             ///< names of targets that are like the other end's word, where it names none
    bool truncated = false;  ///< more namespaces are known than one worker can be given: `others` lacks some

    std::vector<CapturePoint> points;  ///< Row::at, in the order of the request
    std::vector<NamedAddress>
        names;                   ///< Row::with_names: addresses of all running targets, as far as they fit
    bool names_complete = true;  ///< false: they did not all fit

    friend bool operator==(const Context&, const Context&) = default;
};
BOOST_DESCRIBE_STRUCT(Context, (),
                      (targets, peer, peer_match, peer_namespace, host_namespace, publishers, others,
                       residents, engines, roles, similar, truncated, points, names, names_complete))

/// A caller whose role lifts the caps of what he sends.
[[nodiscard]] inline bool is_uncapped(const Context& context) {
    return std::ranges::find(context.roles, Role::host) != context.roles.end();
}

/// What the front sends to a worker, in the form of common/binary.
template <class Request>
struct Order {
    Context context;
    Request request;
    BOOST_DESCRIBE_CLASS(Order, (), (context, request), (), ())
};

}  // namespace netlab::api
