#pragma once

#include "common/api/resolv.hpp"
#include "common/api/target.hpp"

#include <optional>

/// What is wrong with Docker's embedded resolver in one container. Pure.
namespace netlab::operations {

/// The address that Docker's resolver has in every container on a network that a user made
/// (libnetwork, sandbox_dns_unix.go).
inline constexpr std::string_view embedded_address = "127.0.0.11";

/// It is Docker's resolver that a program in `target` means by `server`.
[[nodiscard]] bool is_embedded_resolver(const api::Target& target, std::string_view server);

/// Nothing where rules and sockets are as they should be, and where it is not known: then the answers have to
/// tell. `engine_answers`: Docker took a connection; false: it does not run, or hangs.
[[nodiscard]] std::optional<api::ResolvFinding> explain_embedded_resolver(
    const api::Target& target, const api::EmbeddedResolverRow& embedded, bool engine_answers);

}  // namespace netlab::operations
