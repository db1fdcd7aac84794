#include "common/api/sockets.hpp"

#include "common/api/processes.hpp"
#include "common/text.hpp"
#include "tests/netns/inspection.hpp"
#include "tests/netns/socket_zoo.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::test;
using boost::json::object;
using Lines = std::multiset<std::string>;

namespace {

std::string text(const object& row, std::string_view key) {
    const auto* value = row.if_contains(key);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::string number(const object& row, std::string_view key) {
    const auto* value = row.if_contains(key);
    return value ? std::to_string(value->to_number<std::uint64_t>()) : std::string();
}

/// `ss -H -O -n -e WORDS` in a namespace: the referee.
std::vector<std::string> ss(const TestNetwork& network, char letter, std::vector<std::string> words) {
    // Without -n it names the protocols of packet sockets.
    if (words.front() != "-0") words.emplace(words.begin(), "-n");
    words.insert(words.begin(),
                 {"nsenter", "--net=/run/netns/" + network.name(letter), "ss", "-H", "-O", "-e"});
    return support::run_well(words).lines();
}

/// "protocol state recv send local remote ino uid" of each line of ss for TCP, UDP and RAW. ss leaves the
/// state out where there can be but one.
Lines inet_by_ss(const std::vector<std::string>& lines, const std::string& protocol,
                 const std::string& only_state = {}) {
    Lines out;
    for (const auto& line : lines) {
        std::istringstream words(line);
        std::string state, recv, send, local, remote, word;
        if (only_state.empty()) {
            words >> state;
        } else {
            state = only_state;
        }
        words >> recv >> send >> local >> remote;
        std::string inode = "0";
        std::string uid = "0";
        while (words >> word) {
            if (word.starts_with("ino:")) inode = word.substr(4);
            if (word.starts_with("uid:")) uid = word.substr(4);
        }
        out.insert(protocol + " " + state + " " + recv + " " + send + " " + local + " " + remote + " ino " +
                   inode + " uid " + uid);
    }
    return out;
}

/// As ss writes an end.
std::string written(const object& row, std::string_view key) {
    const auto& end = row.at(key).as_object();
    auto address = text(end, "address");
    const auto* v6only = row.if_contains("v6only");
    if (address == "::" && v6only && !v6only->as_bool()) {
        address = "*";
    } else if (address.find(':') != std::string::npos) {
        address = "[" + address + "]";
    }
    if (key == "local" && row.contains("interface")) address += "%" + text(row, "interface");
    const auto port = end.at("port").to_number<int>();
    return address + ":" + (port == 0 ? "*" : std::to_string(port));
}

Lines inet_by_netlab(const std::vector<object>& rows) {
    Lines out;
    for (const auto& row : rows) {
        out.insert(text(row, "protocol") + " " + text(row, "state") + " " + number(row, "recv_queue") + " " +
                   number(row, "send_queue") + " " + written(row, "local") + " " + written(row, "remote") +
                   " ino " + number(row, "inode") + " uid " + number(row, "uid"));
    }
    return out;
}

api::SocketsRequest of_kind(api::SocketKind kind, api::SocketSelection show = api::SocketSelection::all) {
    api::SocketsRequest request;
    request.kinds = {kind};
    request.show = show;
    request.processes = false;
    return request;
}

/// Waits until what a full window holds back has stopped moving: a last segment may still be acknowledged.
void settle(const TestNetwork& network, char letter) {
    const auto now = [&] { return inet_by_ss(ss(network, letter, {"-t", "-a"}), "tcp"); };
    auto before = now();
    REQUIRE(support::eventually(
        [&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(300));
            const auto after = std::exchange(before, now());
            return after == before;
        },
        std::chrono::seconds(10)));
}

std::set<std::string> states_of(const std::vector<object>& rows) {
    std::set<std::string> states;
    for (const auto& row : rows)
        states.insert(text(row, "state"));
    return states;
}

}  // namespace

TEST_CASE("sockets: TCP in every state, both families, the same as ss", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.ip('a', "addr add 2001:db8::1/64 dev eth0 nodad");
    network.ip('b', "addr add 2001:db8::2/64 dev eth0 nodad");
    const TcpZoo zoo(network, 'a', 'b');
    settle(network, 'a');
    const auto said = inspect(of_kind(api::SocketKind::tcp), ask(network, "a"));
    const auto referee = inet_by_ss(ss(network, 'a', {"-t", "-a"}), "tcp");
    REQUIRE(said.ended);
    CHECK(inet_by_netlab(said.of("socket")) == referee);
    CHECK(said.report.at("rows") == said.of("socket").size());
    const auto states = states_of(said.of("socket"));
    for (const char* state : {"LISTEN", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2",
                              "CLOSE-WAIT", "LAST-ACK", "TIME-WAIT", "CLOSING"}) {
        INFO(state);
        CHECK(states.contains(state));
    }
    // What is left out without -a, and what -l and --state leave.
    using api::SocketSelection;
    for (const auto& [show, words] : std::vector<std::pair<SocketSelection, std::vector<std::string>>>{
             {SocketSelection::connected, {"-t"}}, {SocketSelection::listening, {"-t", "-l"}}}) {
        CHECK(inet_by_netlab(inspect(of_kind(api::SocketKind::tcp, show), ask(network, "a")).of("socket")) ==
              inet_by_ss(ss(network, 'a', words), "tcp"));
    }
    for (const auto& [state, shown] :
         std::vector<std::pair<std::string, std::string>>{{"established", "ESTAB"},
                                                          {"syn-sent", "SYN-SENT"},
                                                          {"syn-recv", "SYN-RECV"},
                                                          {"fin-wait-1", "FIN-WAIT-1"},
                                                          {"fin-wait-2", "FIN-WAIT-2"},
                                                          {"time-wait", "TIME-WAIT"},
                                                          {"close-wait", "CLOSE-WAIT"},
                                                          {"last-ack", "LAST-ACK"},
                                                          {"listening", "LISTEN"},
                                                          {"closing", "CLOSING"},
                                                          {"connected", ""},
                                                          {"synchronized", ""},
                                                          {"bucket", ""},
                                                          {"big", ""},
                                                          {"all", ""}}) {
        INFO(state);
        auto request = of_kind(api::SocketKind::tcp);
        request.states = {state};
        CHECK(inet_by_netlab(inspect(request, ask(network, "a")).of("socket")) ==
              inet_by_ss(ss(network, 'a', {"-t", "state", state}), "tcp", shown));
    }
}

TEST_CASE("sockets: of one family and of one port, the same as ss", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.ip('a', "addr add 2001:db8::1/64 dev eth0 nodad");
    network.ip('b', "addr add 2001:db8::2/64 dev eth0 nodad");
    const TcpZoo zoo(network, 'a', 'b');
    settle(network, 'a');
    for (const auto& [family, word] :
         {std::pair(Family::ipv4, std::string("-4")), std::pair(Family::ipv6, std::string("-6"))}) {
        auto request = of_kind(api::SocketKind::tcp);
        request.family = family;
        const auto rows = inspect(request, ask(network, "a")).of("socket");
        CHECK_FALSE(rows.empty());
        CHECK(inet_by_netlab(rows) == inet_by_ss(ss(network, 'a', {"-t", "-a", word}), "tcp"));
    }
    auto by_source = of_kind(api::SocketKind::tcp);
    by_source.source_port = TcpZoo::port;
    const auto from = inspect(by_source, ask(network, "a")).of("socket");
    CHECK_FALSE(from.empty());
    CHECK(
        inet_by_netlab(from) ==
        inet_by_ss(ss(network, 'a', {"-t", "-a", "sport", "=", ":" + std::to_string(TcpZoo::port)}), "tcp"));
    auto by_destination = of_kind(api::SocketKind::tcp);
    by_destination.destination_port = TcpZoo::port;
    const auto to = inspect(by_destination, ask(network, "a")).of("socket");
    CHECK_FALSE(to.empty());
    CHECK(
        inet_by_netlab(to) ==
        inet_by_ss(ss(network, 'a', {"-t", "-a", "dport", "=", ":" + std::to_string(TcpZoo::port)}), "tcp"));
}

TEST_CASE("sockets: UDP and RAW, bound to interfaces and connected, the same as ss", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.ip('a', "addr add 2001:db8::1/64 dev eth0 nodad");
    const DatagramZoo zoo(network, 'a');
    const auto udp = inspect(of_kind(api::SocketKind::udp), ask(network, "a")).of("socket");
    CHECK(udp.size() == DatagramZoo::udp_sockets);
    CHECK(inet_by_netlab(udp) == inet_by_ss(ss(network, 'a', {"-u", "-a"}), "udp"));
    using api::SocketSelection;
    CHECK(inet_by_netlab(inspect(of_kind(api::SocketKind::udp, SocketSelection::connected), ask(network, "a"))
                             .of("socket")) == inet_by_ss(ss(network, 'a', {"-u"}), "udp", "ESTAB"));
    CHECK(inet_by_netlab(inspect(of_kind(api::SocketKind::udp, SocketSelection::listening), ask(network, "a"))
                             .of("socket")) == inet_by_ss(ss(network, 'a', {"-u", "-l"}), "udp"));
    // ss writes a protocol's name from /etc/protocols where a port would be. Where the kernel has no raw_diag
    // both read /proc/net/raw, which knows no interfaces, and ss leaves out the inode.
    const auto raw = inspect(of_kind(api::SocketKind::raw), ask(network, "a")).of("socket");
    CHECK(raw.size() == DatagramZoo::raw_sockets);
    const auto without_inode = [](std::string line) {
        line = line.substr(0, line.find(" ino "));
        for (const auto& [from, to] :
             std::vector<std::pair<std::string, std::string>>{{":icmp ", ":1 "},
                                                              {":ipv6-icmp ", ":58 "},
                                                              {":ospf ", ":89 "},
                                                              {"*:58 *:*", "[::]:58 [::]:*"}}) {
            if (const auto at = line.find(from); at != line.npos) line.replace(at, from.size(), to);
        }
        return line;
    };
    Lines by_netlab;
    for (const auto& line : inet_by_netlab(raw))
        by_netlab.insert(without_inode(line));
    Lines by_ss;
    for (const auto& line : inet_by_ss(ss(network, 'a', {"-w", "-a"}), "raw"))
        by_ss.insert(without_inode(line));
    CHECK(by_netlab == by_ss);
    api::SocketsRequest with_processes = of_kind(api::SocketKind::raw);
    with_processes.processes = true;
    for (const auto& row : inspect(with_processes, ask(network, "a")).of("socket"))
        CHECK(row.at("processes").as_array().size() == 1);
}

TEST_CASE("sockets: Unix sockets with every kind of name, and their other ends, the same as ss", "[netns]") {
    const TestNetwork network("a");
    const UnixZoo zoo(network, 'a');
    const auto rows = inspect(of_kind(api::SocketKind::unix_), ask(network, "a")).of("socket");
    // "u_str LISTEN 0 5 @name 123 * 0": names of ss have '@' for each zero byte and may hold blanks.
    Lines by_ss;
    for (const auto& said : ss(network, 'a', {"-x", "-a"})) {
        const auto line = valid_utf8(said);
        std::istringstream words(line.substr(0, line.find(" <->")));
        std::string kind, state, recv, send, name, inode, peer, peer_inode;
        words >> kind >> state >> recv >> send >> name >> inode >> peer >> peer_inode;
        by_ss.insert(kind + " " + state + " " + recv + " " + send + " " + name + " " + inode + " " +
                     peer_inode);
    }
    Lines by_netlab;
    const auto name_of = [](const object& row, const char* end) {
        auto name = text(row.at(end).as_object(), "address");
        std::ranges::replace(name, '\0', '@');
        return name.empty() ? std::string("*") : name;
    };
    for (const auto& row : rows) {
        const auto peer = number(row, "peer_inode");
        by_netlab.insert(text(row, "protocol") + " " + text(row, "state") + " " + number(row, "recv_queue") +
                         " " + number(row, "send_queue") + " " + name_of(row, "local") + " " +
                         number(row, "inode") + " " + (peer.empty() ? "0" : peer));
        // ss does not tell the name of a client's other end. It is the one that its own row has.
        const auto other = std::ranges::find_if(
            rows, [&](const object& one) { return !peer.empty() && number(one, "inode") == peer; });
        CHECK(name_of(row, "remote") == (other == rows.end() ? "*" : name_of(*other, "local")));
    }
    CHECK(by_netlab == by_ss);
    CHECK(rows.size() == UnixZoo::sockets);
    // A name that is no UTF-8 has come out as JSON all the same: parsed above.
    CHECK(std::ranges::any_of(rows, [&](const object& row) {
        return text(row.at("local").as_object(), "address").find("\xEF\xBF\xBD") != std::string::npos;
    }));
}

TEST_CASE("sockets: packet sockets, the same as ss", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    const PacketZoo zoo(network, 'a');
    Lines by_ss;
    for (const auto& line : ss(network, 'a', {"-0", "-a"})) {
        std::istringstream words(line);
        std::string kind, state, recv, send, local, remote, word;
        words >> kind >> state >> recv >> send >> local >> remote;
        std::string inode;
        while (words >> word)
            if (word.starts_with("ino:")) inode = word.substr(4);
        by_ss.insert(kind + " " + state + " " + recv + " " + send + " " + local + " " + inode);
    }
    Lines by_netlab;
    for (const auto& row : inspect(of_kind(api::SocketKind::packet), ask(network, "a")).of("socket")) {
        const auto interface = text(row, "interface");
        by_netlab.insert(text(row, "protocol") + " " + text(row, "state") + " " + number(row, "recv_queue") +
                         " " + number(row, "send_queue") + " " +
                         text(row.at("local").as_object(), "address") + ":" +
                         (interface.empty() ? "*" : interface) + " " + number(row, "inode"));
    }
    CHECK(by_netlab.size() == PacketZoo::sockets);
    CHECK(by_netlab == by_ss);
}

TEST_CASE("sockets: what TCP knows and the memory are as ss has them", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.ip('a', "addr add 2001:db8::1/64 dev eth0 nodad");
    network.ip('b', "addr add 2001:db8::2/64 dev eth0 nodad");
    const TcpZoo zoo(network, 'a', 'b');
    auto request = of_kind(api::SocketKind::tcp);
    request.states = {"established"};
    request.family = Family::ipv4;
    request.tcp_info = true;
    request.memory = true;
    const auto rows = inspect(request, ask(network, "a")).of("socket");
    const auto lines = ss(network, 'a', {"-t", "-4", "-i", "-m", "state", "established"});
    REQUIRE(!rows.empty());
    REQUIRE(rows.size() == lines.size());
    for (const auto& row : rows) {
        const auto inode = "ino:" + number(row, "inode") + " ";
        const auto line =
            std::ranges::find_if(lines, [&](const auto& one) { return one.find(inode) != one.npos; });
        REQUIRE(line != lines.end());
        INFO(*line);
        const auto& info = row.at("tcp_info").as_object();
        const auto says = [&](const std::string& words) { return line->find(" " + words) != line->npos; };
        CHECK(says(text(info, "congestion") + " "));
        CHECK(says("wscale:" + number(info, "send_window_scale") + "," +
                   number(info, "receive_window_scale") + " "));
        CHECK(says("mss:" + number(info, "mss") + " "));
        CHECK(says("pmtu:" + number(info, "pmtu") + " "));
        CHECK(says("rcvmss:" + number(info, "receive_mss") + " "));
        CHECK(says("advmss:" + number(info, "advertised_mss") + " "));
        CHECK(says("cwnd:" + number(info, "cwnd") + " "));
        CHECK(info.at("rto_us").to_number<std::uint64_t>() % 1000 == 0);
        CHECK(says("rto:" + std::to_string(info.at("rto_us").to_number<std::uint64_t>() / 1000) + " "));
        if (number(info, "bytes_sent") != "0") CHECK(says("bytes_sent:" + number(info, "bytes_sent") + " "));
        if (number(info, "bytes_acked") != "0")
            CHECK(says("bytes_acked:" + number(info, "bytes_acked") + " "));
        if (number(info, "bytes_received") != "0")
            CHECK(says("bytes_received:" + number(info, "bytes_received") + " "));
        if (number(info, "segments_out") != "0")
            CHECK(says("segs_out:" + number(info, "segments_out") + " "));
        if (number(info, "segments_in") != "0") CHECK(says("segs_in:" + number(info, "segments_in") + " "));
        CHECK(says("rcv_space:" + number(info, "receive_space") + " "));
        CHECK(says("rcv_ssthresh:" + number(info, "receive_ssthresh") + " "));
        const auto& memory = row.at("memory").as_object();
        CHECK(says("skmem:(r" + number(memory, "receive_allocated") + ",rb" +
                   number(memory, "receive_buffer") + ",t" + number(memory, "send_allocated") + ",tb" +
                   number(memory, "send_buffer") + ",f" + number(memory, "forward_allocated") + ",w" +
                   number(memory, "write_queued") + ",o" + number(memory, "option_memory") + ",bl" +
                   number(memory, "backlog") + ",d" + number(memory, "drops") + ")"));
    }
}

TEST_CASE("sockets: who holds each, by the same PID, name and descriptor as in /proc, whatever its name",
          "[netns]") {
    const TestNetwork network("a");
    const std::string odd_name = "a) \"b\n\xFF,c";
    const NamespaceProcess process(network.name('a'), [&](int ready) {
        ::prctl(PR_SET_NAME, odd_name.c_str(), 0, 0, 0);
        const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
        ::listen(listener, 5);
        ::dup2(listener, 77);
        ::close(listener);
        (void)!::write(ready, "x", 1);
        ::pause();
    });
    api::SocketsRequest request;
    request.show = api::SocketSelection::listening;
    const auto rows = inspect(request, ask(network, "a")).of("socket");
    REQUIRE(rows.size() == 1);
    const auto& holders = rows[0].at("processes").as_array();
    REQUIRE(holders.size() == 1);
    CHECK(holders[0].at("host_pid") == process.pid());
    CHECK(holders[0].at("pid") == process.pid());
    CHECK(holders[0].at("fd") == 77);
    CHECK(std::string(holders[0].at("name").as_string()) == "a) \"b\n\xEF\xBF\xBD,c");
}

TEST_CASE("sockets: of a socket that is held a thousand times 64 are named, and the rest is counted",
          "[netns]") {
    const TestNetwork network("a");
    const NamespaceProcess process(network.name('a'), [&](int ready) {
        const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
        ::listen(listener, 5);
        for (int i = 1; i < 1000; ++i)
            static_cast<void>(::dup(listener));
        (void)!::write(ready, "x", 1);
        ::pause();
    });
    api::SocketsRequest request;
    request.show = api::SocketSelection::listening;
    const auto rows = inspect(request, ask(network, "a")).of("socket");
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].at("processes").as_array().size() == 64);
    CHECK(rows[0].at("more_processes") == 936);
    const auto ps = inspect(api::ProcessesRequest{}, ask(network, "a")).of("process");
    // Another daemon on this machine may be looking at the new namespace.
    const auto holder = std::ranges::find_if(
        ps, [&](const auto& row) { return row.at("host_pid").template to_number<pid_t>() == process.pid(); });
    REQUIRE(holder != ps.end());
    CHECK(holder->at("ports").as_array().size() == 1);
}

TEST_CASE("sockets: a socket's holder in a PID namespace has both numbers", "[netns]") {
    const TestNetwork network("a");
    const NamespaceProcess process(network.name('a'), [](int ready) {
        const int listener = ::socket(AF_INET6, SOCK_STREAM, 0);
        ::listen(listener, 5);
        if (::unshare(CLONE_NEWPID) != 0) return;
        if (::fork() == 0) {
            (void)!::write(ready, "x", 1);
            ::pause();
        }
        ::close(listener);
        ::pause();
    });
    api::SocketsRequest request;
    request.show = api::SocketSelection::listening;
    // The parent may not have closed its own yet.
    const auto rows_of = [&] { return inspect(request, ask(network, "a")).of("socket"); };
    REQUIRE(support::eventually([&] { return rows_of().at(0).at("processes").as_array().size() == 1; },
                                std::chrono::seconds(5)));
    const auto holder = rows_of().at(0).at("processes").as_array().at(0).as_object();
    CHECK(holder.at("pid") == 1);
    CHECK(holder.at("host_pid").to_number<int>() > 1);
    CHECK(holder.at("host_pid") != process.pid());
}

TEST_CASE("sockets: of the host's namespace processes are told with the host role only", "[netns]") {
    api::SocketsRequest request;
    request.kinds = {api::SocketKind::unix_};
    request.show = api::SocketSelection::all;
    const auto asked = [](std::vector<api::Role> roles) {
        Asked all;
        auto& handle = all.handles.emplace_back();
        handle.net = UniqueFd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
        struct stat status {};
        REQUIRE(::fstat(handle.net.get(), &status) == 0);
        handle.device = status.st_dev;
        handle.inode = status.st_ino;
        auto& target = all.context.targets.emplace_back();
        target.name = "host";
        target.namespace_ = api::Namespace{handle.device, handle.inode, {}};
        all.context.roles = std::move(roles);
        return all;
    };
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd one(ends[0]);
    const UniqueFd other(ends[1]);
    const auto without = inspect(request, asked({api::Role::observe})).of("socket");
    CHECK_FALSE(without.empty());
    CHECK(std::ranges::none_of(without, [](const object& row) { return row.contains("processes"); }));
    const auto with = inspect(request, asked({api::Role::observe, api::Role::host})).of("socket");
    CHECK(std::ranges::any_of(with, [&](const object& row) {
        const auto* holders = row.if_contains("processes");
        return holders && !holders->as_array().empty() &&
               holders->as_array().at(0).at("host_pid") == ::getpid();
    }));
}

TEST_CASE("sockets: the summary counts what the rows show", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.ip('a', "addr add 2001:db8::1/64 dev eth0 nodad");
    network.ip('b', "addr add 2001:db8::2/64 dev eth0 nodad");
    const TcpZoo tcp(network, 'a', 'b');
    const DatagramZoo datagrams(network, 'a');
    const UnixZoo unix(network, 'a');
    std::map<std::string, std::uint64_t> expected;
    for (const char* kind : {"-t", "-u", "-w", "-x"}) {
        for (const auto& line : ss(network, 'a', {kind, "-a"})) {
            std::istringstream words(line);
            std::string protocol = kind == std::string("-t")   ? "tcp"
                                   : kind == std::string("-u") ? "udp"
                                                               : "raw";
            if (kind == std::string("-x")) words >> protocol;
            std::string state;
            words >> state;
            ++expected[protocol + " " + state];
        }
    }
    api::SocketsRequest request;
    request.summary = true;
    const auto said = inspect(request, ask(network, "a"));
    CHECK(said.of("socket").empty());
    std::map<std::string, std::uint64_t> counted;
    for (const auto& row : said.of("summary"))
        counted[text(row, "protocol") + " " + text(row, "state")] +=
            row.at("count").to_number<std::uint64_t>();
    CHECK(counted == expected);
}

TEST_CASE("sockets: 18,000 ends of connections come without one lost or double", "[netns]") {
    const TestNetwork network("a");
    const Crowd crowd(network, 'a', 9'000);
    auto request = of_kind(api::SocketKind::tcp, api::SocketSelection::connected);
    const auto said = inspect(request, ask(network, "a"));
    REQUIRE(said.ended);
    CHECK(said.report.at("consistent") == true);
    CHECK(said.of("socket").size() == std::size_t{18'000});
    CHECK(inet_by_netlab(said.of("socket")) == inet_by_ss(ss(network, 'a', {"-t"}), "tcp"));
}

TEST_CASE("sockets: a target that is gone does not cost the others their rows", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    const DatagramZoo zoo(network, 'b');
    auto asked = ask(network, "ab");
    asked.handles[0].net.reset();
    const auto said = inspect(of_kind(api::SocketKind::udp), std::move(asked));
    REQUIRE(said.of("failure").size() == 1);
    CHECK(said.of("socket").size() == DatagramZoo::udp_sockets);
    CHECK(said.report.at("failures") == 1);
}
