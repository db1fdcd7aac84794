#include "cli/capture_stream.hpp"
#include "cli/capture_words.hpp"
#include "cli/render/capture_text.hpp"
#include "cli/render/error_text.hpp"
#include "cli/stream_events.hpp"
#include "tests/support/command.hpp"
#include "tests/unit/fake_daemon.hpp"
#include "tests/unit/pcapng_bytes.hpp"

#include <csignal>
#include <fstream>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace netlab;
using namespace netlab::cli;
using test::FakeDaemon;
using test::part;

namespace {

using Words = std::vector<std::string>;

/// A folder that goes with the test.
class Folder {
  public:
    Folder() {
        char name[] = "/tmp/netlab-capture-XXXXXX";
        REQUIRE(::mkdtemp(name));
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
    [[nodiscard]] Words names() const {
        Words names;
        for (const auto& entry : std::filesystem::directory_iterator(path_))
            names.push_back(entry.path().filename());
        std::ranges::sort(names);
        return names;
    }

  private:
    std::string path_;
};

pcapng::Bytes read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    REQUIRE(in);
    return test::bytes_of(std::string{std::istreambuf_iterator<char>(in), {}});
}

struct Contents {
    std::vector<std::uint32_t> types;
    std::vector<pcapng::PacketHead> packets;
    bool whole = false;
};

Contents contents_of(const pcapng::Bytes& bytes) {
    Contents out;
    pcapng::Reader reader;
    reader.feed(bytes);
    for (;;) {
        const auto block = reader.next();
        REQUIRE(block);
        if (!*block) break;
        out.types.push_back((*block)->type);
        if ((*block)->type == pcapng::block::packet)
            out.packets.push_back(pcapng::decode_packet(**block).value().head);
    }
    out.whole = reader.at_boundary();
    return out;
}

/// Hands all to the file, in pieces; what was not whole comes again.
Result<void> hand_over(CaptureFile& file, const pcapng::Bytes& bytes, std::size_t piece) {
    pcapng::Bytes pending;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        const auto next = part(bytes, at, piece);
        pending.insert(pending.end(), next.begin(), next.end());
        const auto taken = file.take(pending);
        if (!taken) return taken.error();
        pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(taken->bytes));
    }
    CHECK(pending.empty());
    return file.finish();
}

PointsAndFilter split(const Words& words) {
    return split_points(words).value();
}

std::string chunked(const pcapng::Bytes& bytes) {
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return size + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) + "\r\n";
}

const std::string capture_head =
    test::head(200, "Content-Type: application/x-pcapng\r\nTransfer-Encoding: chunked");

Result<CaptureFate> capture(const FakeDaemon& daemon, CaptureFile& file, const ShowProgress& progress = {}) {
    const Interrupt interrupt;
    auto exchange = Exchange::start(daemon.options(), {"POST", "/v1/capture", "{}"});
    REQUIRE(exchange);
    return write_capture(*exchange, interrupt, file, progress);
}

support::Finished netlab_capture(const FakeDaemon& daemon, Words words) {
    words.insert(words.begin(), {NETLAB_PATH, "-H", "unix://" + daemon.path(), "capture"});
    return support::run(words, {{"TZ", "UTC"}});
}

api::PacketRow packet_row() {
    api::PacketRow row;
    row.time = "2026-11-26T07:24:36.123456789Z";
    row.point = "co1:eth0";
    row.direction = api::CaptureDirection::out;
    row.source = {"172.18.0.2", 34567, "co1"};
    row.destination = {"172.18.0.3", 80, std::nullopt};
    row.protocol = "TCP";
    row.info = "Flags [S], seq 1, win 64240, length 0";
    return row;
}

/// The time in local time, whose zone is the machine's.
std::string behind_time(const std::string& line) {
    CHECK(line.substr(5, 11) == ":36.123456 ");
    return line.substr(16);
}

}  // namespace

TEST_CASE("capture: points come first, and the filter begins with the first word that cannot be one",
          "[unit]") {
    CHECK(split({"co1"}) == PointsAndFilter{{"co1"}, ""});
    CHECK(split({"co1", "co2:eth0", "net:front", "host:docker0"}) ==
          PointsAndFilter{{"co1", "co2:eth0", "net:front", "host:docker0"}, ""});
    CHECK(split({"co1", "tcp", "port", "80"}) == PointsAndFilter{{"co1"}, "tcp port 80"});
    CHECK(split({"co1", "co2", "host", "co3"}) == PointsAndFilter{{"co1", "co2"}, "host co3"});
    CHECK(split({"host", "icmp"}) == PointsAndFilter{{"host"}, "icmp"});
    CHECK(split({"tcp", "tcp"}) == PointsAndFilter{{"tcp"}, "tcp"});
    CHECK(split({"co1", "port 53 or arp"}) == PointsAndFilter{{"co1"}, "port 53 or arp"});
    CHECK(split({"co1", "(", "arp", ")"}) == PointsAndFilter{{"co1"}, "( arp )"});
    CHECK(split({"co1", "!arp"}) == PointsAndFilter{{"co1"}, "!arp"});
    CHECK(split({"co1", "ip[8]<5"}) == PointsAndFilter{{"co1"}, "ip[8]<5"});
    CHECK(split({"co1", "10.0.0.1"}) == PointsAndFilter{{"co1"}, "10.0.0.1"});
    CHECK(split({"co1", "10.0.0.0/8"}) == PointsAndFilter{{"co1"}, "10.0.0.0/8"});
    CHECK(split({"co1", "fd00::1"}) == PointsAndFilter{{"co1"}, "fd00::1"});
    CHECK(split({"co1", "docker:gateway", "netns:blue:veth0", "4f2a", "co1:eth0@veth"}).points.size() == 5);
    CHECK(split({"co1", "not", "co2"}) == PointsAndFilter{{"co1"}, "not co2"});
    const auto none = split_points({});
    REQUIRE(none.has_error());
    CHECK(exit_code(none.error().code) == 2);
}

TEST_CASE("capture: sizes have units", "[unit]") {
    CHECK(parse_size("512", 1).value() == 512);
    CHECK(parse_size("512", 1024).value() == 512 * 1024);
    CHECK(parse_size("512K", 1).value() == 512 * 1024);
    CHECK(parse_size("3MiB", 1024).value() == 3 << 20);
    CHECK(parse_size("2GB", 1).value() == 2ULL << 30);
    CHECK(parse_size("7B", 1024).value() == 7);
    for (const std::string text :
         {"", "K", "0", "-1", "1.5M", "1T", "1KK", " 1", "1 K", "99999999999999999999", "9999999999999G"}) {
        CAPTURE(text);
        CHECK(parse_size(text, 1).has_error());
    }
    CHECK(parse_buffer("2048").value() == 2048);
    CHECK(parse_buffer("2M").value() == 2048);
    CHECK(parse_buffer("1B").value() == 1);
    CHECK(parse_buffer("9999999G").has_error());
}

TEST_CASE("capture: a ring is files and size", "[unit]") {
    CHECK(parse_ring("10:100M").value() == Ring{10, 100 << 20});
    CHECK(parse_ring("1:5000").value() == Ring{1, 5000});
    for (const std::string text : {"", "10", "10:", ":100M", "0:100M", "a:1", "1:0", "1:2:3", "-1:5"}) {
        CAPTURE(text);
        CHECK(parse_ring(text).has_error());
    }
    CHECK(ring_name("/tmp/a.pcapng", 1) == "/tmp/a_00001.pcapng");
    CHECK(ring_name("a.b.pcapng", 12) == "a.b_00012.pcapng");
    CHECK(ring_name("/x.y/trace", 99'999) == "/x.y/trace_99999");
    CHECK(ring_name("dir/.hidden", 100'000) == "dir/.hidden_100000");
}

TEST_CASE("capture: a file has what came, byte for byte, wherever it was cut", "[unit]") {
    const Folder folder;
    const auto bytes = test::capture_of(9);
    for (std::size_t piece = 1; piece <= bytes.size(); piece += 1 + piece / 20) {
        CAPTURE(piece);
        const auto path = folder.file("a.pcapng");
        CaptureFile file(path);
        REQUIRE(hand_over(file, bytes, piece));
        REQUIRE((read(path) == bytes));
        CHECK(file.size() == bytes.size());
        CHECK(file.ledger().packets() == 9);
        CHECK(file.ledger().complete());
        CHECK(file.ledger().dropped() == 14U);
        const auto points = file.ledger().points();
        REQUIRE(points.size() == 2);
        CHECK(points[0].point == "co1:eth0");
        CHECK(points[0].received == 100);
        CHECK(points[0].delivered == 93);
        CHECK(points[0].dropped == 7);
        CHECK_FALSE(points[0].ended);
        CHECK(points[1].ended == "co2 has ended");
    }
}

TEST_CASE("capture: at any time a file is whole blocks", "[unit]") {
    const Folder folder;
    const auto path = folder.file("a.pcapng");
    const auto bytes = test::capture_of(9);
    CaptureFile file(path);
    std::size_t given = 0;
    for (std::size_t end = 1; end <= bytes.size(); ++end) {
        const auto taken = file.take(part(bytes, given, end - given));
        REQUIRE(taken);
        given += taken->bytes;
        if (given == 0) {
            CHECK_FALSE(std::filesystem::exists(path));
        } else {
            const auto now = read(path);
            REQUIRE(now.size() == given);
            REQUIRE(contents_of(now).whole);
        }
    }
    CHECK(given == bytes.size());
}

TEST_CASE("capture: a file is its owner's alone, and what it had is gone", "[unit]") {
    const Folder folder;
    const auto path = folder.file("a.pcapng");
    const auto before = ::umask(0);
    CaptureFile file(path);
    REQUIRE(hand_over(file, test::capture_of(50), 1000));
    ::umask(before);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    CaptureFile again(path);
    REQUIRE(hand_over(again, test::capture_of(1), 1000));
    CHECK((read(path) == test::capture_of(1)));
}

TEST_CASE("capture: each file of a ring is whole by itself, and all are what came", "[unit]") {
    pcapng::Bytes beginning;
    test::append_beginning(beginning);
    const auto bytes = test::capture_of(40);
    for (const std::uint64_t room : {1UL, 90UL, 200UL, 600UL}) {
        for (const std::size_t piece : {1UL, 13UL, 100UL, 1000UL, bytes.size()}) {
            CAPTURE(room, piece);
            const Folder folder;
            const auto limit = beginning.size() + room;
            CaptureFile file(folder.file("a.pcapng"), {1000, limit});
            REQUIRE(hand_over(file, bytes, piece));
            std::vector<pcapng::PacketHead> packets;
            std::size_t statistics = 0;
            CHECK(folder.names().size() == file.created());
            std::uint64_t total = 0;
            for (std::uint64_t number = 1; number <= file.created(); ++number) {
                const auto one = read(ring_name(folder.file("a.pcapng"), number));
                total += one.size();
                REQUIRE((std::ranges::equal(part(one, 0, beginning.size()), beginning)));
                const auto contents = contents_of(one);
                CHECK(contents.whole);
                CHECK((one.size() <= limit || contents.types.size() == 5));
                packets.insert(packets.end(), contents.packets.begin(), contents.packets.end());
                statistics +=
                    static_cast<std::size_t>(std::ranges::count(contents.types, pcapng::block::statistics));
            }
            CHECK((packets == contents_of(bytes).packets));
            CHECK(statistics == 2);
            CHECK(file.size() == total);
        }
    }
}

TEST_CASE("capture: of a ring the oldest files are removed", "[unit]") {
    const Folder folder;
    pcapng::Bytes beginning;
    test::append_beginning(beginning);
    CaptureFile file(folder.file("a"), {3, beginning.size() + 200});
    REQUIRE(hand_over(file, test::capture_of(40), 100));
    REQUIRE(file.created() > 5);
    CHECK(file.files().size() == 3);
    Words expected;
    for (auto number = file.created() - 2; number <= file.created(); ++number)
        expected.push_back(std::filesystem::path(ring_name("a", number)).string());
    CHECK(folder.names() == expected);
    CHECK(file.files().front() == folder.file(expected.front()));
}

TEST_CASE("capture: a ring's file must have room for packets, and is not made where it has none", "[unit]") {
    const Folder folder;
    pcapng::Bytes beginning;
    test::append_beginning(beginning);
    for (const std::size_t piece : {1UL, 100UL, 10'000UL}) {
        CaptureFile file(folder.file("a"), {3, beginning.size()});
        const auto handed = hand_over(file, test::capture_of(1), piece);
        REQUIRE(handed.has_error());
        CHECK(handed.error().code == errc::bad_request);
        CHECK(handed.error().message.starts_with("--ring: a file of " + std::to_string(beginning.size())));
        CHECK(folder.names().empty());
    }
}

TEST_CASE("capture: a ring without a packet has one file", "[unit]") {
    const Folder folder;
    pcapng::Bytes beginning;
    test::append_beginning(beginning);
    CaptureFile file(folder.file("a"), {3, 10'000});
    REQUIRE(hand_over(file, beginning, 50));
    CHECK(folder.names() == Words{"a_00001"});
    CHECK((read(folder.file("a_00001")) == beginning));
    CHECK_FALSE(file.ledger().complete());
}

TEST_CASE("capture: where there is no room a file is cut behind its last whole block", "[unit]") {
    const Folder folder;
    const auto bytes = test::capture_of(30);
    // A file of this process may have no more bytes than this: write(2) writes what fits, and then fails.
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    ::signal(SIGXFSZ, SIG_IGN);
    for (const rlim_t room : {rlim_t{1}, rlim_t{500}, rlim_t{1001}, rlim_t{1500}}) {
        for (const std::size_t piece : {100UL, 10'000UL}) {
            CAPTURE(room, piece);
            const auto path = folder.file("a.pcapng");
            CaptureFile file(path);
            const rlimit small{room, before.rlim_max};
            REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
            const auto handed = hand_over(file, bytes, piece);
            REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
            REQUIRE(handed.has_error());
            CHECK(handed.error().message == "cannot write " + path + ": File too large");
            CHECK(exit_code(handed.error().code) == 5);
            const auto left = read(path);
            CHECK(left.size() <= room);
            CHECK(left.size() + 100 > room - std::min<rlim_t>(room, 100));
            const auto contents = contents_of(left);
            CHECK(contents.whole);
            CHECK((std::ranges::equal(left, part(bytes, 0, left.size()))));
            CHECK(file.size() == left.size());
        }
    }
    ::signal(SIGXFSZ, SIG_DFL);
}

TEST_CASE("capture: a pipe without a reader is no error", "[unit]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    UniqueFd reader(ends[0]);
    CaptureFile file(BlockFile(UniqueFd(ends[1]), "a pipe"));
    const auto bytes = test::capture_of(3);
    const auto first = file.take(part(bytes, 0, 300));
    REQUIRE(first);
    REQUIRE_FALSE(first->unwanted);
    reader.reset();
    ::signal(SIGPIPE, SIG_IGN);
    const auto second = file.take(part(bytes, first->bytes, bytes.size()));
    ::signal(SIGPIPE, SIG_DFL);
    REQUIRE(second);
    CHECK(second->unwanted);
}

TEST_CASE("capture: blocks that contradict those before are refused, what is before them is written",
          "[unit]") {
    const Folder folder;
    auto bytes = test::capture_of(2);
    const auto whole = bytes.size();
    pcapng::append_packet(bytes, {2, 0, 0, 0, pcapng::Direction::in}, {});
    CaptureFile file(folder.file("a"));
    const auto handed = hand_over(file, bytes, bytes.size());
    REQUIRE(handed.has_error());
    CHECK(handed.error().message == "netlabd's capture names an interface that it has not described");
    CHECK(exit_code(handed.error().code) == 5);
    CHECK(read(folder.file("a")).size() == whole);

    CaptureFile other(folder.file("b"));
    CHECK(hand_over(other, test::bytes_of("<html>whatever this is"), 5).has_error());
    CHECK_FALSE(std::filesystem::exists(folder.file("b")));
}

TEST_CASE("capture: a stream is written until its end", "[unit]") {
    const Folder folder;
    const auto bytes = test::capture_of(5);
    pcapng::Bytes first(bytes.begin(), bytes.begin() + 333);
    pcapng::Bytes second(bytes.begin() + 333, bytes.end());
    FakeDaemon daemon({capture_head, chunked(first), "wait", chunked(second), "wait", "0\r\n\r\n"});
    CaptureFile file(folder.file("a"));
    const auto fate = capture(daemon, file);
    REQUIRE(fate);
    CHECK(*fate == CaptureFate::complete);
    CHECK((read(folder.file("a")) == bytes));
}

TEST_CASE("capture: a stream that breaks off leaves what is whole, and says how much", "[unit]") {
    const Folder folder;
    const auto bytes = test::capture_of(5);
    const pcapng::Bytes most(bytes.begin(), bytes.end() - 150);
    for (const std::string end : {"", "0\r\n\r\n"}) {
        CAPTURE(end);
        FakeDaemon daemon({capture_head, chunked(most), end});
        CaptureFile file(folder.file("a"));
        const auto fate = capture(daemon, file);
        REQUIRE(fate.has_error());
        CHECK(exit_code(fate.error().code) == 5);
        CHECK(fate.error().message.starts_with("the capture broke off: "));
        CHECK(fate.error().hint == "the 5 packets that came before are whole");
        CHECK(contents_of(read(folder.file("a"))).whole);
        CHECK(contents_of(read(folder.file("a"))).packets.size() == 5);
    }
}

TEST_CASE("capture: progress is shown also while nothing comes", "[unit]") {
    const Folder folder;
    FakeDaemon daemon({capture_head, chunked(test::capture_of(1)), "hold", "0\r\n\r\n"});
    CaptureFile file(folder.file("a"));
    int shown = 0;
    const auto fate = capture(daemon, file, [&](const CaptureFile& now) {
        CHECK(now.ledger().packets() == 1);
        if (++shown == 2) ::raise(SIGINT);
    });
    REQUIRE(fate);
    CHECK(shown == 2);
}

TEST_CASE("capture: the command writes a file and says the counts", "[unit]") {
    const Folder folder;
    FakeDaemon daemon({capture_head, chunked(test::capture_of(4)), "0\r\n\r\n"});
    const auto path = folder.file("a.pcapng");
    const auto done = netlab_capture(daemon, {"co1", "tcp", "port", "80", "-w", path, "-c", "4", "-p", "-Q",
                                              "in", "-s", "96", "-B", "1M", "--for", "2.5"});
    CHECK(done.status == 0);
    CHECK(done.out.empty());
    CHECK(done.err ==
          "co1:eth0: 93 packets captured, 100 received by filter, 7 dropped\n"
          "co2:any: 93 packets captured, 100 received by filter, 7 dropped; ended early: co2 has ended\n"
          "all: 186 packets captured, 200 received by filter, 14 dropped\n" +
              capture_text::size(test::capture_of(4).size()) + " written to " + path + "\n");
    const auto request = daemon.request();
    CHECK(request.starts_with("POST /v1/capture "));
    CHECK(request.ends_with(
        R"({"points":["co1"],"filter":"tcp port 80","count":4,"duration_ms":2500,"snap_length":96,)"
        R"("promiscuous":false,"direction":"in","buffer_kib":1024})"));
    CHECK((read(path) == test::capture_of(4)));
}

TEST_CASE("capture: the summary as JSON", "[unit]") {
    const Folder folder;
    FakeDaemon daemon({capture_head, chunked(test::capture_of(4)), "0\r\n\r\n"});
    const auto done = netlab_capture(daemon, {"co1", "-w", folder.file("a"), "-j"});
    CHECK(done.status == 0);
    CHECK(done.err.empty());
    const auto object = done.json().as_object();
    CHECK(object.at("type") == "report");
    CHECK(object.at("packets") == 4);
    CHECK(object.at("dropped") == 14);
    CHECK(object.at("bytes") == test::capture_of(4).size());
    CHECK(object.at("files").as_array().at(0) == folder.file("a").c_str());
    CHECK(object.at("points").as_array().size() == 2);
}

TEST_CASE("capture: a mistake leaves an existing file alone", "[unit]") {
    const Folder folder;
    std::ofstream(folder.file("a")) << "precious";
    FakeDaemon daemon({test::whole(
        400, "application/json",
        R"({"error":{"code":"bad_request","message":"filter: syntax error","details":["tcp prot 80","    ^"]}})")});
    const auto done = netlab_capture(daemon, {"co1", "tcp", "prot", "80", "-w", folder.file("a")});
    CHECK(done.status == 2);
    CHECK(done.err == "netlab: filter: syntax error\n    tcp prot 80\n        ^\n");
    CHECK((read(folder.file("a")) == test::bytes_of("precious")));
}

TEST_CASE("capture: to a pipe go the bytes alone", "[unit]") {
    FakeDaemon daemon({capture_head, chunked(test::capture_of(4)), "0\r\n\r\n"});
    const auto done = netlab_capture(daemon, {"co1", "-w", "-", "-q", "--", "not", "co2"});
    CHECK(done.status == 0);
    CHECK(done.err.empty());
    CHECK((test::bytes_of(done.out) == test::capture_of(4)));
    CHECK(daemon.request().ends_with(R"({"points":["co1"],"filter":"not co2"})"));
}

TEST_CASE("capture: what excludes each other is refused before anybody is asked", "[unit]") {
    const FakeDaemon daemon({});
    const auto usage = [&](const Words& words) {
        const auto done = netlab_capture(daemon, words);
        CHECK(done.status == 2);
        return done.err;
    };
    CHECK(usage({}).starts_with("netlab: which point?"));
    CHECK(usage({"--", "tcp"}).starts_with("netlab: which point?"));
    CHECK(usage({"co1", "--ring", "3:1M"}).starts_with("netlab: --ring needs -w FILE"));
    CHECK(usage({"co1", "--ring", "3:1M", "-w", "-"}).starts_with("netlab: --ring needs -w FILE"));
    CHECK(usage({"co1", "-w", "-", "-o", "json"}).starts_with("netlab: -w - and -o json"));
    CHECK(usage({"co1", "-Q", "up"}).starts_with("netlab: -Q: 'up' is not in, out or inout"));
    CHECK(usage({"co1", "--", ""}).starts_with("netlab: the filter has an empty word"));
}

TEST_CASE("capture: packets are lines, and the counts are told beside them", "[unit]") {
    api::PacketsStart start;
    api::PacketsReport report;
    report.points = {{"co1:eth0", 3, 2, 1, "its interface is gone"}};
    const auto lines =
        json::write(start) + "\n" + json::write(packet_row()) + "\n" +
        R"({"type":"failure","target":"co2","error":{"code":"target_gone","message":"it ended"}})" + "\n" +
        R"({"type":"news","of":"a later daemon"})" + "\n" + json::write(report) + "\n";
    const Words pieces{test::stream_head, chunked(test::bytes_of(lines)), "0\r\n\r\n"};
    {
        FakeDaemon daemon(pieces);
        const auto done = netlab_capture(daemon, {"co1"});
        CHECK(done.status == 0);
        CHECK(done.out ==
              "07:24:36.123456 co1:eth0 Out IP co1.34567 > 172.18.0.3.80: Flags [S], seq 1, win "
              "64240, length 0\n");
        CHECK(done.err ==
              "netlab: co2: it ended\n"
              "co1:eth0: 2 packets captured, 3 received by filter, 1 dropped; ended early: its interface is "
              "gone\n");
        CHECK(daemon.request().starts_with("POST /v1/packets "));
    }
    {
        FakeDaemon daemon(pieces);
        const auto done = netlab_capture(daemon, {"co1", "-q", "-n"});
        CHECK(done.out.find("IP 172.18.0.2.34567 >") != std::string::npos);
        CHECK(done.err == "netlab: co2: it ended\n");
    }
    {
        FakeDaemon daemon(pieces);
        const auto done = netlab_capture(daemon, {"co1", "-j"});
        CHECK(done.out == lines);
        CHECK(done.err.empty());
    }
    FakeDaemon daemon({test::stream_head, chunked(test::bytes_of(json::write(packet_row()) + "\n"))});
    const auto broken = netlab_capture(daemon, {"co1"});
    CHECK(broken.status == 5);
    CHECK(broken.out.ends_with("length 0\n"));
}

TEST_CASE("capture: an interrupt has the daemon finish, and its report is still said", "[unit]") {
    api::PacketsReport report;
    report.points = {{"co1:eth0", 1, 1, 0, std::nullopt}};
    FakeDaemon daemon({test::stream_head, chunked(test::bytes_of(json::write(packet_row()) + "\n")), "hold",
                       chunked(test::bytes_of(json::write(report) + "\n")), "0\r\n\r\n"});
    support::Process process({NETLAB_PATH, "-H", "unix://" + daemon.path(), "capture", "co1"});
    REQUIRE(support::eventually([&] { return !process.out_so_far().empty(); }, std::chrono::seconds(10)));
    process.signal(SIGINT);
    const auto done = process.wait(std::chrono::seconds(10));
    CHECK(done.status == 0);
    CHECK(done.err == "co1:eth0: 1 packet captured, 1 received by filter, 0 dropped\n");
}

TEST_CASE("capture: packets in tcpdump's words", "[unit]") {
    using capture_text::line;
    using capture_text::Names;
    auto row = packet_row();
    CHECK(behind_time(line(row, Names::yes)) ==
          "co1:eth0 Out IP co1.34567 > 172.18.0.3.80: Flags [S], seq 1, win 64240, length 0\n");
    CHECK(behind_time(line(row, Names::no)) ==
          "co1:eth0 Out IP 172.18.0.2.34567 > 172.18.0.3.80: Flags [S], seq 1, win 64240, length 0\n");
    row.source = {"fd00::2", std::nullopt, std::nullopt};
    row.destination = {"ff02::1", std::nullopt, std::nullopt};
    row.direction = api::CaptureDirection::in;
    row.protocol = "ICMPv6";
    row.info = "ICMP6, echo request";
    CHECK(behind_time(line(row, Names::yes)) == "co1:eth0 In  IP6 fd00::2 > ff02::1: ICMP6, echo request\n");
    row.protocol = "ARP";
    row.info = "Request who-has 172.18.0.3 tell 172.18.0.2, length 28";
    row.source.address = "02:42:ac:12:00:02";
    CHECK(behind_time(line(row, Names::yes)) ==
          "co1:eth0 In  ARP, Request who-has 172.18.0.3 tell 172.18.0.2, length 28\n");
    row.protocol = "Ethernet";
    row.destination.address = "ff:ff:ff:ff:ff:ff";
    row.info = "ethertype Unknown (0x88b5), length 60";
    row.point = "co1:any";
    row.interface = "eth1";
    CHECK(behind_time(line(row, Names::yes)) ==
          "co1:any(eth1) In  02:42:ac:12:00:02 > ff:ff:ff:ff:ff:ff, ethertype Unknown (0x88b5), length 60\n");
}

TEST_CASE("capture: nothing in a packet's line moves the cursor or turns the text", "[unit]") {
    api::PacketRow row = packet_row();
    row.point = "co\x1b[1m";
    row.interface = "e\n";
    row.source.name = "\u202Eco";
    row.destination.address = "\r";
    row.info =
        "a\x07"
        "b\u009b";
    row.time = "\x1b]0;x\x07";
    const auto text = capture_text::line(row, capture_text::Names::yes);
    CHECK(text.ends_with("\n"));
    for (const char c : text.substr(0, text.size() - 1))
        CHECK((c >= 0x20 && c < 0x7F));
    row = packet_row();
    row.time = "2026-11-26T07:24:36.\x1b[1m4Z";
    CHECK(capture_text::line(row, capture_text::Names::yes).find('\x1b') == std::string::npos);
    const std::vector<api::CaptureCounts> counts{{"co\x1b", 0, 0, 0, "\n"}};
    CHECK(capture_text::counts(counts) ==
          "co\\x1b: 0 packets captured, 0 received by filter, 0 dropped; ended early: \\x0a\n");
}

TEST_CASE("capture: sizes and progress are short", "[unit]") {
    CHECK(capture_text::size(1) == "1 byte");
    CHECK(capture_text::size(1023) == "1023 bytes");
    CHECK(capture_text::size(1536) == "1.5 KiB");
    CHECK(capture_text::size(150'000'000) == "143.1 MiB");
    CHECK(capture_text::line(capture_text::Progress{1, 1024, std::nullopt, 2.4}) ==
          "1 packet, 1.0 KiB, 2 packets/s");
    CHECK(capture_text::line(capture_text::Progress{3, 0, 0, 0}) ==
          "3 packets, 0 bytes, 0 dropped, 0 packets/s");
}

TEST_CASE("stream: that one target failed is an event, not the end", "[unit]") {
    const auto event = decode_stream_event<api::TargetFailure>(
        R"({"type":"failure","target":"co2","error":{"code":"target_gone","message":"it ended"}})");
    REQUIRE(event);
    const auto* failure = std::get_if<api::TargetFailure>(&*event);
    REQUIRE(failure);
    CHECK(failure->target == "co2");
    CHECK(failure->error.code == errc::target_gone);
    const auto end =
        decode_stream_event<api::TargetFailure>(R"({"error":{"code":"target_gone","message":"it ended"}})");
    REQUIRE(end);
    CHECK(std::holds_alternative<StreamError>(*end));
}

TEST_CASE("errors: a caret stays under its place", "[unit]") {
    const auto text = [](std::string filter, std::size_t place) {
        return error_line({errc::bad_request,
                           "syntax error",
                           "see pcap-filter(7)",
                           {std::move(filter), std::string(place, ' ') + "^"}});
    };
    CHECK(text("tcp prot 80", 4) ==
          "netlab: syntax error — see pcap-filter(7)\n    tcp prot 80\n        ^\n");
    CHECK(text("a\x1b b", 3) == "netlab: syntax error — see pcap-filter(7)\n    a\\x1b b\n          ^\n");
    CHECK(text("äöü b", 4) == "netlab: syntax error — see pcap-filter(7)\n    äöü b\n        ^\n");
    CHECK(text("tcp", 3) == "netlab: syntax error — see pcap-filter(7)\n    tcp\n       ^\n");
    CHECK(text("", 2) == "netlab: syntax error — see pcap-filter(7)\n    \n      ^\n");
    CHECK(error_line({errc::ambiguous_target, "which?", "", {"docker:a", "podman:a"}}) ==
          "netlab: which?: docker:a, podman:a\n");
}
