#include "common/api/processes.hpp"

#include "tests/netns/inspection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>
#include <set>
#include <sstream>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::test;
using boost::json::object;

namespace {

std::string text(const object& row, std::string_view key) {
    const auto* value = row.if_contains(key);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

/// The referee: `ps` for what a process is, and its link in /proc for where it is.
std::multiset<std::string> by_ps(std::uint64_t inode) {
    std::multiset<std::string> lines;
    const auto wanted = "net:[" + std::to_string(inode) + "]";
    for (const auto& line : support::run_well({"ps", "-e", "-o", "pid=,ppid=,euid=,nlwp=,comm="}).lines()) {
        std::istringstream words(line);
        std::string pid, parent, uid, threads, name;
        words >> pid >> parent >> uid >> threads;
        std::getline(words >> std::ws, name);
        char link[64] = {};
        if (::readlink(("/proc/" + pid + "/ns/net").c_str(), link, sizeof link - 1) <= 0 || wanted != link)
            continue;
        lines.insert(pid + " " + parent + " " + uid + " " + threads + " " + name);
    }
    return lines;
}

std::multiset<std::string> by_netlab(const std::vector<object>& rows) {
    std::multiset<std::string> lines;
    for (const auto& row : rows) {
        const auto number = [&](const char* key) {
            return std::to_string(row.at(key).to_number<std::int64_t>());
        };
        lines.insert(number("host_pid") + " " + number("parent_pid") + " " + number("uid") + " " +
                     number("threads") + " " + text(row, "name"));
    }
    return lines;
}

void listen_on(int family, int type, std::uint16_t port) {
    const int fd = ::socket(family, type, 0);
    sockaddr_storage address{};
    const auto length = IpAddress::parse(family == AF_INET ? "0.0.0.0" : "::")->to_sockaddr(address, port);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0) std::_Exit(2);
    if (type == SOCK_STREAM && ::listen(fd, 3) != 0) std::_Exit(2);
    (void)::dup(fd);
}

}  // namespace

TEST_CASE("ps: the processes of a namespace and no other, the same as ps and /proc", "[netns]") {
    const TestNetwork network("ab");
    const NamespaceProcess one(network.name('a'), [](int ready) {
        ::prctl(PR_SET_NAME, "server", 0, 0, 0);
        listen_on(AF_INET, SOCK_STREAM, 80);
        listen_on(AF_INET6, SOCK_DGRAM, 53);
        if (::setresuid(4242, 4242, 4242) != 0) return;
        (void)!::write(ready, "x", 1);
        ::pause();
    });
    const NamespaceProcess two(network.name('a'), [](int ready) {
        ::prctl(PR_SET_NAME, "a) \"b\nc", 0, 0, 0);
        (void)!::write(ready, "x", 1);
        ::pause();
    });
    const NamespaceProcess elsewhere(network.name('b'), [](int ready) {
        (void)!::write(ready, "x", 1);
        ::pause();
    });
    auto asked = ask(network, "a");
    const auto inode = asked.handles[0].inode;
    const auto said = inspect(api::ProcessesRequest{}, std::move(asked));
    REQUIRE(said.ended);
    const auto rows = said.of("process");
    REQUIRE(rows.size() == 2);
    auto expected = by_ps(inode);
    // ps shows '?' for what would break its line.
    auto lines = by_netlab(rows);
    std::multiset<std::string> shown;
    for (auto line : lines) {
        std::ranges::replace(line, '\n', '?');
        shown.insert(line);
    }
    CHECK(shown == expected);
    const auto server =
        *std::ranges::find(rows, "server", [](const object& row) { return text(row, "name"); });
    const auto& ports = server.at("ports").as_array();
    REQUIRE(ports.size() == 2);
    CHECK(ports[0].at("protocol") == "tcp");
    CHECK(ports[0].at("port") == 80);
    CHECK(ports[1].at("protocol") == "udp");
    CHECK(ports[1].at("address") == "::");
    CHECK(ports[1].at("port") == 53);
    CHECK(server.at("uid") == 4242);
    CHECK_FALSE(server.contains("user"));
    // Nobody said that the caller has the host role.
    CHECK(std::ranges::none_of(rows, [](const object& row) { return row.contains("command"); }));
}

TEST_CASE("ps: with the host role the command line, without the environment, and the user's name",
          "[netns]") {
    const TestNetwork network("a");
    const NamespaceProcess process(network.name('a'), [](int ready) {
        (void)!::write(ready, "x", 1);
        // Two commands, so that the shell stays.
        ::execlp("sh", "sh", "-c", "sleep 1000; :", "\xFFodd\n", nullptr);
    });
    const NamespaceProcess sleeper(network.name('a'), [](int ready) {
        (void)!::write(ready, "x", 1);
        ::setenv("SECRET", "never-shown", 1);
        ::execlp("sleep", "sleep", "1000", nullptr);
    });
    auto command_of = [&](pid_t pid) {
        auto asked = ask(network, "a");
        asked.context.roles = {api::Role::observe, api::Role::host};
        const auto said = inspect(api::ProcessesRequest{}, std::move(asked));
        for (const auto& row : said.of("process")) {
            if (row.at("host_pid") == pid) return row;
        }
        return object();
    };
    REQUIRE(support::eventually([&] { return text(command_of(sleeper.pid()), "command") == "sleep 1000"; },
                                std::chrono::seconds(5)));
    const auto row = command_of(sleeper.pid());
    CHECK(text(row, "user") == "root");
    CHECK(support::eventually(
        [&] { return text(command_of(process.pid()), "command") == "sh -c sleep 1000; : \xEF\xBF\xBDodd\n"; },
        std::chrono::seconds(5)));
    CHECK(boost::json::serialize(row).find("never-shown") == std::string::npos);
}

TEST_CASE("ps: the host's own processes are for the host role", "[netns]") {
    Asked all;
    auto& handle = all.handles.emplace_back();
    handle.net = UniqueFd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    struct stat status {};
    REQUIRE(::fstat(handle.net.get(), &status) == 0);
    handle.device = status.st_dev;
    handle.inode = status.st_ino;
    all.context.targets.emplace_back().name = "host";
    all.context.roles = {api::Role::observe};
    CHECK(inspect(api::ProcessesRequest{}, std::move(all)).error == errc::permission_denied);
}

TEST_CASE("ps: of two targets in one namespace each has the processes", "[netns]") {
    const TestNetwork network("a");
    const NamespaceProcess process(network.name('a'), [](int ready) {
        (void)!::write(ready, "x", 1);
        ::pause();
    });
    auto asked = ask(network, "aa");
    asked.context.targets[1].name = "sidecar";
    auto rows = inspect(api::ProcessesRequest{}, std::move(asked)).of("process");
    // Another daemon on this machine may be looking at the new namespace.
    std::erase_if(rows,
                  [&](const object& row) { return row.at("host_pid").to_number<pid_t>() != process.pid(); });
    REQUIRE(rows.size() == 2);
    CHECK(text(rows[0], "target") == "a");
    CHECK(text(rows[1], "target") == "sidecar");
    CHECK(rows[0].at("host_pid") == rows[1].at("host_pid"));
    CHECK(text(rows[0], "name") == text(rows[1], "name"));
}

TEST_CASE("ps: the number inside and the threads of a process with 1,000 groups", "[netns]") {
    const TestNetwork network("a");
    const NamespaceProcess process(network.name('a'), [](int ready) {
        std::vector<gid_t> groups(1000);
        for (std::size_t i = 0; i < groups.size(); ++i)
            groups[i] = 4'000'000'000U + static_cast<gid_t>(i);
        if (::setgroups(groups.size(), groups.data()) != 0 || ::unshare(CLONE_NEWPID) != 0) return;
        const auto child = ::fork();
        if (child == 0) {
            ::prctl(PR_SET_NAME, "inner", 0, 0, 0);
            (void)!::write(ready, "x", 1);
        }
        ::pause();
    });
    const auto rows = inspect(api::ProcessesRequest{}, ask(network, "a")).of("process");
    const auto inner = std::ranges::find(rows, "inner", [](const object& row) { return text(row, "name"); });
    REQUIRE(inner != rows.end());
    CHECK(inner->at("pid") == 1);
    CHECK(inner->at("threads") == 1);
}
