#include "cli/render/error_text.hpp"
#include "cli/render/escape.hpp"
#include "common/json.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using cli::escape;

TEST_CASE("escape: plain text and text of other scripts stay as they are", "[unit]") {
    CHECK(escape("co1 172.18.0.2/16") == "co1 172.18.0.2/16");
    CHECK(escape("コンテナ – Grüße 🐳") == "コンテナ – Grüße 🐳");
    CHECK(escape("").empty());
}

TEST_CASE("escape: control characters cannot move the cursor or set the title", "[unit]") {
    CHECK(escape("a\x1b]0;evil\x07") == "a\\x1b]0;evil\\x07");
    CHECK(escape("one\ntwo\r\tthree\x7f") == "one\\x0atwo\\x0d\\x09three\\x7f");
    CHECK(escape(std::string_view("a\0b", 3)) == "a\\x00b");
    CHECK(escape("\xc2\x9b"
                 "31m") == "\\u{9b}31m");  // C1: CSI in one character
}

TEST_CASE("escape: bidirectional controls cannot show one name as another", "[unit]") {
    CHECK(escape("co\u202E1") == "co\\u{202e}1");
    CHECK(escape("\u2066x\u2069\u200E\u200F\u061C\u2028") ==
          "\\u{2066}x\\u{2069}\\u{200e}\\u{200f}\\u{61c}\\u{2028}");
    CHECK(escape("\u202A\u202F") == "\\u{202a}\u202F");
}

TEST_CASE("escape: bytes that are not UTF-8 are shown as bytes", "[unit]") {
    CHECK(escape("\xff\xfe") == "\\xff\\xfe");
    CHECK(escape("\xc0\xaf") == "\\xc0\\xaf");                    // overlong '/'
    CHECK(escape("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");           // overlong in three bytes
    CHECK(escape("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // a surrogate
    CHECK(escape("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
    CHECK(escape("x\xe2\x82") == "x\\xe2\\x82");                  // cut off
    CHECK(escape("\xe2\x1b[") == "\\xe2\\x1b[");                  // a sequence that swallows an escape
}

TEST_CASE("escape: white space between JSON's words stays white space", "[unit]") {
    // Found by the fuzzer.
    const std::string line = "{\"a\":\r[1,\t2]\r\n}";
    const auto safe = cli::escape_json(line);
    CHECK(safe == "{\"a\": [1, 2]  }");
    CHECK(json::parse(safe) == json::parse(line));
}

TEST_CASE("escape: JSON for a terminal means the same to a parser", "[unit]") {
    const std::string line = "{\"name\":\"a\u202Eb\xc2\x9b\"}";
    const auto safe = cli::escape_json(line);
    CHECK(safe == R"({"name":"a\u202eb\u009b"})");
    const auto before = json::parse(line);
    const auto after = json::parse(safe);
    REQUIRE(before);
    REQUIRE(after);
    CHECK(*before == *after);
}

TEST_CASE("error line: message, what it does not name yet, and hint are one line", "[unit]") {
    CHECK(cli::error_line({errc::no_such_target, "there is no target 'co9'", "did you mean co1?", {"co1"}}) ==
          "netlab: there is no target 'co9' — did you mean co1?\n");
    CHECK(cli::error_line(
              {errc::ambiguous_target, "'web' is more than one target", "", {"docker:web", "podman:web"}}) ==
          "netlab: 'web' is more than one target: docker:web, podman:web\n");
    CHECK(cli::error_line({errc::operation_failed, "two\nlines\x1b[2J", "", {}}) ==
          "netlab: two\\x0alines\\x1b[2J\n");
}
