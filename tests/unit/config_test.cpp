#include "daemon/config.hpp"

#include "tests/support/catch.hpp"

using namespace netlab;

TEST_CASE("config: an empty file gives the defaults", "[unit]") {
    const auto config = parse_config("", "netlabd.toml");
    REQUIRE(config);
    CHECK(config->listen.socket == "/run/netlab/netlabd.sock");
    CHECK(config->listen.mode == 0660);
    CHECK(config->engines.docker == std::vector<std::string>{"unix:///run/docker.sock"});
    CHECK(config->limits.operations == 64);
    CHECK(config->process.patience_s == 30);
    CHECK(config->access.capture == std::vector<std::string>{"netlab-capture"});
}

TEST_CASE("config: every key is read", "[unit]") {
    const auto config = parse_config(R"(
[listen]
socket = "/run/x.sock"
group = "wheel"
mode = "0600"
[engines]
docker = ["unix:///a.sock", "unix:///b.sock"]
podman = []
netns_dirs = ["/run/netns", "/var/run/x"]
[access]
observe = ["a"]
probe = ["b"]
trace = ["c"]
capture = ["d"]
host = ["e"]
[limits]
operations = 7
packets_per_second = 1_000
capture_mib = 16
[process]
user = "nobody"
patience_s = 0
[log]
level = "debug"
)",
                                     "netlabd.toml");
    REQUIRE(config);
    CHECK(config->listen.group == "wheel");
    CHECK(config->listen.mode == 0600);
    CHECK(config->engines.docker.size() == 2);
    CHECK(config->engines.podman.empty());
    CHECK(config->access.host == std::vector<std::string>{"e"});
    CHECK(config->limits.operations == 7);
    CHECK(config->limits.packets_per_second == 1000);
    CHECK(config->limits.capture_mib == 16);
    CHECK(config->process.user == "nobody");
    CHECK(config->process.patience_s == 0);
    CHECK(config->log.level == "debug");
}

TEST_CASE("config: what is wrong is refused with its line and the nearest name", "[unit]") {
    const auto refused = [](const char* text, const char* message, const char* hint) {
        const auto config = parse_config(text, "f.toml");
        REQUIRE_FALSE(config);
        CHECK(config.error().message == message);
        CHECK(config.error().hint == hint);
    };
    refused("[listen]\nsokcet = \"/x\"\n", "f.toml:2: unknown key 'sokcet' in [listen]",
            "did you mean socket?");
    refused("[enginse]\n", "f.toml:1: unknown section 'enginse'", "did you mean engines?");
    refused("[limits]\noperations = 0\n", "f.toml:2: operations is a whole number from 1 to 10000", "");
    refused("[limits]\noperations = \"9\"\n", "f.toml:2: operations is a whole number from 1 to 10000", "");
    refused("[limits]\noperations = -3\n", "f.toml:2: operations is a whole number from 1 to 10000", "");
    refused("[process]\npatience_s = 3601\n", "f.toml:2: patience_s is a whole number from 0 to 3600", "");
    refused("[listen]\n\nsocket = 3\n", "f.toml:3: socket is a string", "");
    refused("[listen]\nmode = \"0999\"\n", "f.toml:2: mode is an octal mode such as \"0660\"", "");
    refused("[listen]\nsocket = \"x\"\n", "f.toml:2: socket is an absolute path", "");
    refused("[engines]\ndocker = [\"tcp://1.2.3.4\"]\n",
            "f.toml:2: docker: 'tcp://1.2.3.4' is not a Unix socket", "write it as unix:///run/docker.sock");
    refused("[log]\nlevel = \"loud\"\n", "f.toml:2: level: 'loud' is none",
            "one of trace, debug, info, warn or error");
    CHECK_FALSE(parse_config("[listen\n", "f.toml"));
}

TEST_CASE("config: what toml++ asserts of a file is told as an error of the file", "[unit]") {
    for (const std::string text : {"[\x04", "[]", "[.a]", "\x01 = 1"}) {
        INFO(text);
        CHECK_FALSE(parse_config(text, "netlabd.toml").has_value());
    }
}

TEST_CASE("config: characters that are not ASCII are taken in strings and comments, and told elsewhere",
          "[unit]") {
    const auto refused = [](const std::string& text) {
        const auto bad = parse_config(text, "c.toml");
        REQUIRE_FALSE(bad);
        return bad.error().message;
    };
    CHECK(refused("[log]\n\u65e5n = 2\n").starts_with("c.toml:2: "));
    CHECK(refused("[log]\n\"\u65e5\" = 2\n") == "c.toml:2: unknown key '\u65e5' in [log]");
    CHECK(refused("['\u65e5']\n") == "c.toml:1: unknown section '\u65e5'");
    CHECK(refused("[log]\nlevel = \"\u65e5\"\n") == "c.toml:2: level: '\u65e5' is none");
    CHECK(refused("[log]\nlevel = \"info\"\n# \xFF\n") == "c.toml:3: this is not UTF-8");
    const auto word = parse_config("[log]\nlevel = \u65e5\n", "c.toml");
    REQUIRE_FALSE(word);
    CHECK(word.error().hint == "what is not ASCII stands in quotes");
    // What toml++ has no place for in its tables.
    for (const std::string before : {"", "1929-05-QQ.tom:'", "-2[['", "x = '", "{ y = '", "'a''", "[]'",
                                     "\"\"\"\\", "\"\\", "\"\"\"\"\"#='4-2\\"}) {
        INFO(before);
        CHECK(refused("a = " + before + "\xEF\xBB\xBE").starts_with("c.toml:1: "));
    }
    CHECK(refused("\"\"\"\"\"#='4-2\\\xEF\xBB\xBF[").starts_with("c.toml:1: "));
    const auto good = parse_config(
        "\xEF\xBB\xBF# \u8a2d\u5b9a \"\n[engines]\nnetns_dirs = [ '/\u65e5', \"/Z_byte_41\\\"\u672c\" ] # "
        "\u65e5\n"
        "[listen]\nsocket = \"\"\"/\u65e5\"\"\"\n",
        "c.toml");
    REQUIRE(good);
    CHECK(good->engines.netns_dirs == std::vector<std::string>{"/\u65e5", "/Z_byte_41\"\u672c"});
    CHECK(good->listen.socket == "/\u65e5");
}
