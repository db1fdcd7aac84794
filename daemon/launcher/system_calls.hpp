#pragma once

#include "common/sanitized.hpp"

#include <vector>

#include <linux/filter.h>

/// Which system calls what a worker becomes may make: lists of what is allowed, and all else kills it.
namespace netlab::launcher {

/// The system calls of `run`, compiled once in the launcher and installed in each worker.
struct SystemCallFilters {
    std::vector<sock_filter> plain;
    std::vector<sock_filter> with_ip_sockets;  ///< may also open and connect AF_INET and AF_INET6 sockets
    std::vector<sock_filter> with_threads;     ///< may also start threads, and no process
    std::vector<sock_filter> with_netfilter;  ///< may also open netfilter's sockets; of files it hears EACCES
};

/// With `sanitized` they allow in addition what the sanitizers' run-time calls, which is much: the lists
/// without it are those that netlab is installed with, and a sanitized build can make and judge them too.
/// Throws std::runtime_error where libseccomp cannot make them.
[[nodiscard]] SystemCallFilters make_filters(bool sanitized = is_sanitized);

}  // namespace netlab::launcher
