#pragma once

#include "common/api/target.hpp"
#include "daemon/operations/explanation.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

/// What can be said about two targets from what their engines say, without sending anything.
namespace netlab::operations {

/// "a", "a and b", "a, b and c"; empty for none.
[[nodiscard]] std::string list_and(std::span<const std::string> words);

[[nodiscard]] bool is_container(const api::Target& target);
[[nodiscard]] bool is_running(const api::Target& target);  ///< a paused one is: its kernel answers

/// It was started into another container's network namespace (`--network container:`).
[[nodiscard]] bool shares_namespace(const api::Target& target);

/// "Docker", "Podman"; empty where there is no engine.
[[nodiscard]] std::string engine_name(api::Runtime runtime);
/// "docker", "podman": the command.
[[nodiscard]] std::string engine_command(api::Runtime runtime);

/// The engine's own default network, which has no DNS for the names of containers: "bridge", "podman".
[[nodiscard]] std::string default_network(api::Runtime runtime);

/// Names of the networks, in the engine's order, without repetition.
[[nodiscard]] std::vector<std::string> network_names(const api::Target& target);
/// Those without the engine's default one.
[[nodiscard]] std::vector<std::string> user_networks(const api::Target& target);
/// Networks that both are on; none where they are of different engines.
[[nodiscard]] std::vector<std::string> shared_networks(const api::Target& a, const api::Target& b);

/// "co1 is on net and bridge", "co5 is on the host's network", "co6 has no network", …
[[nodiscard]] std::string where_it_is(const api::Target& target);

/// " on net", " on eth0": the network or the interface of the target that the address is on; empty where it
/// is on none.
[[nodiscard]] std::string on_network(const api::Target& target, const IpAddress& address);

/// Both are containers with networks of their own, which an engine can join.
[[nodiscard]] bool are_on_networks(const api::Target& from, const api::Target& peer);
/// That the two share no network, and what would join them; nothing where they do, or where that cannot be
/// said.
[[nodiscard]] std::optional<Explanation> explain_apart(const api::Target& from, const api::Target& peer);

/// A command that puts both on one network where names resolve; empty where there is none that would.
[[nodiscard]] std::string connect_command(const api::Target& from, const api::Target& peer);

}  // namespace netlab::operations
