#pragma once

namespace netlab {

/// Sanitizers are compiled in: their run-time makes system calls and maps memory of its own, which what
/// confines a process has to leave it.
#ifdef NETLAB_SANITIZED
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

}  // namespace netlab
