#include "daemon/kernel/address.hpp"
#include "daemon/kernel/link.hpp"
#include "daemon/kernel/link_details.hpp"
#include "daemon/kernel/namespace.hpp"
#include "daemon/kernel/route.hpp"
#include "tests/netns/test_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace netlab;
using namespace netlab::kernel;
using test::NamespaceProcess;
using test::TestNetwork;

namespace {

/// A route socket of a named namespace; this process is back where it was.
UniqueFd route_socket_in(const std::string& name, std::uint32_t groups = 0) {
    const auto own = open_own_namespace();
    REQUIRE(own);
    const auto there = open_namespace(("/run/netns/" + name).c_str());
    REQUIRE(there);
    REQUIRE(::setns(there->get(), CLONE_NEWNET) == 0);
    auto socket = open_route_socket(groups);
    REQUIRE(::setns(own->get(), CLONE_NEWNET) == 0);
    REQUIRE(socket);
    return std::move(*socket);
}

boost::json::array ip_json(const std::string& name, const std::vector<std::string>& words) {
    support::Words command{"ip", "-n", name, "-j"};
    command.insert(command.end(), words.begin(), words.end());
    return support::run_well(command).json().as_array();
}

struct AddressRequest {
    nlmsghdr message{};
    ifaddrmsg header{};
    nlattr attribute{8, IFA_LOCAL};
    std::array<std::uint8_t, 4> address{10, 2, 0, 1};
};

/// Adds and removes an address of the loopback until it is killed.
void churn_addresses(int ready) {
    // On a busy machine it would else be away for longer than a dump takes.
    const sched_param priority{1};
    if (::sched_setscheduler(0, SCHED_FIFO, &priority) != 0) ::setpriority(PRIO_PROCESS, 0, -20);
    const auto socket = open_route_socket();
    AddressRequest request;
    request.message.nlmsg_len = sizeof request;
    request.header = {AF_INET, 32, 0, RT_SCOPE_HOST, 1};
    static_cast<void>(::write(ready, "x", 1));
    for (;;) {
        request.message.nlmsg_type = RTM_NEWADDR;
        request.message.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE;
        static_cast<void>(::send(socket->get(), &request, sizeof request, 0));
        request.message.nlmsg_type = RTM_DELADDR;
        request.message.nlmsg_flags = NLM_F_REQUEST;
        static_cast<void>(::send(socket->get(), &request, sizeof request, 0));
        std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
}

pid_t sleeping_child() {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::pause();
        std::_Exit(0);
    }
    return pid;
}

}  // namespace

TEST_CASE("kernel: a named namespace opens and has the identity of its file", "[netns]") {
    const TestNetwork network("a");
    const auto path = "/run/netns/" + network.name('a');
    const auto opened = open_namespace(path.c_str());
    REQUIRE(opened);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK(*identity_of(opened->get()) == NamespaceIdentity{status.st_dev, status.st_ino});
    CHECK((::fcntl(opened->get(), F_GETFD) & FD_CLOEXEC) != 0);
    const auto own = open_own_namespace();
    REQUIRE(own);
    CHECK(*identity_of(own->get()) != *identity_of(opened->get()));
}

TEST_CASE("kernel: what is no network namespace is refused, and a FIFO does not block", "[netns]") {
    const auto directory =
        std::filesystem::temp_directory_path() / ("netlab-test-" + std::to_string(::getpid()));
    std::filesystem::create_directory(directory);
    const auto fifo = directory / "fifo";
    const auto file = directory / "file";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    UniqueFd(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    for (const std::string& path :
         {fifo.string(), file.string(), directory.string(), std::string("/nonexistent"),
          std::string("/dev/null"), std::string("/proc/self/ns/mnt")}) {
        INFO(path);
        const auto opened = open_namespace(path.c_str());
        REQUIRE_FALSE(opened);
        CHECK(opened.error().code == errc::target_gone);
    }
    std::filesystem::remove_all(directory);
}

TEST_CASE("kernel: a process' namespace is opened only for the very process that is meant", "[netns]") {
    const auto pid = sleeping_child();
    const auto opened = open_process_namespace(pid);
    REQUIRE(opened);
    CHECK(opened->start_time > 0);
    const auto own = open_own_namespace();
    CHECK(*identity_of(opened->net.get()) == *identity_of(own->get()));
    CHECK(open_process_namespace(pid, opened->start_time));
    CHECK(open_process_namespace(pid, opened->start_time + 1).error().code == errc::target_gone);
    ::kill(pid, SIGKILL);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    CHECK_FALSE(open_process_namespace(pid));  // a zombie has none
    ::waitpid(pid, nullptr, 0);
    CHECK(open_process_namespace(pid).error().code == errc::no_such_target);
    CHECK(open_process_namespace(0).error().code == errc::no_such_target);
    CHECK(open_process_namespace(-1).error().code == errc::no_such_target);
}

TEST_CASE("kernel: links and addresses are what ip says", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.ip('a', "addr add 2001:db8::1/64 dev eth0 nodad");
    network.ip('a', "addr add 10.9.0.1 peer 10.9.0.2/32 dev eth0");
    network.ip('a', "link add br0 type bridge");
    network.ip('a', "link add port0 type veth peer name port1");
    network.ip('a', "link set port0 master br0");
    const auto socket = route_socket_in(network.name('a'));

    const auto links = dump_links(socket.get());
    REQUIRE(links);
    CHECK(links->consistent);
    const auto expected_links = ip_json(network.name('a'), {"-d", "link"});
    REQUIRE(links->rows.size() == expected_links.size());
    for (std::size_t i = 0; i < expected_links.size(); ++i) {
        const auto& expected = expected_links[i].as_object();
        const auto& link = links->rows[i];
        CHECK(link.index == expected.at("ifindex").to_number<std::uint32_t>());
        CHECK(link.name == std::string(expected.at("ifname").as_string()));
        CHECK(link.mtu == expected.at("mtu").to_number<std::uint32_t>());
        CHECK((link.master != 0) == expected.contains("master"));
        if (link.mac) CHECK(link.mac->to_string() == std::string(expected.at("address").as_string()));
        const auto* info = expected.if_contains("linkinfo");
        CHECK(link.kind ==
              (info ? std::string(info->as_object().at("info_kind").as_string()) : std::string()));
    }

    const auto addresses = dump_addresses(socket.get());
    REQUIRE(addresses);
    std::vector<std::string> ours, theirs;
    for (const auto& address : addresses->rows) {
        ours.push_back(std::to_string(address.index) + " " + address.prefix.to_string() +
                       (address.peer ? " " + address.peer->to_string() : ""));
    }
    for (const auto& link : ip_json(network.name('a'), {"addr"})) {
        for (const auto& entry : link.as_object().at("addr_info").as_array()) {
            const auto& info = entry.as_object();
            auto text = std::to_string(link.as_object().at("ifindex").to_number<int>()) + " " +
                        std::string(info.at("local").as_string()) + "/" +
                        std::to_string(info.at("prefixlen").to_number<int>());
            if (const auto* peer = info.if_contains("address")) text += " " + std::string(peer->as_string());
            theirs.push_back(text);
        }
    }
    std::ranges::sort(ours);
    std::ranges::sort(theirs);
    CHECK(ours == theirs);
}

TEST_CASE("kernel: the default routes are those with a gateway, the preferred first", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.ip('a', "addr add 2001:db8::1/64 dev eth0 nodad");
    const auto socket = route_socket_in(network.name('a'));
    CHECK(default_routes(socket.get())->empty());
    network.ip('a', "route add default via 192.0.2.2 metric 200");
    network.ip('a', "route add default via 192.0.2.3 metric 100");
    network.ip('a', "route add 198.51.100.0/24 via 192.0.2.9");
    network.ip('a', "route add default via 192.0.2.8 table 99");
    network.ip('a', "-6 route add default via 2001:db8::2");
    const auto routes = default_routes(socket.get());
    REQUIRE(routes);
    REQUIRE(routes->size() == 3);
    CHECK(routes->at(0).gateway.to_string() == "192.0.2.3");
    CHECK(routes->at(0).metric == 100);
    CHECK(routes->at(1).gateway.to_string() == "192.0.2.2");
    CHECK(routes->at(2).gateway.to_string() == "2001:db8::2");
    CHECK(routes->at(0).index > 0);
}

TEST_CASE("kernel: a dump under address churn ends in time and says when it is not whole", "[netns]") {
    const TestNetwork network("a");
    network.ip('a', "link add d0 type bridge");  // a machine may lack dummy interfaces
    network.ip('a', "link set d0 up");
    for (int i = 1; i <= 100; ++i)
        network.ip('a', "addr add 10.1.0." + std::to_string(i) + "/32 dev d0");
    const auto socket = route_socket_in(network.name('a'), RTMGRP_IPV4_IFADDR | RTMGRP_LINK);
    const NamespaceProcess churn(network.name('a'), churn_addresses);
    const auto start = std::chrono::steady_clock::now();
    bool notified = false;
    int dumps = 0;
    while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(700)) {
        const auto before = std::chrono::steady_clock::now();
        const auto dump = dump_addresses(socket.get());
        REQUIRE(dump);
        CHECK(std::chrono::steady_clock::now() - before < dump_deadline + std::chrono::milliseconds(500));
        if (dump->consistent) CHECK(dump->rows.size() >= 102);  // and 127.0.0.1, ::1
        notified = notified || dump->notified;
        ++dumps;
    }
    CHECK(dumps > 0);
    CHECK(notified);
}

TEST_CASE("kernel: links with so many names that a message is longer than 32 KiB are all there", "[netns]") {
    const TestNetwork network("a");
    constexpr int names = 400;
    for (int bridge = 0; bridge < 3; ++bridge) {
        const auto device = "d" + std::to_string(bridge);
        network.ip('a', "link add " + device + " type bridge");
        std::string lines;
        for (int i = 0; i < names; ++i)
            lines += "link property add dev " + device + " altname " + device + "n" + std::to_string(i) +
                     "x" + std::string(110, 'y') + "\n";
        network.batch('a', lines);
    }
    const auto socket = route_socket_in(network.name('a'));
    const auto details = dump_link_details(socket.get());
    REQUIRE(details);
    CHECK(details->consistent);
    REQUIRE(details->rows.size() == 4);
    for (std::size_t i = 1; i < 4; ++i)
        CHECK(details->rows[i].link.alternative_names.size() == names);
    const auto links = dump_links(socket.get());
    REQUIRE(links);
    CHECK(links->consistent);
    CHECK(links->rows.size() == 4);
    for (const auto& link : links->rows)
        CHECK(get_link(socket.get(), link.index)->value().name == link.name);
}

TEST_CASE("kernel: after a dump that was given up the next one on the same socket works", "[netns]") {
    const TestNetwork network("a");
    network.ip('a', "link add d0 type bridge");
    network.addresses('a', "d0", 3000);
    const auto socket = route_socket_in(network.name('a'));
    const auto late = dump_addresses(socket.get(), std::chrono::milliseconds(0));
    REQUIRE_FALSE(late);
    CHECK(late.error().code == errc::timed_out);
    const auto links = dump_links(socket.get());
    REQUIRE(links);
    CHECK(links->rows.size() == 2);
    const auto whole = dump_addresses(socket.get());
    REQUIRE(whole);
    CHECK(whole->consistent);
    CHECK(whole->rows.size() >= 3000);
    // A dump that nobody read at all.
    DumpRequest<ifaddrmsg> request(RTM_GETADDR);
    request.message.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    REQUIRE(::send(socket.get(), &request, sizeof request, 0) == sizeof request);
    CHECK(dump_links(socket.get()));
}

TEST_CASE(
    "kernel: a dump that is interrupted again and again ends with what there is, and the next ones do not "
    "take two seconds each",
    "[netns]") {
    const TestNetwork network("a");
    network.ip('a', "link add d0 type bridge");
    network.ip('a', "link set d0 up");
    network.addresses('a', "d0", 3000);
    const auto socket = route_socket_in(network.name('a'));
    const NamespaceProcess churn(network.name('a'), churn_addresses);
    // By luck one may be read between two changes, the more so the longer it is tried.
    constexpr std::chrono::milliseconds short_deadline{60};
    const auto before = std::chrono::steady_clock::now();
    bool interrupted = false;
    for (int i = 0; i < 30 && !interrupted; ++i) {
        const auto dump = dump_addresses(socket.get(), short_deadline);
        interrupted = dump && !dump->consistent;
        if (interrupted) CHECK(dump->rows.size() >= 2000);
    }
    REQUIRE(interrupted);
    CHECK(std::chrono::steady_clock::now() - before < 2 * dump_deadline);
    const auto then = std::chrono::steady_clock::now();
    for (int i = 0; i < 5; ++i) {
        const auto next = dump_addresses(socket.get());
        REQUIRE(next);
        CHECK(next->rows.size() >= 2000);
    }
    // Five of two seconds each would be 10 s.
    CHECK(std::chrono::steady_clock::now() - then < 3 * dump_deadline);
}

TEST_CASE("kernel: a subsystem of netfilter that this kernel has not is told from a failure", "[netns]") {
    const auto socket = open_netfilter_socket();
    REQUIRE(socket);
    DumpRequest<nfgenmsg> request(NFNL_SUBSYS_COUNT << 8);
    request.header.version = NFNETLINK_V0;
    const auto end = stream_dump(socket->get(), request.bytes(), [](std::span<const std::byte>) {});
    REQUIRE(end);
    CHECK_FALSE(end->supported);
}

TEST_CASE("kernel: a change is heard on a socket with multicast groups, and drained", "[netns]") {
    const TestNetwork network("a");
    const auto socket = route_socket_in(network.name('a'), RTMGRP_LINK | RTMGRP_IPV4_IFADDR);
    CHECK_FALSE(drain(socket.get()));
    network.ip('a', "addr add 10.1.0.1/32 dev lo");
    CHECK(drain(socket.get()));
    CHECK_FALSE(drain(socket.get()));
    CHECK(dump_addresses(socket.get())->rows.size() >= 2);
}
