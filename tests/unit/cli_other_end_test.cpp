#include "cli/other_end.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using cli::other_end_text;

TEST_CASE("other end: what is known is said, and what is not is said as unknown", "[unit]") {
    CHECK(other_end_text({"host", 12, "veth12", 0}, "co1") == "veth12 in host");
    CHECK(other_end_text({"co1", 12, "veth12", std::nullopt}, "co1") == "veth12");
    // It went while it was looked for.
    CHECK(other_end_text({"host", 12, std::nullopt, 0}, "co1") == "if12 in host");
    CHECK(other_end_text({std::nullopt, 12, std::nullopt, 3}, "co1") ==
          "if12 in an unknown namespace (nsid 3)");
    CHECK(other_end_text({std::nullopt, 12, std::nullopt, -1}, "co1") == "if12 in an unknown namespace");
}
