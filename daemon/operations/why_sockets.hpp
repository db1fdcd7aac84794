#pragma once

#include "daemon/operations/listeners.hpp"
#include "daemon/operations/why_question.hpp"

#include <optional>
#include <vector>

/// What the sockets say where the packet may end. For `run`.
namespace netlab::operations {

class WhySockets {
  public:
    /// All are borrowed. The holders of `handles` must be settled before asleep() is asked.
    WhySockets(const WhyHandles& handles, const api::WhyRequest& request, const api::Context& context,
               const Topology& topology)
        : handles_(handles), request_(request), context_(context), topology_(topology) {}

    /// Whether something in the namespace of that place takes it; nullopt where it could not be asked.
    [[nodiscard]] std::optional<Judgement> judge(std::size_t place, const api::Endpoint& to) const;
    /// Whether the programs there that would take it are paused: of several containers that share the
    /// namespace, those whose socket `judged` is about. Of an echo, which the kernel answers, nobody's.
    [[nodiscard]] std::optional<Sleep> asleep(std::size_t place,
                                              const std::optional<Judgement>& judged) const;

  private:
    /// A sock_diag socket, borrowed; -1: none.
    [[nodiscard]] int socket_of(std::size_t place) const;
    /// Sockets that have that one's place, by their inodes.
    [[nodiscard]] std::vector<std::uint64_t> in_place_of(std::size_t place,
                                                         const api::Listener& wanted) const;

    const WhyHandles& handles_;
    const api::WhyRequest& request_;
    const api::Context& context_;
    const Topology& topology_;
};

}  // namespace netlab::operations
