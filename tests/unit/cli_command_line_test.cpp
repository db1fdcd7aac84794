#include "cli/arguments.hpp"
#include "cli/command_line.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::cli;

namespace {

std::uint32_t last_count = 0;
std::vector<std::string> last_words;

class Probe final : public Command {
  public:
    void arguments(CLI::App& app) override {
        app.add_option("FROM", from_, "from")->required();
        app.add_option("TO", to_, "to")->required();
        add_parsed(app, "-c,--count", count_, parse_whole, "how many");
        app.add_option("-i,--interface", interface_, "through which");
    }
    Result<int> run(const Session&) override {
        last_count = count_;
        last_words = {from_, to_};
        return 0;
    }

  private:
    std::string from_, to_, interface_;
    std::uint32_t count_ = 4;
};

const std::vector<CommandEntry> entries{{"ping", "send echoes", make<Probe>}, {"ls", "list", make<Probe>}};

Result<CommandLine> parse(std::vector<std::string> words, const Environment& environment = {}) {
    return parse_command_line(std::move(words), entries, environment);
}

void check_usage(std::vector<std::string> words, const std::string& message, const std::string& hint) {
    const auto line = parse(std::move(words));
    REQUIRE(line.has_error());
    CHECK(line.error().message == message);
    CHECK(line.error().hint == hint);
    CHECK(exit_code(line.error().code) == 2);
}

}  // namespace

TEST_CASE("command line: global options may stand before and behind the command", "[unit]") {
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"-j", "-H", "unix:///s", "ping", "a", "b", "-c", "7"},
             {"ping", "-c7", "a", "b", "-j", "-Hunix:///s"},
             {"-jo", "json", "-Hunix:///s", "ping", "a", "b", "-c7"},
             {"--host=unix:///s", "-ojson", "ping", "a", "--count=7", "b"}}) {
        const auto line = parse(words);
        REQUIRE(line);
        CHECK(line->options.host == "unix:///s");
        CHECK(line->options.host_from == "-H");
        CHECK(line->options.format == Format::json);
        REQUIRE(line->command);
        REQUIRE(line->command->run({line->options, {}}));
        CHECK(last_count == 7);
        CHECK(last_words == std::vector<std::string>{"a", "b"});
    }
}

TEST_CASE("command line: the value of an option is not taken for the command", "[unit]") {
    const std::vector<std::string> words{"-o", "ls", "--color", "never", "ping", "ls"};
    CHECK(find_command(words) == 4U);
    CHECK(find_command(std::vector<std::string>{"-ojson", "--host=x", "-j", "ls"}) == 3U);
    CHECK_FALSE(find_command(std::vector<std::string>{"--what", "ls"}));
    CHECK_FALSE(find_command(std::vector<std::string>{"-H"}));
}

TEST_CASE("command line: the host comes from -H, then NETLAB_HOST, then the default", "[unit]") {
    const auto by_default = parse({"ls", "a", "b"});
    REQUIRE(by_default);
    CHECK(by_default->options.host == "unix:///run/netlab/netlabd.sock");
    const auto from_environment = parse({"ls", "a", "b"}, {"unix:///e", false});
    REQUIRE(from_environment);
    CHECK(from_environment->options.host == "unix:///e");
    CHECK(from_environment->options.host_from == "NETLAB_HOST");
    const auto said = parse({"ls", "a", "b", "-H", "unix:///s"}, {"unix:///e", false});
    REQUIRE(said);
    CHECK(said->options.host == "unix:///s");
}

TEST_CASE("command line: what is wrong is told in one sentence with the nearest right thing", "[unit]") {
    check_usage({}, "which command?", "netlab --help names them all");
    check_usage({"pnig"}, "there is no command 'pnig'", "did you mean ping?");
    check_usage({"zzzzzz"}, "there is no command 'zzzzzz'", "netlab --help names them all");
    check_usage({"ping", "a", "b", "--cuont", "3"}, "there is no option --cuont", "did you mean --count?");
    check_usage({"ping", "--cuont=3"}, "there is no option --cuont", "did you mean --count?");
    check_usage({"ping", "a", "b", "-z"}, "there is no option -z", "netlab ping --help names them all");
    check_usage({"--what", "ping"}, "there is no option --what", "netlab --help names them all");
    check_usage({"ping", "a"}, "TO is missing", "netlab ping FROM TO");
    check_usage({"ping", "a", "b", "c"}, "one word too many: 'c'", "netlab ping FROM TO");
    check_usage({"ping", "a", "b", "-c"}, "--count needs a value", "netlab ping --help");
    check_usage({"ping", "a", "b", "-c", "-1"}, "-c: '-1' is not a whole number from 0 to 4294967295", "");
    check_usage({"-o", "jsn", "ls", "a", "b"}, "-o: 'jsn' is not table, wide or json — did you mean json?",
                "");
}

TEST_CASE("command line: an empty value is not the want of one", "[unit]") {
    check_usage({"ping", "a", "b", "-i", ""}, "--interface needs a value", "netlab ping --help");
    check_usage({"ping", "a", "b", "--interface="}, "--interface needs a value", "netlab ping --help");
    check_usage({"ping", "a", ""}, "TO is empty", "netlab ping FROM TO");
    check_usage({"-H", "", "ping", "a", "b"}, "--host needs a value", "netlab ping --help");
    CHECK(parse({"ping", "a", "b"}));
}

TEST_CASE("command line: help and version need no command to be right", "[unit]") {
    const auto all = parse({"--help"});
    REQUIRE(all);
    CHECK_FALSE(all->command);
    CHECK(all->text.find("ping   send echoes") != std::string::npos);
    for (const auto& words :
         std::vector<std::vector<std::string>>{{"ping", "--help"}, {"help", "ping"}, {"-h", "ping"}}) {
        const auto one = parse(words);
        REQUIRE(one);
        CHECK_FALSE(one->command);
        CHECK(one->text.find("netlab ping [OPTIONS] FROM TO") != std::string::npos);
    }
    const auto version = parse({"--version"});
    REQUIRE(version);
    CHECK(version->text == "netlab " NETLAB_VERSION "\n");
}

TEST_CASE("options: only unix:// with an absolute path names a socket", "[unit]") {
    const auto path = [](std::string host) { return socket_path({std::move(host), "-H", {}, {}}); };
    REQUIRE(path("unix:///run/x.sock"));
    CHECK(*path("unix:///run/x.sock") == "/run/x.sock");
    REQUIRE(path("tcp://[::1]:1").has_error());
    CHECK(path("tcp://[::1]:1").error().message ==
          "-H tcp://[::1]:1: netlabd is reached by a Unix socket only");
    CHECK(path("/run/x.sock").error().hint == "write unix:///run/x.sock");
    CHECK(path("unix://relative").has_error());
    CHECK(path("unix://").has_error());
    CHECK(path("unix:///" + std::string(106, 'a')).has_value());
    CHECK(path("unix:///" + std::string(107, 'a')).has_error());
}

TEST_CASE("options: seconds are decimal, whole to the nanosecond", "[unit]") {
    for (const auto& [text, milliseconds] :
         std::vector<std::pair<std::string, double>>{{"1", 1000},
                                                     {"0.2", 200},
                                                     {".5", 500},
                                                     {"2.", 2000},
                                                     {"0", 0},
                                                     {"0.0011", 1.1},
                                                     {"3600", 3'600'000}}) {
        const auto value = parse_seconds(text);
        REQUIRE(value);
        CHECK(*value == milliseconds);
    }
    for (const std::string text :
         {"", ".", "-1", "+1", "1,5", "1e3", "inf", "nan", "0x1", "1s", " 1", "1.2.3", "9999999999"}) {
        CAPTURE(text);
        CHECK(parse_seconds(text).has_error());
    }
}

TEST_CASE("options: whole numbers are all of the word", "[unit]") {
    CHECK(parse_whole("4294967295").value() == 4294967295U);
    for (const std::string text : {"", "-1", "+1", "4294967296", "1.0", "1 ", "abc", "0x10"}) {
        CAPTURE(text);
        CHECK(parse_whole(text).has_error());
    }
}
