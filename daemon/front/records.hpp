#pragma once

#include "daemon/front/frames.hpp"
#include "daemon/front/workers.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace netlab::front {

/// The records of one of the daemon's own workers, one by one, strictly decoded.
class Records {
  public:
    explicit Records(Worker& worker) : worker_(worker), memory_(piece_size) {}

    /// nullopt after the last. errc of the worker's error frame, errc::protocol_error for what is no record,
    /// and what Worker::why_it_ended says where it died.
    template <class T>
    asio::awaitable<Result<std::optional<T>>> next() {
        auto bytes = co_await next_bytes();
        if (!bytes) co_return bytes.error();
        if (!*bytes) co_return std::optional<T>();
        auto record = binary::decode<T>(**bytes);
        if (!record) co_return record.error();
        co_return std::optional<T>(std::move(*record));
    }

  private:
    static constexpr std::size_t piece_size = 4096;  ///< a watcher's stays for as long as it lives

    asio::awaitable<Result<std::optional<std::span<const std::byte>>>> next_bytes();

    Worker& worker_;
    Frames frames_;
    std::vector<std::byte> memory_;
    std::span<const std::byte> rest_;
};

}  // namespace netlab::front
