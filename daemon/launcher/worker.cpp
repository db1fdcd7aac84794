#include "daemon/launcher/worker.hpp"

#include "daemon/kernel/waiting_child.hpp"
#include "daemon/launcher/namespaces.hpp"

#include <csignal>
#include <cstdlib>
#include <exception>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

namespace netlab::launcher {

namespace {

/// The name in `ps`: "nl:ping".
void name_process(std::uint16_t operation) {
    std::string name = "nl:";
    std::uint16_t number = 0;
    std::apply([&](const auto&... row) { ((number++ == operation ? void(name += row.name) : void()), ...); },
               api::catalogue);
    ::prctl(PR_SET_NAME, name.c_str(), 0, 0, 0);
}

/// Leaves the worker with its stream, the host's namespace and nothing else that was the launcher's.
/// Returns their new numbers in `stream` and `host`.
void keep_only(int& stream, int& host) {
    constexpr int first = 3;
    // Out of the way first: either may be where the other has to go.
    const int high_stream = ::fcntl(stream, F_DUPFD_CLOEXEC, 16);
    const int high_host = ::fcntl(host, F_DUPFD_CLOEXEC, 16);
    if (high_stream < 0 || high_host < 0 || ::dup3(high_stream, first, O_CLOEXEC) < 0 ||
        ::dup3(high_host, first + 1, O_CLOEXEC) < 0) {
        std::_Exit(EXIT_FAILURE);
    }
    ::close_range(first + 2, ~0U, 0);
    stream = first;
    host = first + 1;
    // A worker says what it has to say on its stream; a log line of its own could be made to look like
    // another's.
    if (const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0) {
        ::dup2(null, STDIN_FILENO);
        ::dup2(null, STDOUT_FILENO);
#ifndef NETLAB_SANITIZED
        ::dup2(null, STDERR_FILENO);
#endif
        ::close(null);
    }
}

void reset_signals() {
    for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGALRM})
        std::signal(signal, SIG_DFL);
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// SIGALRM ends the worker, in its own time; of one that does not let it, the front sees to that
/// (front::Worker).
void arm(std::uint32_t deadline_ms) {
    if (deadline_ms == 0) return;
    itimerval timer{};
    timer.it_value.tv_sec = static_cast<time_t>(deadline_ms / 1000);
    timer.it_value.tv_usec = static_cast<suseconds_t>(deadline_ms % 1000) * 1000;
    ::setitimer(ITIMER_REAL, &timer, nullptr);
}

Result<void> operate(const WorkerSetting& setting, const Launch& launch, int stream, int host,
                     operations::Output& output) {
    const auto& operation = *operations::find(launch.header.operation);
    auto namespaces = open_namespaces(launch.targets, operation.needs, host);
    if (!namespaces) return namespaces.error();
    if (auto narrowed = narrow_capabilities(operation.needs); !narrowed) return narrowed.error();
    namespaces->confine_beside([&, stream] {
        ::close(stream);
        ::close(host);
        kernel::WaitingChildren::leave();
        return drop_but_net_admin(setting.credentials, setting.filters);
    });
    namespaces->confine_relay([&] {
        operations::Needs needs;
        needs.cpu_seconds = 0;
        kernel::WaitingChildren::leave();
        return drop_everything(setting.credentials, needs, setting.filters);
    });
    auto prepared = operation.prepare(*namespaces, launch.request);
    if (!prepared) return prepared.error();
    *namespaces = operations::Namespaces({});
    ::close(host);
    kernel::WaitingChildren::leave();
    if (auto dropped = drop_everything(setting.credentials, operation.needs, setting.filters); !dropped) {
        return dropped.error();
    }
    // Never destroyed: closing what it holds would only keep waiting whoever waits for the last frame.
    auto* running = prepared->release();
    return running->run(output);
}

}  // namespace

bool is_operation(std::uint16_t number) {
    return operations::find(number) != nullptr;
}

void work(const WorkerSetting& setting, const Launch& launch, UniqueFd stream) {
    int own_stream = stream.release();
    int host = setting.host_namespace;
    keep_only(own_stream, host);
    reset_signals();
    name_process(launch.header.operation);
    arm(launch.header.deadline_ms);
    operations::Output output(own_stream);
    try {
        if (auto result = operate(setting, launch, own_stream, host, output); !result)
            output.error(result.error());
        output.end();
    } catch (const std::exception& exception) {
        output.error({errc::operation_failed, std::string("internal error: ") + exception.what(), {}, {}});
        output.end();
    }
    // No destructor of the launcher's objects may run here, and the kernel closes the rest.
    std::_Exit(EXIT_SUCCESS);
}

}  // namespace netlab::launcher
