#include "daemon/kernel/namespace.hpp"
#include "tests/support/catch.hpp"

using namespace netlab::kernel;

namespace {

/// Fields 3 to 21 of proc(5), then the start time and what follows it.
constexpr const char* after_name =
    " S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 200 18446744073709551615 0\n";

}  // namespace

TEST_CASE("namespace: the start time is field 22, counted from the last parenthesis", "[unit]") {
    for (const char* name :
         {"sleep", "", "a b", ") S 1 1", "x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
          "new\nline", "((()))", ")"}) {
        INFO(name);
        CHECK(parse_start_time("42 (" + std::string(name) + ")" + after_name) == 987654);
    }
}

TEST_CASE("namespace: a stat file that ends too early has no start time", "[unit]") {
    for (const char* text : {"", "42", "42 (sleep", "42 (sleep)", "42 (sleep) S 1 2", "42 (sleep)S 1 42",
                             "42 (a) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0",
                             "42 (a) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 ",
                             "42 (a) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 x",
                             "42 (a) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12x",
                             "42 (a) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 -5"}) {
        INFO(text);
        CHECK_FALSE(parse_start_time(text));
    }
    CHECK(parse_start_time("42 (a) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12") == 12);
}
