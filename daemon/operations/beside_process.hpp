#pragma once

#include "daemon/operations/operation.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <span>
#include <type_traits>
#include <vector>

namespace netlab::operations {

/// A process beside the operation's own, for what takes CAP_NET_ADMIN at a time when `run` has no capability
/// any more: libnftables sends its requests itself, and a trace needs an address that `run` has found. It
/// keeps that one capability and is confined otherwise (Namespaces::confine_beside); it takes orders of one
/// size and answers each with bytes, which are as little to be trusted as the rules that they come from. It
/// ends with the operation's process, whatever ends that.
class BesideProcess {
  public:
    static constexpr std::size_t order_size = 128;
    using Order = std::array<std::byte, order_size>;
    using Bytes = std::vector<std::byte>;
    using Serve = std::function<Bytes(const Order&)>;

    static constexpr std::size_t largest_answer = 32U << 20;

    /// For `prepare`, with Needs::net_admin, and before anything is opened that is not for `serve`: the child
    /// inherits what is open, but for the namespaces. `serve` is called there, once for each order, in the
    /// namespace that the process is in now. errc::operation_failed.
    [[nodiscard]] static Result<BesideProcess> start(Namespaces& namespaces, const Serve& serve);

    /// For `run`. errc::operation_failed (it has ended, it is silent for longer than `patience`); after an
    /// error it is of no use any more.
    [[nodiscard]] Result<Bytes> ask(const Order& order, Output& output,
                                    std::chrono::milliseconds patience = std::chrono::seconds(3));

  private:
    explicit BesideProcess(UniqueFd channel) : channel_(std::move(channel)) {}
    [[nodiscard]] Result<void> read(std::span<std::byte> out, Output& output,
                                    Output::Clock::time_point until) const;

    UniqueFd channel_;
};

/// What the operation alone may have, though it is open when a BesideProcess is started later: its end of a
/// channel.
void keep_from_beside(int descriptor);

/// A plain struct of at most order_size bytes as an order, and back.
template <class T>
BesideProcess::Order to_order(const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= BesideProcess::order_size);
    BesideProcess::Order order{};
    std::memcpy(order.data(), &value, sizeof value);
    return order;
}
template <class T>
T from_order(const BesideProcess::Order& order) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= BesideProcess::order_size);
    T value;
    std::memcpy(&value, order.data(), sizeof value);
    return value;
}

}  // namespace netlab::operations
