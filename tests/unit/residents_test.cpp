#include "daemon/operations/residents.hpp"

#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::operations;

namespace {

api::Target container(const char* name) {
    api::Target out;
    out.name = name;
    out.state = api::State::paused;
    return out;
}

std::optional<Sleep> judge(std::vector<SocketUse> sockets) {
    return judge_sleep(sockets, container("somebody"));
}

}  // namespace

TEST_CASE("residents: a process is its container's by the ID in its cgroup's path", "[unit]") {
    const std::string id(64, 'a');
    CHECK(is_in_cgroup_of("0::/docker/" + id + "\n", id));
    CHECK(is_in_cgroup_of("0::/system.slice/docker-" + id + ".scope/init.scope\n", id));
    CHECK(is_in_cgroup_of("4:freezer:/machine/libpod-" + id + "/container\n3:cpu:/\n", id));
    CHECK_FALSE(is_in_cgroup_of("0::/docker/" + std::string(64, 'b') + "\n", id));
    CHECK_FALSE(is_in_cgroup_of("0::/\n", ""));
    // What a container has made below its own cgroup says nothing of whose it is.
    CHECK_FALSE(is_in_cgroup_of("0::/docker/" + std::string(64, 'b') + "/" + id + "\n", id));
    CHECK(is_in_cgroup_of("1:name=systemd:/\n0::/docker/" + id + "\n", id));
}

TEST_CASE("residents: what comes to a socket waits where all who have it are paused", "[unit]") {
    const auto web = container("web");
    CHECK(judge({{false, &web, true}}) == Sleep{Sleep::Extent::all, web});
    CHECK(judge({{true, nullptr, true}}) == std::nullopt);
    // One of them runs and takes it.
    CHECK(judge({{true, &web, true}}) == std::nullopt);
    // Of two sockets in one place the kernel takes the one or the other.
    CHECK(judge({{true, nullptr, true}, {false, &web, true}}) == Sleep{Sleep::Extent::some, web});
    CHECK(judge({{false, nullptr, true}}) == Sleep{Sleep::Extent::unknown, container("somebody")});
    CHECK(judge({{false, &web, false}}) == Sleep{Sleep::Extent::unknown, web});
    CHECK(judge({}) == Sleep{Sleep::Extent::unknown, container("somebody")});
}

TEST_CASE("residents: nobody is looked for where nobody is paused", "[unit]") {
    api::Context context;
    auto running = container("web");
    running.state = api::State::running;
    running.namespace_.emplace().inode = 7;
    context.residents = {running};
    const auto residents = Residents::read(context);
    CHECK_FALSE(residents.matter());
    CHECK(residents.asleep(kernel::SocketHolders(), {}, running.namespace_) == std::nullopt);
}
