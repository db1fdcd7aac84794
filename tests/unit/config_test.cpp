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

TEST_CASE("config: a character that is not ASCII is refused in a key, and taken in strings and comments",
          "[unit]") {
    const auto bad = parse_config("[log]\n\xEF\xBB\xBCn = 2\n", "c.toml");
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message.starts_with("c.toml:2: a character that is not ASCII"));
    for (const std::string word :
         {"1929-05-QQ.tom:'", "-2[['", "x = '", "{ y = '", "'a''", "[]'", "\"\"\"\\", "\"\\"}) {
        INFO(word);
        const auto in_word = parse_config("a = " + word + "\xEF\xBB\xBE", "c.toml");
        REQUIRE_FALSE(in_word);
        CHECK(in_word.error().message.starts_with("c.toml:1: a character that is not ASCII"));
    }
    CHECK(parse_config("[engines]\nnetns_dirs = [ '/\u65e5', \"/\u672c\" ]\n", "c.toml"));
    CHECK(parse_config("\xEF\xBB\xBF# \u8a2d\u5b9a \"\n[log]\nlevel = \"info\" # \u65e5\u672c\n", "c.toml"));
    CHECK(parse_config("[listen]\nsocket = \"/run/\u65e5\\\"\u672c.sock\"\n", "c.toml"));
}
