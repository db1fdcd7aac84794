#include "cli/render/pairs_text.hpp"

#include "cli/render/escape.hpp"
#include "cli/render/table.hpp"
#include "cli/render/words.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

namespace netlab::cli::pairs_text {

namespace {

using api::PairOutcome;

constexpr std::array every_outcome{PairOutcome::answered,  PairOutcome::connected, PairOutcome::lost,
                                   PairOutcome::timed_out, PairOutcome::refused,   PairOutcome::unreachable,
                                   PairOutcome::no_address};

/// As short as a round trip.
std::string short_word(PairOutcome outcome) {
    switch (outcome) {
        case PairOutcome::timed_out:
            return "time";
        case PairOutcome::refused:
            return "refused";
        case PairOutcome::unreachable:
            return "unreach";
        case PairOutcome::no_address:
            return "no addr";
        default:
            return words_of(outcome);
    }
}

std::string ms(double us, int digits) {
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.*f", digits, us / 1000);
    return buffer.data();
}

Cell cell_of(const PairResult* result) {
    if (result == nullptr) return Cell("-", Hue::faint);
    if (!is_good(result->outcome)) return Cell(short_word(result->outcome), Hue::bad);
    if (!result->rtt_us) return Cell("yes", Hue::good);
    return Cell(ms(*result->rtt_us, *result->rtt_us < 10'000 ? 2 : 0), Hue::good);
}

Table whole(const PairGrid& grid, bool numbered) {
    Table table;
    if (numbered) table.headings.emplace_back("");
    table.headings.emplace_back("FROM \\ TO");
    for (std::size_t to = 0; to < grid.size(); ++to)
        table.headings.push_back(numbered ? std::to_string(to + 1) : escape(grid.names()[to]));
    for (std::size_t from = 0; from < grid.size(); ++from) {
        std::vector<Cell> row;
        if (numbered) row.emplace_back(std::to_string(from + 1), Hue::faint);
        row.emplace_back(grid.names()[from]);
        for (std::size_t to = 0; to < grid.size(); ++to)
            row.push_back(cell_of(grid.at(from, to)));
        table.rows.push_back(std::move(row));
    }
    return table;
}

std::size_t width_of(const std::string& text) {
    std::size_t widest = 0;
    std::size_t begin = 0;
    for (auto end = text.find('\n'); end != text.npos; end = text.find('\n', begin)) {
        widest = std::max(widest, end - begin);
        begin = end + 1;
    }
    return widest;
}

/// What fails with one target, each way.
struct Sides {
    std::size_t from_bad = 0;
    std::size_t from_all = 0;
    std::size_t to_bad = 0;
    std::size_t to_all = 0;
    [[nodiscard]] bool reaches_nobody() const { return from_all > 1 && from_bad == from_all; }
    [[nodiscard]] bool reached_by_nobody() const { return to_all > 1 && to_bad == to_all; }
};

std::vector<Sides> sides_of(const PairGrid& grid) {
    std::vector<Sides> sides(grid.size());
    for (std::size_t from = 0; from < grid.size(); ++from) {
        for (std::size_t to = 0; to < grid.size(); ++to) {
            const auto* result = grid.at(from, to);
            if (result == nullptr) continue;
            const std::size_t bad = is_good(result->outcome) ? 0 : 1;
            ++sides[from].from_all;
            ++sides[to].to_all;
            sides[from].from_bad += bad;
            sides[to].to_bad += bad;
        }
    }
    return sides;
}

/// "lost s3, s4 (nobody answers ARP); refused s7 and 12 more"
std::string failures_of(const PairGrid& grid, std::size_t from, const std::vector<Sides>& sides) {
    std::map<std::string, std::vector<std::string>> by_reason;
    for (std::size_t to = 0; to < grid.size(); ++to) {
        const auto* result = grid.at(from, to);
        // Whom nobody reaches is told once.
        if (result == nullptr || is_good(result->outcome) || sides[to].reached_by_nobody()) continue;
        auto reason = words_of(result->outcome);
        if (!result->message.empty()) reason += " (" + result->message + ")";
        by_reason[reason].push_back(grid.names()[to]);
    }
    constexpr std::size_t most = 8;
    std::string text;
    for (const auto& [reason, names] : by_reason) {
        text += (text.empty() ? "" : "; ") + reason + ": ";
        for (std::size_t i = 0; i < std::min(most, names.size()); ++i)
            text += (i > 0 ? ", " : "") + names[i];
        if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
    }
    return text;
}

/// Counts, and only what fails.
std::string compact(const PairGrid& grid, const Screen& screen) {
    const auto sides = sides_of(grid);
    std::string text;
    for (std::size_t i = 0; i < grid.size(); ++i) {
        const auto name = escape(grid.names()[i]);
        if (sides[i].reaches_nobody() && sides[i].reached_by_nobody()) {
            text += name + " reaches nobody and nobody reaches it\n";
        } else if (sides[i].reached_by_nobody()) {
            text += "nobody reaches " + name + "\n";
        } else if (sides[i].reaches_nobody()) {
            text += name + " reaches nobody\n";
        }
    }
    Table table;
    table.headings = {"FROM", "REACHES", "DOES NOT REACH"};
    for (std::size_t from = 0; from < grid.size(); ++from) {
        if (sides[from].from_bad == 0 || sides[from].reaches_nobody()) continue;
        auto failures = failures_of(grid, from, sides);
        if (failures.empty()) continue;
        const auto good = std::to_string(sides[from].from_all - sides[from].from_bad);
        table.rows.push_back({grid.names()[from], good + "/" + std::to_string(sides[from].from_all),
                              Cell(std::move(failures), Hue::bad)});
    }
    if (!table.rows.empty()) text += to_text(table, screen);
    return text;
}

/// " over IPv4", " over IPv4 (90) and IPv6 (6)"
std::string families_of(std::size_t v4, std::size_t v6) {
    if (v4 == 0 && v6 == 0) return {};
    if (v6 == 0) return " over IPv4";
    if (v4 == 0) return " over IPv6";
    return " over IPv4 (" + std::to_string(v4) + ") and IPv6 (" + std::to_string(v6) + ")";
}

}  // namespace

std::string matrix(const PairGrid& grid, const Screen& screen, bool wide) {
    constexpr std::size_t most_columns = 24;
    if (wide) return to_text(whole(grid, false), screen);
    if (grid.size() > most_columns) return compact(grid, screen);
    Screen plain = screen;
    plain.colours = false;
    for (const bool numbered : {false, true}) {
        const auto table = whole(grid, numbered);
        if (!screen.terminal || width_of(to_text(table, plain)) <= screen.width)
            return to_text(table, screen);
    }
    return compact(grid, screen);
}

std::string summary(const PairGrid& grid, const api::PairsReport& report) {
    std::map<PairOutcome, std::size_t> counts;
    std::vector<double> times;
    std::size_t v4 = 0;
    std::size_t v6 = 0;
    for (std::size_t from = 0; from < grid.size(); ++from) {
        for (std::size_t to = 0; to < grid.size(); ++to) {
            const auto* result = grid.at(from, to);
            if (result == nullptr) continue;
            ++counts[result->outcome];
            if (result->family) ++(*result->family == Family::ipv4 ? v4 : v6);
            if (is_good(result->outcome) && result->rtt_us) times.push_back(*result->rtt_us);
        }
    }
    auto text = std::to_string(report.pairs) + " pairs of " + std::to_string(report.targets) + " targets" +
                families_of(v4, v6);
    const char* before = ": ";
    for (const auto outcome : every_outcome) {
        if (!counts.contains(outcome)) continue;
        text += before + std::to_string(counts[outcome]) + " " + words_of(outcome);
        before = ", ";
    }
    if (!times.empty()) {
        std::ranges::sort(times);
        text += "; rtt min/median/max = " + ms(times.front(), 3) + "/" + ms(times[times.size() / 2], 3) +
                "/" + ms(times.back(), 3) + " ms";
    }
    text += "; in " + ms(report.elapsed_ms * 1000, 0) + " ms\n";
    if (report.explanation) text += escape(*report.explanation) + "\n";
    if (report.suggestion) text += "try: " + escape(*report.suggestion) + "\n";
    return text;
}

}  // namespace netlab::cli::pairs_text
