#include "daemon/kernel/namespace.hpp"
#include "daemon/kernel/processes.hpp"
#include "daemon/kernel/sock_diag.hpp"
#include "daemon/operations/docker_upstreams.hpp"
#include "daemon/operations/passwd.hpp"
#include "daemon/operations/proxy_processes.hpp"
#include "tests/fuzz/check.hpp"

#include <sys/socket.h>

/// /proc: the kernel writes it, but the names and arguments of processes are whatever their owner wants; and
/// the passwd file that gives users their names.

using namespace netlab;
using namespace netlab::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto text = as_text({data + 1, size - 1});
    kernel::InetSocket socket;
    switch (data[0] % 6) {
        case 0:
            (void)kernel::parse_process_status(text);
            break;
        case 1:
            (void)kernel::parse_start_time(text);
            (void)kernel::socket_inode(text);
            break;
        case 2:
            (void)kernel::parse_proc_raw(text, AF_INET, socket);
            (void)kernel::parse_proc_raw(text, AF_INET6, socket);
            break;
        case 3:
            if (const auto end = operations::parse_docker_proxy(text)) check(end->port != 0);
            (void)operations::is_port_proxy(text);
            (void)operations::only_reserves_port(text);
            break;
        case 4:
            (void)operations::parse_dockerd_arguments(text);
            break;
        default:
            if (const auto name = operations::UserNames(text).find(0))
                check(name->find_first_of(":\n") == name->npos && !name->empty());
            break;
    }
    return 0;
}
