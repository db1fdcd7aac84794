#include "cli/extcap.hpp"
#include "tests/support/command.hpp"
#include "tests/unit/fake_daemon.hpp"
#include "tests/unit/pcapng_bytes.hpp"

#include <csignal>

#include <fcntl.h>
#include <sys/stat.h>

using namespace netlab;
using namespace netlab::cli;
using test::FakeDaemon;

namespace {

using Words = std::vector<std::string>;
using Task = extcap::Request::Task;

extcap::Request parse(const Words& words) {
    const auto request = extcap::parse(words);
    REQUIRE(request);
    return *request;
}

api::Target target(std::string name, api::Runtime runtime, api::State state = api::State::running) {
    api::Target out;
    out.name = std::move(name);
    out.runtime = runtime;
    out.state = state;
    if (state == api::State::running) out.namespace_.emplace();
    return out;
}

/// `netlab` under its other name, gone with it.
class OtherName {
  public:
    OtherName() {
        REQUIRE(::mkdtemp(folder_));
        REQUIRE(::symlink(NETLAB_PATH, path().c_str()) == 0);
    }
    ~OtherName() { std::filesystem::remove_all(folder_); }
    OtherName(const OtherName&) = delete;
    OtherName& operator=(const OtherName&) = delete;

    [[nodiscard]] std::string path() const { return std::string(folder_) + "/netlab-extcap"; }
    [[nodiscard]] std::string fifo() const {
        const auto name = std::string(folder_) + "/fifo";
        REQUIRE(::mkfifo(name.c_str(), 0600) == 0);
        return name;
    }
    [[nodiscard]] support::Finished run(const std::string& host, Words words) const {
        words.insert(words.begin(), path());
        return support::run(words, {{"NETLAB_HOST", "unix://" + host}});
    }

  private:
    char folder_[32] = "/tmp/netlab-extcap-XXXXXX";
};

std::string chunked(const pcapng::Bytes& bytes) {
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return size + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) + "\r\n";
}

const std::string capture_head =
    test::head(200, "Content-Type: application/x-pcapng\r\nTransfer-Encoding: chunked");

const std::string bad_filter = test::whole(
    400, "application/json",
    R"({"error":{"code":"bad_request","message":"syntax error","details":["tcp prot","    ^"]}})");

}  // namespace

TEST_CASE("extcap: it is known by its name alone", "[unit]") {
    CHECK(extcap::is_name("netlab-extcap"));
    CHECK(extcap::is_name("/usr/lib/x86_64-linux-gnu/wireshark/extcap/netlab-extcap"));
    CHECK_FALSE(extcap::is_name("/usr/bin/netlab"));
    CHECK_FALSE(extcap::is_name("/netlab-extcap/netlab"));
    CHECK_FALSE(extcap::is_name(""));
}

TEST_CASE("extcap: what Wireshark asks is understood", "[unit]") {
    CHECK(parse({"--extcap-interfaces", "--extcap-version=4.0"}).task == Task::interfaces);
    CHECK(parse({"--extcap-version", "4.0", "--extcap-interfaces"}).task == Task::interfaces);
    const auto dlts = parse({"--extcap-dlts", "--extcap-interface", "netlab-co1"});
    CHECK(dlts.task == Task::dlts);
    CHECK(dlts.interface == "netlab-co1");
    CHECK(parse({"--extcap-config", "--extcap-interface=netlab-co1"}).task == Task::config);
    CHECK(parse({"--extcap-interface", "netlab-co1", "--extcap-capture-filter", "tcp"}).task ==
          Task::check_filter);
    const auto capture = parse({"--capture", "--extcap-interface", "netlab-co1", "--fifo", "/tmp/f",
                                "--extcap-capture-filter", "tcp port 80", "--point", "eth0", "--snaplen",
                                "96", "--promiscuous", "false", "--direction", "in"});
    CHECK(capture.task == Task::capture);
    CHECK(capture.fifo == "/tmp/f");
    const auto request = extcap::capture_request(capture);
    REQUIRE(request);
    api::CaptureRequest expected;
    expected.points = {"co1:eth0"};
    expected.filter = "tcp port 80";
    expected.snap_length = 96;
    expected.promiscuous = false;
    expected.direction = api::CaptureDirection::in;
    CHECK(*request == expected);
    CHECK(extcap::capture_request(parse({"--capture", "--fifo=f", "--extcap-interface=netlab-co1", "--point",
                                         "", "--extcap-capture-filter="}))
              ->points == Words{"co1"});
    CHECK(parse({}).task == Task::help);
    for (const Words& words : std::vector<Words>{{"--capture", "--extcap-interface", "netlab-co1"},
                                                 {"--extcap-interface"},
                                                 {"--what", "1"},
                                                 {"--promiscuous", "1"},
                                                 {"--snaplen", "-1"},
                                                 {"--direction", "up"}}) {
        const auto wrong = extcap::parse(words);
        REQUIRE(wrong.has_error());
        CHECK(exit_code(wrong.error().code) == 2);
    }
}

TEST_CASE("extcap: every name is an interface of its own, and comes back from it", "[unit]") {
    CHECK(extcap::interface_of("co1") == "netlab-co1");
    CHECK(extcap::interface_of("web_1.a-b") == "netlab-web__1.a-b");
    CHECK(extcap::interface_of("docker:co1") == "netlab-docker_3aco1");
    std::string every;
    for (int byte = 1; byte < 256; ++byte)
        every += static_cast<char>(byte);
    for (const std::string& word : {std::string("co1"), std::string("a_b"), std::string("a__3a"),
                                    std::string("a:"), std::string("_"), std::string("\xc3\xa4"), every}) {
        const auto interface = extcap::interface_of(word);
        for (const char c : interface)
            CHECK((std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-'));
        CHECK(extcap::word_of(interface).value() == word);
    }
    for (const std::string interface :
         {"", "netlab-", "eth0", "netlab-a_", "netlab-a_3", "netlab-a_zz", "netlab-a b", "netlab-a_+1"}) {
        CAPTURE(interface);
        CHECK(extcap::word_of(interface).has_error());
    }
}

TEST_CASE("extcap: running targets are interfaces", "[unit]") {
    using api::Runtime;
    auto paused = target("asleep", Runtime::docker, api::State::paused);
    const std::vector<api::Target> targets{
        target("co1", Runtime::docker),   target("gone", Runtime::docker, api::State::exited),
        target("web", Runtime::docker),   target("web", Runtime::podman),
        target("b}\n{x", Runtime::netns), target("4242", Runtime::pid),
        target("host", Runtime::host),    paused};
    CHECK(extcap::interfaces_text(targets) ==
          "extcap {version=" NETLAB_VERSION
          "}{display=netlab: containers and namespaces}\n"
          "interface {value=netlab-co1}{display=co1 (docker): all interfaces}\n"
          "interface {value=netlab-docker_3aweb}{display=web (docker): all interfaces}\n"
          "interface {value=netlab-podman_3aweb}{display=web (podman): all interfaces}\n"
          "interface {value=netlab-b_7d_0a_7bx}{display=b?\\x0a?x (netns): all interfaces}\n"
          "interface {value=netlab-host}{display=host: all interfaces}\n"
          "interface {value=netlab-asleep}{display=asleep (docker): all interfaces}\n");
}

TEST_CASE("extcap: the list is the daemon's, and empty where it does not answer", "[unit]") {
    const OtherName program;
    FakeDaemon daemon({test::whole(200, "application/json",
                                   json::write(std::vector{target("co1", api::Runtime::docker)}))});
    const auto listed = program.run(daemon.path(), {"--extcap-interfaces", "--extcap-version=4.0"});
    CHECK(listed.status == 0);
    CHECK(listed.lines().size() == 2);
    CHECK(listed.lines()[1] == "interface {value=netlab-co1}{display=co1 (docker): all interfaces}");
    CHECK(daemon.request().starts_with("GET /v1/targets "));
    const auto alone = program.run("/nonexistent/s", {"--extcap-interfaces"});
    CHECK(alone.status == 0);
    CHECK(alone.out.starts_with("extcap {version="));
    CHECK(alone.lines().size() == 1);
    CHECK(alone.err.empty());
}

TEST_CASE("extcap: a filter that is wrong is told on standard output, one that is right is not", "[unit]") {
    const OtherName program;
    const Words words{"--extcap-interface", "netlab-co1", "--extcap-capture-filter", "tcp prot"};
    FakeDaemon wrong({bad_filter});
    const auto told = program.run(wrong.path(), words);
    CHECK(told.status == 0);
    CHECK(told.out == "syntax error\ntcp prot\n    ^\n");
    FakeDaemon right({capture_head, chunked(test::capture_of(0)), "0\r\n\r\n"});
    const auto silent = program.run(right.path(), words);
    CHECK(silent.status == 0);
    CHECK(silent.out.empty());
    CHECK(right.request().ends_with(R"({"points":["co1"],"filter":"tcp prot","duration_ms":1})"));
}

TEST_CASE("extcap: a capture goes into the pipe until Wireshark stops it", "[unit]") {
    const OtherName program;
    const auto fifo = program.fifo();
    const auto bytes = test::capture_of(3);
    FakeDaemon daemon({capture_head, chunked(pcapng::Bytes(bytes.begin(), bytes.end() - 300)), "hold",
                       chunked(pcapng::Bytes(bytes.end() - 300, bytes.end())), "0\r\n\r\n"});
    const Words words{program.path(), "--capture", "--extcap-interface", "netlab-co1", "--fifo", fifo};
    const std::map<std::string, std::string> environment{{"NETLAB_HOST", "unix://" + daemon.path()}};
    support::Process process(words, environment);
    const UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(reader);
    pcapng::Bytes read;
    bool told = false;
    for (;;) {
        std::array<std::byte, 4096> buffer;
        const auto size = ::read(reader.get(), buffer.data(), buffer.size());
        if (size <= 0) break;
        read.insert(read.end(), buffer.begin(), buffer.begin() + size);
        if (!std::exchange(told, true)) process.signal(SIGTERM);
    }
    const auto done = process.wait(std::chrono::seconds(10));
    CHECK(done.status == 0);
    CHECK(done.err.empty());
    CHECK((read == bytes));
}

TEST_CASE("extcap: a pipe that is closed ends the capture quietly, also while nothing comes", "[unit]") {
    const OtherName program;
    const auto fifo = program.fifo();
    FakeDaemon daemon({capture_head, chunked(test::capture_of(1)), "hold"});
    support::Process process(
        {program.path(), "--capture", "--extcap-interface", "netlab-co1", "--fifo", fifo},
        {{"NETLAB_HOST", "unix://" + daemon.path()}});
    {
        const UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_CLOEXEC));
        REQUIRE(reader);
        std::byte first{};
        REQUIRE(::read(reader.get(), &first, 1) == 1);
    }
    const auto done = process.wait(std::chrono::seconds(10));
    CHECK(done.status == 0);
    CHECK(done.err.empty());
}

TEST_CASE("extcap: a capture that is refused says why on standard error", "[unit]") {
    const OtherName program;
    const auto fifo = program.fifo();
    FakeDaemon daemon({bad_filter});
    support::Process process(
        {program.path(), "--capture", "--extcap-interface", "netlab-co1", "--fifo", fifo},
        {{"NETLAB_HOST", "unix://" + daemon.path()}});
    const UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_CLOEXEC));
    const auto done = process.wait(std::chrono::seconds(10));
    CHECK(done.status == 2);
    CHECK(done.err == "netlab: syntax error\n    tcp prot\n        ^\n");
}
