#include "common/unique_fd.hpp"
#include "tests/docker/lab.hpp"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

namespace {

UniqueFd bound_socket(const std::string& path, int type) {
    UniqueFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return socket;
}

/// A zombie that nobody has waited for yet is none.
bool is_alive(pid_t pid) {
    const auto state = support::process_status(pid, "State");
    return !state.empty() && !state.starts_with('Z');
}

struct Folder {
    std::string path = "/tmp/netlab-start-" + std::to_string(::getpid());
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("start: a service manager's socket is taken, served, and left where it is", "[docker]") {
    const Folder folder;
    const auto path = folder.path + "/activated.sock";
    UniqueFd listener = bound_socket(path, SOCK_STREAM);
    REQUIRE(::listen(listener.get(), 8) == 0);
    std::ofstream(folder.path + "/netlabd.toml") << "[engines]\ndocker = [\"unix://" << docker_socket()
                                                 << "\"]\npodman = []\n[process]\nuser = \"nobody\"\n";
    const UniqueFd inherited(::dup(listener.get()));
    REQUIRE(::fcntl(inherited.get(), F_SETFD, 0) == 0);
    support::Process daemon({"nsenter", "--net=/run/netns/" + host_namespace(), "sh", "-c",
                             "exec 3<&" + std::to_string(inherited.get()) +
                                 "; LISTEN_PID=$$ LISTEN_FDS=1 exec " NETLABD_PATH " --config " +
                                 folder.path + "/netlabd.toml"});
    const auto ls = support::run({NETLAB_PATH, "-H", "unix://" + path, "ls"});
    INFO(ls.err << daemon.err_so_far());
    CHECK(ls.status == 0);
    CHECK(ls.out.find("co1") != std::string::npos);
    daemon.signal(SIGTERM);
    CHECK(daemon.wait(10s).status == 0);
    CHECK(std::filesystem::exists(path));
}

TEST_CASE("start: readiness and the end are told to the service manager", "[docker]") {
    const Folder folder;
    const UniqueFd manager = bound_socket(folder.path + "/notify.sock", SOCK_DGRAM);
    auto with_notify = settings();
    with_notify.environment["NOTIFY_SOCKET"] = folder.path + "/notify.sock";
    support::Daemon daemon(with_notify);
    const auto hear = [&] {
        pollfd heard{manager.get(), POLLIN, 0};
        char text[1024];
        if (::poll(&heard, 1, 5000) != 1) return std::string();
        const auto size = ::recv(manager.get(), text, sizeof text, 0);
        return std::string(text, static_cast<std::size_t>(std::max<ssize_t>(0, size)));
    };
    CHECK(hear().find("READY=1") != std::string::npos);
    daemon.process().signal(SIGTERM);
    CHECK(hear().find("STOPPING=1") != std::string::npos);
    CHECK(daemon.process().wait(10s).status == 0);
}

TEST_CASE("start: another user with the five ambient capabilities is enough", "[docker]") {
    const std::string five = "+sys_admin,+sys_ptrace,+dac_read_search,+net_admin,+net_raw";
    const auto as_nobody = [](const std::string& capabilities) {
        return Words{"setpriv",
                     "--reuid=65534",
                     "--regid=65534",
                     "--groups=0",
                     "--bounding-set=-all," + capabilities,
                     "--inh-caps=-all," + capabilities,
                     "--ambient-caps=-all," + capabilities};
    };
    auto unprivileged = settings();
    unprivileged.docker_socket.clear();  // root's
    unprivileged.podman_socket.clear();
    unprivileged.prefix = as_nobody(five);
    const support::Daemon daemon(unprivileged);
    const auto ping = daemon.netlab({"ping", "-c1", "netns:" + netns("blue"), "192.0.2.2"});
    INFO(ping.out << ping.err << daemon.log());
    CHECK(ping.status == 0);
    CHECK(support::process_status(daemon.pid(), "Uid") == "65534\t65534\t65534\t65534");
    CHECK(support::process_status(daemon.child("nl:front"), "CapPrm") == "0000000000000000");
    CHECK(support::process_status(daemon.child("nl:launcher"), "CapEff") == "0000000000283004");
}

TEST_CASE(
    "start: without a capability what needs it is refused, and without one that all need it does not start",
    "[docker]") {
    const auto without = [](const std::string& capability) {
        auto out = settings();
        out.prefix = {"setpriv", "--bounding-set=-" + capability, "--inh-caps=-" + capability};
        return out;
    };
    const support::Daemon daemon(without("net_raw"));
    CHECK(daemon.log().find("it lacks CAP_NET_RAW") != std::string::npos);
    const auto ping = daemon.netlab({"ping", "-c1", "co1", "co2"});
    CHECK(ping.status == 5);
    CHECK(ping.err.find("CAP_NET_RAW") != std::string::npos);
    CHECK(daemon.netlab({"addrs", "co1"}).status == 0);
    CHECK(support::process_status(daemon.child("nl:launcher"), "CapEff") == "0000000000281004");
    for (const std::string needed : {"sys_admin", "sys_ptrace"}) {
        auto words = without(needed).prefix;
        words.insert(words.end(), {NETLABD_PATH, "--config", daemon.folder() + "/netlabd.toml"});
        const auto refused = support::run(words);
        CHECK(refused.status == 4);
        CHECK(refused.err.find("it lacks CAP_S") != std::string::npos);
    }
}

TEST_CASE("start: what it was started with open is not open in any of its processes", "[docker]") {
    auto with = settings();
    with.prefix = {"sh", "-c", "exec 9</etc/shadow; exec \"$@\"", "sh"};
    const support::Daemon daemon(with);
    REQUIRE(support::eventually(
        [&] { return daemon.child("nl:launcher") != 0 && daemon.child("nl:front") != 0; }, 3s));
    for (const pid_t process : {daemon.pid(), daemon.child("nl:launcher"), daemon.child("nl:front")}) {
        INFO(process);
        std::size_t open = 0;
        const auto folder = "/proc/" + std::to_string(process) + "/fd";
        for (const auto& descriptor : std::filesystem::directory_iterator(folder)) {
            ++open;
            CHECK(std::filesystem::read_symlink(descriptor.path()) != "/etc/shadow");
        }
        CHECK(open > 3);
    }
}

TEST_CASE("start: when the supervisor is killed, nothing of it is left", "[docker]") {
    support::Daemon daemon(settings());
    auto running = daemon.start_netlab({"ping", "-c", "0", "-i", "0.1", "co1", "co2"});
    REQUIRE(support::eventually([&] { return daemon.workers("nl:ping").size() == 1; }, 3s));
    std::vector<pid_t> all{daemon.child("nl:front"), daemon.child("nl:launcher")};
    for (const char* worker : {"nl:ping", "nl:watch_engine", "nl:watch_namesp"}) {
        const auto found = daemon.workers(worker);
        CHECK_FALSE(found.empty());
        all.insert(all.end(), found.begin(), found.end());
    }
    daemon.process().signal(SIGKILL);
    (void)daemon.process().wait(5s);
    CHECK(running.wait(5s).status == 5);
    CHECK(support::eventually(
        [&] { return std::ranges::all_of(all, [](pid_t pid) { return !is_alive(pid); }); }, 2s));
}

TEST_CASE(
    "start: an engine that is killed and comes back is followed again, and its targets stay known meanwhile",
    "[docker]") {
    // A lab of its own: the end of an engine is the end of its containers.
    const std::map<std::string, std::string> own{{"NETLAB_LAB", "phoenix"}};
    const std::string lab = NETLAB_SOURCE_DIR "/tests/lab/lab";
    struct Down {
        const std::map<std::string, std::string>& own;
        const std::string& lab;
        ~Down() { (void)support::run({lab, "down"}, own); }
    } const down{own, lab};
    support::run_well({lab, "up", "seed"}, own);
    auto of_lab = settings();
    of_lab.network_namespace = "phoenixhost";
    of_lab.docker_socket = "/run/netlab-lab/phoenix/docker.sock";
    of_lab.podman_socket.clear();
    const support::Daemon daemon(of_lab);
    REQUIRE(daemon.netlab({"ping", "-c1", "co1", "co2"}).status == 0);
    const auto pid = std::stoi(support::run_well({"cat", "/run/netlab-lab/phoenix/docker.pid"}).out);
    ::kill(pid, SIGKILL);
    REQUIRE(support::eventually([&] { return !is_alive(pid); }, 5s));
    const auto blind = daemon.netlab({"ls"});
    CHECK(blind.out.find("co1") != std::string::npos);
    CHECK(daemon.netlab({"ping", "-c1", "co1", "host"}).status == 0);
    support::run_well({lab, "up", "seed"}, own);
    CHECK(support::eventually([&] { return daemon.netlab({"ping", "-c1", "co1", "co2"}).status == 0; }, 3s));
}
