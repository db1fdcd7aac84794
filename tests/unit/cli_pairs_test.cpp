#include "cli/render/pairs_text.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::cli;
using api::PairOutcome;

namespace {

api::PairRow row(std::string from, std::string to, PairOutcome outcome = PairOutcome::answered,
                 double rtt_us = 50) {
    api::PairRow row;
    row.from = std::move(from);
    row.to = std::move(to);
    row.outcome = outcome;
    if (is_good(outcome)) row.rtt_us = rtt_us;
    return row;
}

std::string name(int i) {
    return "s" + std::to_string(i);
}

/// Every pair of so many answers.
PairGrid whole(int count) {
    std::vector<std::string> names;
    for (int i = 1; i <= count; ++i)
        names.push_back(name(i));
    PairGrid grid(names);
    for (int from = 1; from <= count; ++from) {
        for (int to = 1; to <= count; ++to) {
            if (from != to) grid.add(row(name(from), name(to)));
        }
    }
    return grid;
}

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> out;
    std::size_t begin = 0;
    for (auto end = text.find('\n'); end != text.npos; end = text.find('\n', begin)) {
        out.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return out;
}

const Screen piped{};

Screen terminal(std::size_t width) {
    Screen screen;
    screen.terminal = true;
    screen.width = width;
    return screen;
}

}  // namespace

TEST_CASE("pairs: one row per source and one column per destination", "[unit]") {
    PairGrid grid({"co1", "co2", "co3"});
    grid.add(row("co2", "co1", PairOutcome::answered, 54));
    grid.add(row("co1", "co2", PairOutcome::answered, 12'345));
    grid.add(row("co1", "co3", PairOutcome::lost));
    grid.add(row("co3", "co1", PairOutcome::unreachable));
    CHECK(pairs_text::matrix(grid, piped, false) ==
          "FROM \\ TO   co1       co2   co3\n"
          "co1         -         12    lost\n"
          "co2         0.05      -     -\n"
          "co3         unreach   -     -\n");
}

TEST_CASE("pairs: a matrix that is too wide for the terminal has numbered columns", "[unit]") {
    PairGrid grid;
    const std::vector<std::string> names{"a-rather-long-name-1", "a-rather-long-name-2",
                                         "a-rather-long-name-3"};
    for (const auto& from : names) {
        for (const auto& to : names) {
            if (from != to) grid.add(row(from, to));
        }
    }
    const auto wide = lines(pairs_text::matrix(grid, terminal(120), false));
    CHECK(wide.front().find("a-rather-long-name-3") != std::string::npos);
    const auto narrow = lines(pairs_text::matrix(grid, terminal(60), false));
    CHECK(narrow.front() == "    FROM \\ TO              1      2      3");
    CHECK(narrow[1] == "1   a-rather-long-name-1   -      0.05   0.05");
}

TEST_CASE("pairs: a hundred that all answer need no matrix, and wide shows it all the same", "[unit]") {
    const auto grid = whole(100);
    CHECK(pairs_text::matrix(grid, terminal(80), false).empty());
    CHECK(pairs_text::matrix(grid, piped, false).empty());
    CHECK(lines(pairs_text::matrix(grid, piped, true)).size() == 101);
}

TEST_CASE("pairs: of a hundred only what fails is listed, and whom nobody reaches is told once", "[unit]") {
    auto grid = whole(100);
    for (int i = 1; i <= 100; ++i) {
        if (i == 17) continue;
        grid.add(row(name(i), "s17", PairOutcome::lost));
        grid.add(row("s17", name(i), PairOutcome::lost));
    }
    auto refused = row("s3", "s4", PairOutcome::refused);
    refused.message = "connection refused";
    grid.add(refused);
    for (int i = 20; i < 40; ++i)
        grid.add(row("s5", name(i), PairOutcome::lost));
    const auto text = lines(pairs_text::matrix(grid, terminal(200), false));
    REQUIRE(text.size() == 4);
    CHECK(text[0] == "s17 reaches nobody and nobody reaches it");
    CHECK(text[1] == "FROM   REACHES   DOES NOT REACH");
    CHECK(text[2] == "s3     97/99     refused (connection refused): s4");
    CHECK(text[3] == "s5     78/99     lost: s20, s21, s22, s23, s24, s25, s26, s27 and 12 more");
}

TEST_CASE("pairs: the summary counts each outcome", "[unit]") {
    PairGrid grid({"a", "b", "c"});
    grid.add(row("a", "b", PairOutcome::answered, 20));
    grid.add(row("b", "a", PairOutcome::answered, 40));
    grid.add(row("a", "c", PairOutcome::answered, 60));
    grid.add(row("c", "a", PairOutcome::no_address));
    api::PairsReport report;
    report.targets = 3;
    report.pairs = 4;
    report.elapsed_ms = 12.3;
    report.explanation = "x";
    CHECK(pairs_text::summary(grid, report) ==
          "4 pairs of 3 targets: 3 answered, 1 no address; rtt min/median/max = 0.020/0.040/0.060 ms; in 12 "
          "ms\nx\n");
}

TEST_CASE("pairs: the summary says by which family they were tried", "[unit]") {
    const auto with_address = [](std::string from, std::string to, std::string_view address) {
        auto one = row(std::move(from), std::move(to));
        one.address = *IpAddress::parse(address);
        return one;
    };
    PairGrid grid({"a", "b", "c"});
    api::PairsReport report;
    report.targets = 3;
    report.pairs = 2;
    const auto begin = [&] {
        const auto text = pairs_text::summary(grid, report);
        return text.substr(0, text.find(':'));
    };
    grid.add(with_address("a", "b", "192.0.2.2"));
    grid.add(row("a", "c", PairOutcome::no_address));
    CHECK(begin() == "2 pairs of 3 targets over IPv4");
    grid.add(with_address("b", "c", "2001:db8::2"));
    grid.add(with_address("c", "b", "2001:db8::3"));
    CHECK(begin() == "2 pairs of 3 targets over IPv4 (1) and IPv6 (2)");
    PairGrid v6({"a", "b"});
    v6.add(with_address("a", "b", "2001:db8::2"));
    grid = v6;
    CHECK(begin() == "2 pairs of 3 targets over IPv6");
}

TEST_CASE("pairs: a pair that comes twice counts once, and names cannot write to the terminal", "[unit]") {
    PairGrid grid;
    grid.add(row("a\x1b[2J", "b", PairOutcome::lost));
    grid.add(row("a\x1b[2J", "b"));
    CHECK(grid.size() == 2);
    CHECK(grid.at(0, 1)->outcome == PairOutcome::answered);
    CHECK(grid.at(1, 0) == nullptr);
    CHECK(pairs_text::matrix(grid, piped, false).find('\x1b') == std::string::npos);
}
