#include "daemon/config.hpp"
#include "daemon/front/front.hpp"
#include "daemon/launcher/launcher.hpp"
#include "daemon/launcher/sandbox.hpp"
#include "daemon/listener.hpp"
#include "daemon/supervisor.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>

#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace netlab {

namespace {

constexpr const char* default_config = "/etc/netlab/netlabd.toml";

constexpr const char* usage =
    "usage: netlabd [--config FILE] [--host-netns FILE] [--check]\n"
    "  --config FILE      the configuration (default /etc/netlab/netlabd.toml; every key is optional)\n"
    "  --host-netns FILE  the network namespace that is the target 'host' (default: its own)\n"
    "  --check            read the configuration, say what is wrong with it, and end\n"
    "  --version          print the version and end\n";

struct Arguments {
    std::optional<std::string> config;
    std::optional<std::string> host_namespace;
    bool check = false;
};

/// What the process ends with where the arguments already decide it.
struct Ending {
    int status = 0;
};

boost::system::result<Arguments, Ending> read_arguments(int argc, char** argv) {
    constexpr option options[] = {
        {"config", required_argument, nullptr, 'c'}, {"host-netns", required_argument, nullptr, 'n'},
        {"check", no_argument, nullptr, 'k'},        {"version", no_argument, nullptr, 'V'},
        {"help", no_argument, nullptr, 'h'},         {nullptr, 0, nullptr, 0}};
    Arguments arguments;
    for (int chosen = 0; (chosen = ::getopt_long(argc, argv, "c:hV", options, nullptr)) != -1;) {
        switch (chosen) {
            case 'c':
                arguments.config = optarg;
                break;
            case 'n':
                arguments.host_namespace = optarg;
                break;
            case 'k':
                arguments.check = true;
                break;
            case 'V':
                std::puts("netlabd " NETLAB_VERSION);
                return Ending{0};
            case 'h':
                std::fputs(usage, stdout);
                return Ending{0};
            default:
                std::fputs(usage, stderr);
                return Ending{2};
        }
    }
    if (optind < argc) {
        std::fprintf(stderr, "netlabd: unexpected argument '%s'\n%s", argv[optind], usage);
        return Ending{2};
    }
    return arguments;
}

int complain(const Error& error) {
    std::fprintf(stderr, "netlabd: %s%s%s\n", error.message.c_str(), error.hint.empty() ? "" : " — ",
                 error.hint.c_str());
    return exit_code(error.code);
}

/// The user of the front and of the workers: the configured one for root, else whoever we are.
Result<launcher::Credentials> find_credentials(const std::string& user) {
    if (::geteuid() != 0) return launcher::Credentials{::geteuid(), ::getegid()};
    const passwd* entry = ::getpwnam(user.c_str());
    if (entry == nullptr) {
        return Error{errc::bad_request,
                     "there is no user '" + user + "' for the unprivileged processes",
                     "make it (systemd-sysusers, or useradd --system " + user + "), or set [process] user",
                     {}};
    }
    if (entry->pw_uid == 0) {
        return Error{errc::bad_request,
                     "[process] user may not be root",
                     "it is what the front and the workers become",
                     {}};
    }
    return launcher::Credentials{entry->pw_uid, entry->pw_gid};
}

Result<void> check_privileges() {
    for (const auto& one : launcher::missing_capabilities()) {
        if (one.by_all)
            return Error{errc::permission_denied,
                         "it lacks " + one.name,
                         "start it as root, or by systemd with netlabd.service",
                         {}};
        spdlog::warn("it lacks {}: what needs that is refused", one.name);
    }
    return {};
}

std::string unix_path(const std::string& address) {
    return address.substr(std::string_view("unix://").size());
}

front::Options front_options(const Config& config) {
    front::Options options;
    const auto grant = [&](api::Role role, const std::vector<std::string>& groups) {
        for (const auto& name : groups) {
            // A group that does not exist has no member: leaving it out grants nothing.
            if (const group* entry = ::getgrnam(name.c_str())) {
                options.access[role].push_back({entry->gr_gid, name});
            } else {
                spdlog::info("[access] there is no group '{}'", name);
            }
        }
    };
    grant(api::Role::observe, config.access.observe);
    grant(api::Role::probe, config.access.probe);
    grant(api::Role::trace, config.access.trace);
    grant(api::Role::capture, config.access.capture);
    grant(api::Role::host, config.access.host);
    for (const auto& address : config.engines.docker) {
        options.engines.push_back({api::Runtime::docker, unix_path(address)});
    }
    for (const auto& address : config.engines.podman) {
        options.engines.push_back({api::Runtime::podman, unix_path(address)});
    }
    options.namespace_directories = config.engines.netns_dirs;
    options.level = spdlog::level::from_str(config.log.level);
    options.socket_group = config.listen.group;
    options.quota = {config.limits.operations, static_cast<double>(config.limits.packets_per_second),
                     config.limits.capture_mib << 20};
    return options;
}

/// The parent's end is ours too. After the credentials, whose change clears it (prctl(2)).
void end_with_supervisor(pid_t supervisor) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != supervisor) std::_Exit(EXIT_FAILURE);
}

/// Moves the launcher, and so its workers, into the namespace that is the host's; the front and the
/// supervisor stay in the daemon's own, which may then be an empty one. Throws std::system_error.
void enter_host_namespace(const UniqueFd& host) {
    if (host && ::setns(host.get(), CLONE_NEWNET) != 0)
        throw std::system_error(errno, std::generic_category(), "enter the host's network namespace");
}

int serve(const Config& config, const std::optional<std::string>& host_namespace) {
    if (auto privileged = check_privileges(); !privileged) return complain(privileged.error());
    const auto credentials = find_credentials(config.process.user);
    if (!credentials) return complain(credentials.error());
    UniqueFd host;
    if (host_namespace) {
        auto opened = launcher::open_host_namespace(*host_namespace);
        if (!opened) return complain(opened.error());
        host = std::move(*opened);
    }
    auto listener = open_listener(config.listen);
    if (!listener) return complain(listener.error());
    if (!listener->warning.empty()) spdlog::warn("{}", listener->warning);
    const auto options = front_options(config);
    launcher::become_supervisor();

    const pid_t supervisor = ::getpid();
    Children children;
    children.launcher = [&](UniqueFd channel, UniqueFd supervisor_channel) {
        ::prctl(PR_SET_NAME, "nl:launcher", 0, 0, 0);
        launcher::become_launcher(*credentials);
        end_with_supervisor(supervisor);
        enter_host_namespace(host);
        host.reset();
        return launcher::run(*credentials, std::move(channel), std::move(supervisor_channel));
    };
    children.front = [&](UniqueFd socket, UniqueFd launcher_channel, UniqueFd supervisor_channel) {
        ::prctl(PR_SET_NAME, "nl:front", 0, 0, 0);
        launcher::become_unprivileged(*credentials);
        end_with_supervisor(supervisor);
        host.reset();
        return front::run(options, std::move(socket), std::move(launcher_channel),
                          std::move(supervisor_channel));
    };
    const bool ours = !listener->from_systemd;
    const int status =
        supervise(children, std::move(listener->socket), {std::chrono::seconds(config.process.patience_s)});
    if (ours) ::unlink(config.listen.socket.c_str());
    return status;
}

/// What would keep it from starting with this configuration, and what would grant less than somebody may
/// expect.
int check(const Config& config) {
    if (auto fits = check_socket_path(config.listen.socket); !fits) return complain(fits.error());
    if (const auto credentials = find_credentials(config.process.user); !credentials)
        return complain(credentials.error());
    const auto warn_of = [](const std::string& name, const char* what) {
        if (::getgrnam(name.c_str()) == nullptr)
            std::fprintf(stderr, "netlabd: %s: there is no group '%s'\n", what, name.c_str());
    };
    warn_of(config.listen.group, "[listen] group");
    const auto& access = config.access;
    for (const auto* names : {&access.observe, &access.probe, &access.trace, &access.capture, &access.host}) {
        for (const auto& name : *names)
            warn_of(name, "[access]");
    }
    return std::puts("the configuration is fine") < 0 ? 1 : 0;
}

/// A descriptor of ours may not be taken for a standard one where netlabd is started with one closed.
void fill_standard_descriptors() {
    for (int fd = ::open("/dev/null", O_RDWR); fd >= 0; fd = ::open("/dev/null", O_RDWR)) {
        if (fd <= STDERR_FILENO) continue;
        ::close(fd);
        return;
    }
}

/// What a shell, a sudo or a CI runner had open would be the front's to read, too.
void close_inherited_descriptors() {
    const int handed_over = std::max(::sd_listen_fds(0), 0);
    ::close_range(static_cast<unsigned>(SD_LISTEN_FDS_START + handed_over), ~0U, 0);
}

/// By the service manager stderr is a stream to journald, and one that hangs would hold up whoever writes a
/// line: what does not go out is lost instead.
void let_log_lose_lines() {
    struct stat out {};
    if (::fstat(STDERR_FILENO, &out) != 0 || !S_ISSOCK(out.st_mode)) return;
    const int flags = ::fcntl(STDERR_FILENO, F_GETFL);
    if (flags >= 0) ::fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
}

int start(int argc, char** argv) {
    fill_standard_descriptors();
    close_inherited_descriptors();
    let_log_lose_lines();
    const auto arguments = read_arguments(argc, argv);
    if (!arguments) return arguments.error().status;
    auto config = read_config(arguments->config.value_or(default_config));
    // The default file may be absent; one that was asked for may not.
    if (!config && config.error().code == errc::not_found && !arguments->config) config = Config{};
    if (!config) return complain(config.error());
    if (arguments->check) return check(*config);
    spdlog::set_default_logger(spdlog::stderr_logger_st("netlabd"));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    spdlog::set_level(spdlog::level::from_str(config->log.level));
    return serve(*config, arguments->host_namespace);
}

}  // namespace

}  // namespace netlab

int main(int argc, char** argv) {
    try {
        return netlab::start(argc, argv);
    } catch (const std::exception& exception) {
        std::fprintf(stderr, "netlabd: %s\n", exception.what());
        return 5;
    }
}
