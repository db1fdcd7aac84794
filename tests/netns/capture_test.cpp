#include "common/api/capture.hpp"

#include "tests/netns/operation_process.hpp"
#include "tests/netns/test_network.hpp"
#include "tests/support/capture_blocks.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>
#include <csignal>

#include <boost/json/parse.hpp>
#include <unistd.h>

using namespace netlab;
using namespace netlab::test;
using namespace std::chrono_literals;
using support::meanwhile;
using support::read_pcap;
using support::read_pcapng;
using support::SeenCapture;

namespace {

/// Points as the front would hand them on: "a:eth0" by the letters of the network.
struct Asked {
    api::Context context;
    std::vector<operations::TargetHandle> handles;
};

Asked ask(const TestNetwork& network, const std::string& letters, const std::vector<std::string>& points) {
    Asked asked;
    for (const char letter : letters) {
        auto& target = asked.context.targets.emplace_back();
        target.name = std::string(1, letter);
        target.runtime = letter == 'h' ? api::Runtime::host : api::Runtime::netns;
        target.state = api::State::running;
        asked.handles.push_back(network.handle(letter));
    }
    for (const auto& word : points) {
        api::CapturePoint point;
        point.word = word;
        point.target = static_cast<std::uint32_t>(letters.find(word[0]));
        std::string rest = word.size() > 2 ? word.substr(2) : std::string();
        if (const auto at = rest.find('@'); at != rest.npos) {
            point.other_end = true;
            rest.resize(at);
        }
        point.interface = rest;
        asked.context.points.push_back(std::move(point));
    }
    return asked;
}

/// A capture in a process of its own, and what it has said.
class Capturing {
  public:
    Capturing(Asked asked, const api::CaptureRequest& request)
        : process_(request, std::move(asked.handles), asked.context) {}

    /// Reads until the stream has begun: from then on nothing is missed.
    void begun() {
        REQUIRE(read_more([&] { return bytes_.size() > 0; }));
    }

    /// Reads until so many packets have come.
    bool packets(std::size_t count) {
        return read_more([&] { return read_pcapng(bytes_).packets.size() >= count; });
    }

    /// Reads until such a packet has come; what has been looked at is not looked at again.
    template <class Predicate>
    bool has(Predicate wanted) {
        return read_more([&] {
            parsed_ += support::add_blocks(seen_, std::string_view(bytes_).substr(parsed_));
            const auto found = std::ranges::find_if(seen_.packets, wanted);
            const bool there = found != seen_.packets.end();
            seen_.packets.erase(seen_.packets.begin(), there ? found + 1 : found);
            return there;
        });
    }

    void finish() { process_.finish(); }

    SeenCapture whole() {
        read_more([&] { return ended_; });
        CHECK(ended_);
        auto seen = read_pcapng(bytes_);
        CHECK(seen.whole);
        return seen;
    }

    [[nodiscard]] std::optional<errc> error() {
        read_more([&] { return ended_; });
        return error_;
    }
    [[nodiscard]] const boost::json::object& said() const { return error_text_; }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }
    [[nodiscard]] const frame::Counts& counts() const { return counts_; }
    [[nodiscard]] OperationProcess& process() { return process_; }

  private:
    template <class Condition>
    bool read_more(Condition enough) {
        const auto until = std::chrono::steady_clock::now() + 20s;
        bool good = enough();
        for (; !good && !ended_ && std::chrono::steady_clock::now() < until; good = enough()) {
            const auto frame = process_.next(20s);
            if (!frame) return false;
            const std::string_view payload(reinterpret_cast<const char*>(frame->payload.data()),
                                           frame->payload.size());
            if (frame->kind == frame::Kind::data) bytes_ += payload;
            if (frame->kind == frame::Kind::end) ended_ = true;
            if (frame->kind == frame::Kind::counts) std::memcpy(&counts_, payload.data(), sizeof counts_);
            if (frame->kind != frame::Kind::error) continue;
            std::uint16_t code = 0;
            std::memcpy(&code, payload.data(), sizeof code);
            error_ = static_cast<errc>(code);
            error_text_ = boost::json::parse(payload.substr(sizeof code)).at("error").as_object();
        }
        return good;
    }

    OperationProcess process_;
    std::string bytes_;
    std::size_t parsed_ = 0;
    SeenCapture seen_;  ///< of what is parsed, what has() has not looked at
    bool ended_ = false;
    std::optional<errc> error_;
    boost::json::object error_text_;
    frame::Counts counts_;
};

/// tcpdump at an interface, from its being ready on.
class Tcpdump {
  public:
    Tcpdump(const TestNetwork& network, char letter, const std::string& interface, support::Words words)
        : path_("/tmp/netlab-test-" + std::to_string(::getpid()) + "-" + letter + ".pcap"),
          process_(command(network.name(letter), interface, path_, std::move(words))) {
        REQUIRE(support::eventually(
            [&] { return process_.err_so_far().find("listening on") != std::string::npos; }, 5s));
    }
    ~Tcpdump() { ::unlink(path_.c_str()); }
    Tcpdump(const Tcpdump&) = delete;
    Tcpdump& operator=(const Tcpdump&) = delete;

    std::vector<support::SeenPacket> packets() {
        process_.signal(SIGINT);
        REQUIRE(process_.wait().status == 0);
        return read_pcap(support::contents(path_));
    }

  private:
    static support::Words command(const std::string& space, const std::string& interface,
                                  const std::string& path, support::Words words) {
        // -Z: it would become a user who may not write here. With --immediate-mode it would get a small
        // buffer, so its size is said.
        support::Words all{"nsenter",
                           "--net=/run/netns/" + space,
                           "tcpdump",
                           "-i",
                           interface,
                           "-w",
                           path,
                           "-U",
                           "-Z",
                           "root",
                           "--immediate-mode",
                           "-B",
                           "16384",
                           "--time-stamp-precision=nano"};
        all.insert(all.end(), words.begin(), words.end());
        return all;
    }

    std::string path_;
    support::Process process_;
};

api::CaptureRequest filtered(const std::string& filter) {
    api::CaptureRequest request;
    request.points = {"a"};
    request.filter = filter;
    return request;
}

void ping(const TestNetwork& network, char letter, const std::string& words) {
    support::run(
        {"sh", "-c", "nsenter --net=/run/netns/" + network.name(letter) + " ping -q -i 0.01 " + words});
}

}  // namespace

TEST_CASE("capture: the packets are tcpdump's, byte for byte, with their direction", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "10.9.0.1/24", 'b', "eth0", "10.9.0.2/24");
    network.ip('a', "addr add 2001:db8:9::1/64 dev eth0 nodad");
    network.ip('b', "addr add 2001:db8:9::2/64 dev eth0 nodad");
    const std::string filter = "arp or icmp or icmp6";
    Capturing capturing(ask(network, "a", {"a"}), filtered(filter));
    capturing.begun();
    Tcpdump referee(network, 'a', "eth0", {filter});
    ping(network, 'a', "-c 20 -s 1400 10.9.0.2");
    ping(network, 'a', "-c 5 2001:db8:9::2");
    const auto expected = referee.packets();
    REQUIRE(expected.size() >= 50);
    REQUIRE(capturing.packets(expected.size()));
    capturing.finish();
    const auto seen = capturing.whole();
    const auto both = meanwhile(seen.packets, expected);
    CHECK(bytes_of(both) == bytes_of(expected));
    // The kernel stamps a packet once, whoever looks; but the first ones each where it is looked at.
    for (std::size_t i = 0; i < std::min(both.size(), expected.size()); ++i) {
        constexpr std::int64_t tolerance = 1'000'000;
        CHECK(std::abs(static_cast<std::int64_t>(both[i].time_ns - expected[i].time_ns)) < tolerance);
        CHECK(both[i].length == expected[i].length);
        CHECK((both[i].flags == 1 || both[i].flags == 2));
    }
    const auto out = std::ranges::count(seen.packets, 2U, &support::SeenPacket::flags);
    CHECK(out >= 25);
    CHECK(out <= static_cast<std::ptrdiff_t>(seen.packets.size()) - 25);
    REQUIRE(seen.interfaces.size() == 1);
    CHECK(seen.interfaces[0].options.at(2) == "a:eth0");
    CHECK(seen.interfaces[0].options.at(11).substr(1) == filter);
    REQUIRE(seen.statistics.size() == 1);
    CHECK(seen.statistics[0].received() == seen.packets.size());
    CHECK(seen.statistics[0].delivered() == seen.packets.size());
    CHECK(seen.statistics[0].dropped() == 0);
    CHECK(seen.statistics[0].comment().empty());
    CHECK(capturing.counts() == frame::Counts{seen.packets.size(), 0});
}

TEST_CASE("capture: a VLAN's tag is where it was on the wire, and `vlan` finds it", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "10.9.0.1/24", 'b', "eth0", "10.9.0.2/24");
    // Tagged by hand: this kernel may have no VLAN devices.
    const std::string program =
        "import socket\n"
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
        "s.bind(('eth0', 0))\n"
        "head = bytes.fromhex('ffffffffffff020000000001')\n"
        "for i in range(10): s.send(head + bytes.fromhex('8100 602a 0800') + bytes([0x45] + [i] * 59))\n"
        "s.send(head + bytes.fromhex('0800') + bytes([0x45] + [99] * 59))\n";
    Capturing capturing(ask(network, "b", {"b:eth0"}), filtered("vlan 42"));
    capturing.begun();
    Tcpdump referee(network, 'b', "eth0", {"vlan", "42"});
    support::run_well({"nsenter", "--net=/run/netns/" + network.name('a'), "python3", "-c", program});
    REQUIRE(capturing.packets(10));
    const auto expected = referee.packets();
    capturing.finish();
    const auto seen = capturing.whole();
    CHECK(seen.packets.size() == 10);
    CHECK(bytes_of(seen.packets) == bytes_of(expected));
    CHECK(seen.packets.at(0).bytes.substr(12, 4) == std::string("\x81\x00\x60\x2a", 4));
}

TEST_CASE("capture: on the loopback each packet is there once, on `any` too, as with tcpdump", "[netns]") {
    const TestNetwork network("a");
    const auto point = GENERATE(std::string("a:lo"), std::string("a:any"));
    const std::string interface = point.substr(2);
    Capturing capturing(ask(network, "a", {point}), filtered("icmp"));
    capturing.begun();
    Tcpdump referee(network, 'a', interface,
                    interface == "any" ? support::Words{"-y", "LINUX_SLL2", "icmp"} : support::Words{"icmp"});
    ping(network, 'a', "-c 10 127.0.0.1");
    REQUIRE(capturing.packets(20));
    const auto expected = referee.packets();
    capturing.finish();
    const auto seen = capturing.whole();
    CHECK(seen.packets.size() == 20);
    CHECK(bytes_of(seen.packets) == bytes_of(expected));
    CHECK(seen.interfaces.at(0).link_type == (interface == "any" ? 276 : 1));
}

TEST_CASE("capture: three points on one way are in one file in the order of time", "[netns]") {
    const TestNetwork network("ahb");
    network.ip('h', "link add br0 type bridge");
    network.ip('h', "link set br0 up");
    network.veth('a', "eth0", "10.9.0.1/24", 'h', "va", "");
    network.veth('b', "eth0", "10.9.0.2/24", 'h', "vb", "");
    network.ip('h', "link set va master br0");
    network.ip('h', "link set vb master br0");
    Capturing capturing(ask(network, "ahb", {"a:eth0", "h:br0", "b:eth0", "a:eth0@veth"}), filtered("icmp"));
    capturing.begun();
    ping(network, 'a', "-c 50 10.9.0.2");
    // Bridged packets do not pass the bridge's own interface, which only sees what is for the host and
    // floods.
    REQUIRE(capturing.packets(300));
    capturing.finish();
    const auto seen = capturing.whole();
    REQUIRE(seen.interfaces.size() == 4);
    CHECK(seen.interfaces[3].options.at(2) == "a:eth0@veth");
    CHECK(seen.of(0).size() == 100);
    CHECK(seen.of(2).size() == 100);
    CHECK(seen.of(3).size() == 100);
    constexpr std::uint64_t tolerance = 1'000'000;
    std::uint64_t latest = 0;
    for (const auto& packet : seen.packets) {
        CHECK(packet.time_ns + tolerance >= latest);
        latest = std::max(latest, packet.time_ns);
    }
}

TEST_CASE("capture: it ends by its count, by its time, and -Q keeps one direction", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "10.9.0.1/24", 'b', "eth0", "10.9.0.2/24");
    auto request = filtered("icmp");
    request.count = 7;
    request.snap_length = 40;
    request.direction = api::CaptureDirection::out;
    Capturing counted(ask(network, "a", {"a:eth0"}), request);
    counted.begun();
    ping(network, 'a', "-c 20 10.9.0.2");
    const auto seen = counted.whole();
    CHECK(seen.packets.size() == 7);
    for (const auto& packet : seen.packets) {
        CHECK(packet.bytes.size() == 40);
        CHECK(packet.length == 98);
        CHECK(packet.flags == 2);
    }
    CHECK(seen.statistics.at(0).received() == 7);
    request = filtered("icmp");
    request.duration_ms = 300;
    const auto before = std::chrono::steady_clock::now();
    Capturing timed(ask(network, "a", {"a:eth0"}), request);
    CHECK(timed.whole().packets.empty());
    CHECK(std::chrono::steady_clock::now() - before >= 300ms);
    CHECK(std::chrono::steady_clock::now() - before < 5s);
}

TEST_CASE("capture: an interface that is removed ends, the others go on, and its end is said", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "10.9.0.1/24", 'b', "eth0", "10.9.0.2/24");
    network.veth('a', "eth1", "10.9.1.1/24", 'b', "eth1", "10.9.1.2/24");
    Capturing capturing(ask(network, "a", {"a:eth0", "a:eth1"}), filtered("icmp"));
    capturing.begun();
    ping(network, 'a', "-c 5 10.9.0.2");
    network.ip('a', "link del eth0");
    ping(network, 'a', "-c 5 10.9.1.2");
    REQUIRE(capturing.packets(20));
    capturing.finish();
    const auto seen = capturing.whole();
    CHECK(seen.of(0).size() == 10);
    CHECK(seen.of(1).size() == 10);
    CHECK(seen.statistics.at(0).comment() == "eth0 has been removed");
    CHECK(seen.statistics.at(1).comment().empty());
}

TEST_CASE("capture: with its last interface a capture ends by itself, and not with one that goes down",
          "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "10.9.0.1/24", 'b', "eth0", "10.9.0.2/24");
    Capturing capturing(ask(network, "a", {"a:eth0"}), filtered("icmp"));
    capturing.begun();
    network.ip('a', "link set eth0 down");
    network.ip('a', "link set eth0 up");
    ping(network, 'a', "-c 5 10.9.0.2");
    REQUIRE(capturing.packets(10));
    network.ip('a', "link del eth0");
    const auto seen = capturing.whole();
    CHECK(seen.packets.size() == 10);
    CHECK(seen.statistics.at(0).comment() == "eth0 has been removed");
}

TEST_CASE("capture: interfaces that are called like libpcap's own devices are what they are", "[netns]") {
    const TestNetwork network("ab");
    const auto name = GENERATE(std::string("usbmon1"), std::string("nflog"), std::string("bluetooth0"));
    network.veth('a', name, "10.9.0.1/24", 'b', "eth0", "10.9.0.2/24");
    Capturing capturing(ask(network, "a", {"a:" + name}), filtered("icmp"));
    capturing.begun();
    ping(network, 'a', "-c 3 10.9.0.2");
    REQUIRE(capturing.packets(6));
    capturing.finish();
    CHECK(capturing.whole().interfaces.at(0).options.at(2) == "a:" + name);
}

TEST_CASE("capture: where an interface is called `any`, the word is refused, and the target has it",
          "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "any", "10.9.0.1/24", 'b', "eth0", "10.9.0.2/24");
    Capturing refused(ask(network, "a", {"a:any"}), filtered("icmp"));
    CHECK(refused.error() == errc::bad_request);
    Capturing capturing(ask(network, "a", {"a"}), filtered("icmp"));
    capturing.begun();
    ping(network, 'a', "-c 3 10.9.0.2");
    REQUIRE(capturing.packets(6));
    capturing.finish();
    CHECK(capturing.whole().interfaces.at(0).link_type == 1);
}

TEST_CASE("capture: what there is no interface for is an error before anything is said", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "10.9.0.1/24", 'b', "eth0", "10.9.0.2/24");
    const auto [point, code] = GENERATE(table<std::string, errc>({
        {"a:eth9", errc::no_such_interface},
        {"a:lo@veth", errc::no_such_interface},
        {"a:eth0@veth", errc::no_such_interface},  // it is in no namespace that was given
    }));
    INFO(point);
    Capturing capturing(ask(network, "a", {point}), filtered(""));
    CHECK(capturing.error() == code);
    CHECK(capturing.bytes().empty());
    const TestNetwork empty("c");
    Capturing nothing(ask(empty, "c", {"c"}), filtered(""));
    CHECK(nothing.error() == errc::no_such_interface);
}

TEST_CASE("capture: a mistake in a filter is told in libpcap's words with its place", "[netns]") {
    const TestNetwork network("a");
    Capturing capturing(ask(network, "a", {"a:lo"}), filtered("tcp port 80 and and udp"));
    CHECK(capturing.error() == errc::bad_request);
    CHECK(capturing.bytes().empty());
    const auto& details = capturing.said().at("details").as_array();
    REQUIRE(details.size() == 2);
    CHECK(details[0].as_string() == "tcp port 80 and and udp");
    CHECK(details[1].as_string() == "                ^");
    CHECK(std::string(capturing.said().at("message").as_string()).find("syntax error") != std::string::npos);
}

TEST_CASE("capture: a target's name in a filter is its addresses", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "10.9.0.1/24", 'b', "eth0", "10.9.0.2/24");
    network.ip('a', "addr add 10.9.0.3/24 dev eth0");
    network.ip('b', "addr add 10.9.0.4/24 dev eth0");
    auto asked = ask(network, "a", {"a:eth0"});
    asked.context.names = {{*IpAddress::parse("10.9.0.4"), "co2"}, {*IpAddress::parse("fd00::4"), "co2"}};
    Capturing capturing(std::move(asked), filtered("icmp and host co2"));
    capturing.begun();
    ping(network, 'a', "-c 3 10.9.0.2");
    ping(network, 'a', "-c 3 10.9.0.4");
    REQUIRE(capturing.packets(6));
    capturing.finish();
    const auto seen = capturing.whole();
    CHECK(seen.packets.size() == 6);
    CHECK(seen.interfaces.at(0).options.at(11).substr(1) == "icmp and host (10.9.0.4 or fd00::4)");
    CHECK(seen.names.count(std::string("\x0a\x09\x00\x04", 4)) == 1);
}

TEST_CASE("capture: what a reader does not take is counted, and received is delivered and dropped",
          "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "10.9.0.1/24", 'b', "eth0", "10.9.0.2/24");
    auto request = filtered("udp");
    request.buffer_kib = 512;
    Capturing capturing(ask(network, "a", {"a:eth0"}), request);
    capturing.begun();
    // 20,000 packets of 1 KiB: more than the ring and the stream have room for. Nobody reads meanwhile.
    const std::string program =
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for i in range(20000): s.sendto(bytes(1000), ('10.9.0.2', 9))\n";
    network.ip('a', "neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev eth0");
    support::run_well({"nsenter", "--net=/run/netns/" + network.name('a'), "python3", "-c", program});
    capturing.finish();
    const auto seen = capturing.whole();
    const auto& statistics = seen.statistics.at(0);
    CHECK(statistics.received() == 20'000);
    CHECK(statistics.delivered() == seen.packets.size());
    CHECK(statistics.dropped() > 10'000);
    CHECK(statistics.received() == statistics.delivered() + statistics.dropped());
    CHECK(capturing.counts() == frame::Counts{statistics.delivered(), statistics.dropped()});
}

TEST_CASE("capture: however fast they come, a packet after them is not left behind", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "10.9.0.1/24", 'b', "eth0", "10.9.0.2/24");
    network.ip('a', "neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev eth0");
    auto request = filtered("udp");
    request.buffer_kib = 512;
    Capturing capturing(ask(network, "a", {"a:eth0"}), request);
    capturing.begun();
    // A block may be filled between the look at it and the wait for it: many are, while somebody reads.
    const std::string program =
        "import socket, time\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.connect(('10.9.0.2', 9))\n"
        "for burst in range(30):\n"
        "    for i in range(3000): s.send(bytes(200))\n"
        "    time.sleep(0.15)\n"
        "    s.send(bytes([burst]))\n"
        "    time.sleep(0.15)\n";
    support::Process sender({"nsenter", "--net=/run/netns/" + network.name('a'), "python3", "-c", program});
    for (char burst = 0; burst < 30; ++burst) {
        INFO(int{burst});
        constexpr std::size_t headers = 42;
        REQUIRE(capturing.has([&](const support::SeenPacket& packet) {
            return packet.bytes.size() == headers + 1 && packet.bytes.back() == burst;
        }));
    }
}
