#pragma once

#include <cstddef>
#include <functional>

/// Work that is shared among the processors, in an operation with Needs::threads.
namespace netlab::operations {

/// How many processors this process may use; from 1 to `most`. For `prepare`: it starts as many threads once,
/// because the C library's preparations for the first ones are nothing that `run` may do.
[[nodiscard]] std::size_t ready_for_threads(std::size_t most);

/// Calls part(0) to part(count - 1), at once: the last on the calling thread, each other on one of its own,
/// or on the calling thread where no thread can be had. Returns when all have; what one has thrown is thrown
/// then. Parts must share nothing that one of them writes.
void at_once(std::size_t count, const std::function<void(std::size_t)>& part);

}  // namespace netlab::operations
