#include "tests/docker/lab.hpp"
#include "tests/support/capture_blocks.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;
using support::eventually;
using support::meanwhile;
using support::Process;
using support::read_pcap;
using support::read_pcapng;
using support::SeenCapture;

namespace {

/// A folder of the test's own.
class Folder {
  public:
    Folder() : path_("/tmp/netlab-capture-" + std::to_string(::getpid())) {
        std::filesystem::remove_all(path_);
        std::filesystem::create_directory(path_);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

Words inside(const std::string& container, const Words& words) {
    Words all{"nsenter", "-t", std::to_string(pid_of(container)), "-n"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

/// Until netlab's worker captures: its file has its beginning.
void wait_for_file(Process& process, const std::string& file) {
    const bool there = eventually(
        [&] {
            std::error_code none;
            return std::filesystem::file_size(file, none) > 0 && !none;
        },
        10s);
    INFO(process.err_so_far());
    REQUIRE(there);
}

/// `netlab capture … -w FILE`, from its being ready on.
class Capturing {
  public:
    Capturing(const support::Daemon& daemon, std::string file, const Words& words)
        : file_(std::move(file)), process_(daemon.start_netlab(with_file(words, file_))) {
        wait_for_file(process_, file_);
    }
    Process& process() { return process_; }
    SeenCapture seen() const { return read_pcapng(support::contents(file_)); }
    bool has(std::size_t packets) const {
        return eventually([&] { return seen().packets.size() >= packets; }, 10s);
    }
    Finished finish() {
        process_.signal(SIGINT);
        return process_.wait();
    }

  private:
    static Words with_file(const Words& words, const std::string& file) {
        Words all{"capture", "-w", file};
        all.insert(all.end(), words.begin(), words.end());
        return all;
    }
    std::string file_;
    Process process_;
};

/// tcpdump at a container's interface, from its being ready on.
class Tcpdump {
  public:
    Tcpdump(const std::string& container, const std::string& interface, std::string file, const Words& filter)
        : file_(std::move(file)), process_(command(container, interface, file_, filter)) {
        REQUIRE(
            eventually([&] { return process_.err_so_far().find("listening on") != std::string::npos; }, 10s));
    }
    std::vector<support::SeenPacket> packets() {
        process_.signal(SIGINT);
        REQUIRE(process_.wait().status == 0);
        return read_pcap(support::contents(file_));
    }

  private:
    static Words command(const std::string& container, const std::string& interface, const std::string& file,
                         const Words& filter) {
        Words words{"tcpdump", "-i",   interface,          "-w", file,    "-U",
                    "-Z",      "root", "--immediate-mode", "-B", "16384", "--time-stamp-precision=nano"};
        words.insert(words.end(), filter.begin(), filter.end());
        return inside(container, words);
    }
    std::string file_;
    Process process_;
};

/// tshark reads it without a word on stderr but its own about root; its lines.
std::vector<std::string> by_tshark(const std::string& file, const Words& fields) {
    Words words{"tshark", "-N", "n", "-r", file, "-T", "fields"};
    for (const auto& field : fields) {
        words.emplace_back("-e");
        words.push_back(field);
    }
    const auto read = support::run_well(words);
    std::string complaint = read.err;
    if (complaint.find("Running as user") != std::string::npos) complaint.erase(0, complaint.find('\n') + 1);
    CHECK(complaint.empty());
    return read.lines();
}

std::string text_of(const support::SeenInterface& interface, std::uint16_t option) {
    const auto found = interface.options.find(option);
    return found == interface.options.end() ? std::string() : found->second;
}

void ping(const std::string& from, const std::string& to, int count) {
    docker({"exec", from, "ping", "-c", std::to_string(count), "-i", "0.02", "-q", to});
}

/// Pings without end, so that a test does not depend on when something is ready.
Process pinging(const std::string& from, const std::string& address) {
    return Process(inside(from, {"ping", "-q", "-i", "0.05", address}));
}

int open_descriptors(pid_t pid) {
    int count = 0;
    std::error_code none;
    for (auto entry = std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", none);
         entry != std::filesystem::directory_iterator(); entry.increment(none))
        ++count;
    return count;
}

}  // namespace

TEST_CASE("capture: what goes through a container is what tcpdump sees there, byte for byte") {
    support::Daemon daemon(settings());
    const Folder folder;
    const auto [container, interface, filter] = GENERATE(table<std::string, std::string, Words>({
        {"co2", "eth0", {"icmp", "or", "arp", "or", "tcp"}},
        {"co1", "lo", {"udp"}},
        {"six1", "eth0", {"ip6"}},
    }));
    INFO(container << ":" << interface);
    Words words{container + ":" + interface};
    words.insert(words.end(), filter.begin(), filter.end());
    Capturing capturing(daemon, folder.file("a.pcapng"), words);
    Tcpdump referee(container, interface, folder.file("b.pcap"), filter);
    if (container == "co2") {
        // ARP is asked for again, then echoes, then TCP to a web server.
        support::run(inside("co2", {"ip", "neigh", "flush", "all"}));
        ping("co1", "co2", 10);
        const Process server(inside("co2", {"busybox", "httpd", "-f", "-p", "8099", "-h", "/etc"}));
        const auto url = "http://" + address_of("co2", "net") + ":8099/hostname";
        REQUIRE(eventually(
            [&] {
                return support::run(inside("co1", {"curl", "-sf", url})).status == 0;
            },
            5s));
    } else if (container == "co1") {
        docker({"exec", "co1", "nslookup", "co2"});  // 127.0.0.11
    } else {
        docker({"exec", "six1", "ping", "-6", "-c", "5", "-q", "six2"});
    }
    const auto expected = referee.packets();
    REQUIRE(expected.size() >= 4);
    REQUIRE(eventually(
        [&] { return meanwhile(capturing.seen().packets, expected).size() >= expected.size(); }, 10s));
    const auto ended = capturing.finish();
    INFO(ended.err);
    CHECK(ended.status == 0);
    const auto seen = capturing.seen();
    CHECK(seen.whole);
    CHECK(bytes_of(meanwhile(seen.packets, expected)) == bytes_of(expected));
    CHECK(ended.err.find("0 dropped") != std::string::npos);
    REQUIRE(seen.interfaces.size() == 1);
    CHECK(text_of(seen.interfaces[0], 2) == container + ":" + interface);
    CHECK(text_of(seen.interfaces[0], 3).find(text(inspect(container), "Id").substr(0, 12)) !=
          std::string::npos);
    CHECK(by_tshark(folder.file("a.pcapng"), {"frame.number"}).size() == seen.packets.size());
    for (const auto& name : by_tshark(folder.file("a.pcapng"), {"frame.interface_name"}))
        CHECK(name == container + ":" + interface);
    const auto about = support::run_well({"capinfos", folder.file("a.pcapng")}).out;
    CHECK(about.find("Number of packets:   " + std::to_string(seen.packets.size())) != std::string::npos);
    CHECK(about.find("Time precision = nanoseconds (9)") != std::string::npos);
}

TEST_CASE("capture: VXLAN between two namespaces is seen with what it carries") {
    support::Daemon daemon(settings());
    const Folder folder;
    // By hand in UDP: a packet of VNI 42 from co1 to co2, as this kernel may have no VXLAN devices.
    const std::string program =
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "inner = bytes.fromhex('0242ac110002 0242ac110003 0806 0001 0800 06 04 0001 0242ac110003 ac110003"
        " 000000000000 ac110002')\n"
        "for i in range(5): s.sendto(bytes.fromhex('0800000000002a00') + inner, ('" +
        address_of("co2", "net") + "', 4789))\n";
    Capturing capturing(daemon, folder.file("a.pcapng"), {"co2:eth0", "udp", "port", "4789"});
    auto live = daemon.start_netlab({"-j", "capture", "-c", "5", "co2:eth0", "udp", "port", "4789"});
    Tcpdump referee("co2", "eth0", folder.file("b.pcap"), {"udp", "port", "4789"});
    REQUIRE(eventually([&] { return live.out_so_far().find("start") != std::string::npos; }, 10s));
    support::run_well(inside("co1", {"python3", "-c", program}));
    const auto expected = referee.packets();
    CHECK(expected.size() == 5);
    REQUIRE(capturing.has(5));
    CHECK(capturing.finish().status == 0);
    CHECK(bytes_of(capturing.seen().packets) == bytes_of(expected));
    const auto said = live.wait();
    CHECK(said.status == 0);
    CHECK(said.out.find("VXLAN, flags [I] (0x08), vni 42") != std::string::npos);
    CHECK(said.out.find("who-has 172.17.0.2 tell 172.17.0.3") != std::string::npos);
}

TEST_CASE("capture: a container, the bridge and another container on one flow are one file in time order") {
    support::Daemon daemon(settings());
    const Folder folder;
    const auto id = docker({"network", "inspect", "-f", "{{.Id}}", "net"}).out.substr(0, 12);
    Capturing capturing(daemon, folder.file("a.pcapng"),
                        {"co1:eth0", "host:br-" + id, "co2:eth0", "co1:eth0@veth", "icmp", "or", "arp"});
    support::run(inside("co1", {"ip", "neigh", "flush", "all"}));
    ping("co1", "co2", 20);
    REQUIRE(eventually([&] { return capturing.seen().of(2).size() >= 42; }, 10s));
    CHECK(capturing.finish().status == 0);
    const auto seen = capturing.seen();
    REQUIRE(seen.interfaces.size() == 4);
    CHECK(text_of(seen.interfaces[1], 2) == "host:br-" + id);
    CHECK(text_of(seen.interfaces[3], 2) == "co1:eth0@veth");
    CHECK(!seen.of(1).empty());  // who-has is for everybody, the bridge too
    CHECK(seen.of(0).size() == seen.of(3).size());
    std::uint64_t latest = 0;
    for (const auto& packet : seen.packets) {
        CHECK(packet.time_ns + 1'000'000 >= latest);
        latest = std::max(latest, packet.time_ns);
    }
    // The addresses have their targets' names: of two targets' one address the capture has the first.
    const auto names = by_tshark(folder.file("a.pcapng"), {"ip.src_host"});
    CHECK(std::ranges::find(names, "co1") != names.end());
    CHECK(std::ranges::find(names, "co2") != names.end());
}

TEST_CASE("capture: net:NAME is the bridge and every member") {
    support::Daemon daemon(settings());
    const Folder folder;
    Capturing capturing(daemon, folder.file("a.pcapng"), {"net:test-net", "icmp"});
    ping("napt", "napt2", 5);
    REQUIRE(capturing.has(20));
    CHECK(capturing.finish().status == 0);
    std::vector<std::string> names;
    for (const auto& interface : capturing.seen().interfaces)
        names.push_back(text_of(interface, 2));
    std::ranges::sort(names);
    REQUIRE(names.size() == 3);
    CHECK(names[0].starts_with("host:br-"));
    CHECK(names[1] == "napt2:eth0");
    CHECK(names[2] == "napt:eth0");
}

TEST_CASE("capture: live, a line for each packet as tcpdump says it, with the targets' names") {
    support::Daemon daemon(settings());
    const auto pings = pinging("co1", address_of("co2", "net"));
    const auto said = daemon.netlab({"capture", "-c", "6", "co1:eth0", "icmp", "and", "host", "co2"});
    INFO(said.out << said.err);
    CHECK(said.status == 0);
    REQUIRE(said.lines().size() == 6);
    for (const auto& line : said.lines())
        CHECK(line.find(" co1:eth0 ") != std::string::npos);
    CHECK(said.out.find("Out IP co1 > co2: ICMP echo request") != std::string::npos);
    CHECK(said.out.find("In  IP co2 > co1: ICMP echo reply") != std::string::npos);
    CHECK(said.err.find("6 packets") != std::string::npos);
    CHECK(said.err.find("0 dropped") != std::string::npos);
}

TEST_CASE("capture: a packet is shown as soon as it has come") {
    support::Daemon daemon(settings());
    auto live = daemon.start_netlab({"-j", "capture", "co1:eth0", "icmp"});
    REQUIRE(eventually([&] { return live.out_so_far().find("\"start\"") != std::string::npos; }, 5s));
    const auto pings = pinging("co1", address_of("co2", "net"));
    // Not by the end of something: it goes on.
    REQUIRE(eventually([&] { return live.out_so_far().find("echo reply") != std::string::npos; }, 5s));
    live.signal(SIGINT);
    const auto said = live.wait();
    CHECK(said.status == 0);
    const auto last = report(said);
    CHECK(text(last, "type") == "report");
    CHECK(text(last, "end") == "finished");
    std::uint64_t packets = 0;
    for (const auto& line : said.json_lines()) {
        if (text(line, "type") == "packet") ++packets;
    }
    CHECK(last.at("packets").to_number<std::uint64_t>() == packets);
    const auto& point = last.at("points").at(0).as_object();
    CHECK(point.at("received").to_number<std::uint64_t>() == packets);
    CHECK(point.at("delivered").to_number<std::uint64_t>() == packets);
    CHECK(point.at("dropped").to_number<std::uint64_t>() == 0);
}

TEST_CASE("capture: a mistake in a filter is told with its place, and no file is touched") {
    support::Daemon daemon(settings());
    const Folder folder;
    std::ofstream(folder.file("old")) << "precious";
    for (const Words& options : {Words{}, Words{"-w", folder.file("old")}}) {
        Words words{"capture", "co1:eth0", "tcp", "port", "80", "and", "and", "udp"};
        words.insert(words.begin() + 1, options.begin(), options.end());
        const auto said = daemon.netlab(words);
        CHECK(said.status == 2);
        CHECK(said.err.find("syntax error") != std::string::npos);
        const auto filter = said.err.find("tcp port 80 and and udp");
        REQUIRE(filter != std::string::npos);
        const auto line = said.err.rfind('\n', filter) + 1;
        const auto next = said.err.find('\n', filter) + 1;
        CHECK(said.err.find('^', next) - next == filter - line + 16);
    }
    CHECK(support::contents(folder.file("old")) == "precious");
    // libpcap would ask files and servers for what it takes for a name; in the sandbox that is the end.
    for (const std::string filter :
         {"tcp host 10.0.0.1", "icmp host co2", "tcp net 10/8", "ether host 1.2.3.4", "tcp dst 10.0.0.1",
          "port 8000-8100", "host 1.2.3.4.5", "host ab.cd.ef", "net a.b.c", "ip proto foo", "gateway co1",
          "host www.example.com", "port nosuchservice", "tcp port 80 or", "ether proto \\foo", "vlan foo",
          "portrange 1 2"}) {
        const auto said = daemon.netlab({"capture", "co1:eth0", "--for", "1", "--", filter});
        INFO(filter << ": " << said.err);
        CHECK(said.status == 2);
        CHECK(said.err.find('^') != std::string::npos);
    }
    CHECK(daemon.netlab({"capture", "co1:eth7", "icmp"}).status == 2);
    CHECK(daemon.netlab({"capture", "nobody", "icmp"}).status == 3);
    CHECK(daemon.netlab({"capture"}).status == 2);
}

TEST_CASE("capture: the audit has the filter and the count of packets") {
    support::Daemon daemon(settings());
    const Folder folder;
    Capturing capturing(daemon, folder.file("a.pcapng"),
                        {"-c", "4", "co1:eth0", "icmp", "and", "host", "co2"});
    ping("co1", "co2", 4);
    CHECK(capturing.process().wait().status == 0);
    REQUIRE(eventually([&] { return daemon.log().find("packets=4 dropped=0") != std::string::npos; }, 3s));
    CHECK(daemon.log().find("op=capture role=capture decision=allowed target=co1:eth0") != std::string::npos);
    CHECK(daemon.log().find("filter=icmp\\x20and\\x20host\\x20co2") != std::string::npos);
}

TEST_CASE("capture: a ring leaves files that are valid each, and so does a killed client") {
    support::Daemon daemon(settings());
    const Folder folder;
    auto ring =
        daemon.start_netlab({"capture", "-w", folder.file("r.pcapng"), "--ring", "3:8K", "co1:eth0", "icmp"});
    {
        const Process pings(
            inside("co1", {"ping", "-q", "-i", "0.002", "-s", "400", address_of("co2", "net")}));
        REQUIRE(eventually([&] { return std::filesystem::exists(folder.file("r_00005.pcapng")); }, 20s));
    }
    // What was under way has been written: a kill in the middle of write(2) is the kernel's to answer for.
    std::this_thread::sleep_for(500ms);
    ring.signal(SIGKILL);
    ring.wait();
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
        ++files;
        const auto seen = read_pcapng(support::contents(entry.path()));
        INFO(entry.path());
        CHECK(seen.whole);
        CHECK(seen.interfaces.size() == 1);
        CHECK(!seen.packets.empty());
        CHECK(entry.file_size() <= 8 * 1024);
        CHECK(by_tshark(entry.path(), {"frame.number"}).size() == seen.packets.size());
    }
    CHECK(files == 3);
    REQUIRE(eventually([&] { return daemon.workers("nl:capture").empty(); }, 3s));
}

TEST_CASE("capture: a full disk leaves a valid beginning and a clear error") {
    support::Daemon daemon(settings());
    const Folder folder;
    support::run_well({"mount", "-t", "tmpfs", "-o", "size=64k", "none", folder.path()});
    auto capturing = daemon.start_netlab({"capture", "-w", folder.file("a.pcapng"), "co1:eth0", "icmp"});
    wait_for_file(capturing, folder.file("a.pcapng"));
    support::run(
        inside("co1", {"ping", "-q", "-c", "200", "-i", "0.002", "-s", "1000", address_of("co2", "net")}));
    const auto ended = capturing.wait(20s);
    const auto bytes = support::contents(folder.file("a.pcapng"));
    support::run_well({"umount", folder.path()});
    CHECK(ended.status == 5);
    CHECK(ended.err.find("No space left on device") != std::string::npos);
    const auto seen = read_pcapng(bytes);
    CHECK(seen.whole);
    CHECK(seen.packets.size() > 20);
}

TEST_CASE("capture: a reader that takes 1 KiB a second costs 16 MiB at most, and what is lost is counted") {
    support::Daemon daemon(settings());
    const auto rss = [](pid_t pid) {
        return std::strtol(support::process_status(pid, "VmRSS").c_str(), nullptr, 10);
    };
    const auto front = daemon.child("nl:front");
    const auto front_before = rss(front);
    // curl takes as slowly as it is told to.
    const Folder folder;
    Process slow({"curl", "-sN", "--limit-rate", "1K", "--unix-socket", daemon.socket(), "-o",
                  folder.file("slow"), "-H", "Content-Type: application/json", "-d",
                  R"({"points":["co2:eth0"],"filter":"udp"})", "http://netlabd/v1/capture"});
    wait_for_file(slow, folder.file("slow"));
    const auto worker = daemon.workers("nl:capture").front();
    const auto worker_before = rss(worker);
    const std::string program =
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for i in range(75000): s.sendto(bytes(1400), ('" +
        address_of("co2", "net") + "', 9))\n";
    support::run_well(inside("co1", {"python3", "-c", program}));
    const auto grown = rss(worker) - worker_before + rss(front) - front_before;
    INFO("KiB: " << grown);
    CHECK(grown <= 16 * 1024);
    slow.signal(SIGTERM);
    slow.wait();
    REQUIRE(eventually([&] { return daemon.log().find("dropped=") != std::string::npos; }, 3s));
    const auto log = daemon.log();
    CHECK(std::strtol(log.substr(log.rfind("dropped=") + 8).c_str(), nullptr, 10) > 30'000);
    CHECK(eventually([&] { return daemon.workers("nl:capture").empty(); }, 3s));
}

TEST_CASE("capture: containers that are removed end their captures within two seconds, and leave nothing") {
    support::Daemon daemon(settings());
    const Folder folder;
    const auto front = daemon.child("nl:front");
    const auto before = open_descriptors(front);
    constexpr int rounds = 20;
    constexpr int each = 10;
    for (int round = 0; round < rounds; ++round) {
        const Container victim("victim", {"--network", "net"});
        REQUIRE(eventually([&] { return daemon.netlab({"links", "victim"}).status == 0; }, 5s));
        std::vector<Process> captures;
        for (int i = 0; i < each; ++i) {
            const auto file = folder.file(std::to_string(i));
            std::filesystem::remove(file);
            captures.push_back(
                daemon.start_netlab({"capture", "-w", file, i % 2 == 0 ? "victim" : "victim:any"}));
        }
        for (int i = 0; i < each; ++i)
            wait_for_file(captures[static_cast<std::size_t>(i)], folder.file(std::to_string(i)));
        docker({"rm", "-f", "victim"});
        const auto removed = std::chrono::system_clock::now();
        for (int i = 0; i < each; ++i) {
            const auto ended = captures[static_cast<std::size_t>(i)].wait(30s);
            INFO(ended.err);
            CHECK(ended.status == 0);
            const auto seen = read_pcapng(support::contents(folder.file(std::to_string(i))));
            CHECK(seen.whole);
            REQUIRE(!seen.statistics.empty());
            CHECK(!seen.statistics[0].comment().empty());
            // By its own clock: how soon ten clients are scheduled is another matter.
            CHECK(seen.statistics[0].end() < removed + 2s);
            CHECK(ended.err.find(seen.statistics[0].comment()) != std::string::npos);
        }
    }
    CHECK(daemon.workers("nl:capture").empty());
    CHECK(eventually([&] { return open_descriptors(front) <= before; }, 3s));
}

TEST_CASE("capture: when one container ends the others go on") {
    support::Daemon daemon(settings());
    const Folder folder;
    const Container victim("victim", {"--network", "net"});
    REQUIRE(eventually([&] { return daemon.netlab({"links", "victim"}).status == 0; }, 5s));
    Capturing capturing(daemon, folder.file("a.pcapng"), {"victim", "co1", "icmp"});
    docker({"rm", "-f", "victim"});
    ping("co1", "co2", 5);
    REQUIRE(capturing.has(10));
    CHECK(capturing.finish().status == 0);
    const auto seen = capturing.seen();
    REQUIRE(seen.statistics.size() == 2);
    CHECK(!seen.statistics[0].comment().empty());
    CHECK(seen.statistics[1].comment().empty());
    CHECK(seen.of(1).size() == 10);
}

TEST_CASE("capture: who has not the role is refused") {
    support::Daemon daemon(settings());
    ::chmod(daemon.folder().c_str(), 0755);
    ::chmod(daemon.socket().c_str(), 0666);
    const auto ask = [&](const Words& as) {
        Words words = as;
        words.insert(words.end(), {"curl", "-s", "-w", "%{http_code}", "--unix-socket", daemon.socket(), "-d",
                                   R"({"points":["co1"],"duration_ms":1})", "http://netlabd/v1/packets"});
        return support::run(words).out;
    };
    const auto refused = ask({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"});
    INFO(refused);
    CHECK(refused.ends_with("403"));
    CHECK(refused.find("permission_denied") != std::string::npos);
    CHECK(ask({}).ends_with("200"));
}

TEST_CASE("capture: Wireshark's programs see every container, and capture at one of them") {
    support::Daemon daemon(settings());
    // tshark looks for it in the folder that it was built with, whatever its environment says where it is
    // root.
    const std::string extcap = "/usr/lib/x86_64-linux-gnu/wireshark/extcap/netlab-extcap";
    std::filesystem::create_directories(std::filesystem::path(extcap).parent_path());
    std::filesystem::remove(extcap);
    std::filesystem::create_symlink(NETLAB_PATH, extcap);
    const auto listed = support::run({"timeout", "60", "tshark", "-D"}, daemon.environment());
    INFO(listed.out << listed.err);
    for (const auto* name : {"co1", "co2", "co3", "napt"})
        CHECK(listed.out.find(std::string("netlab-") + name + " ") != std::string::npos);
    // It goes on until tshark has what it wants, however long that takes to start.
    const auto pings = pinging("co1", address_of("co2", "net"));
    const auto captured =
        support::run({"timeout", "-s", "INT", "90", "tshark", "-i", "netlab-co1", "-f", "icmp", "-c", "4",
                      "-T", "fields", "-e", "frame.interface_name", "-e", "icmp.type"},
                     daemon.environment());
    std::filesystem::remove(extcap);
    INFO(captured.out << captured.err << daemon.log());
    CHECK(captured.status == 0);
    CHECK(captured.lines().size() == 4);
    CHECK(captured.out.find("co1:eth0") != std::string::npos);
}
