#pragma once

#include "cli/render/screen.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace netlab::cli {

enum class Hue : std::uint8_t { plain, good, warning, bad, faint };

/// Text is escaped when the table is made into text, not before.
struct Cell {
    std::vector<std::string> items;  ///< shown as "a, b", or one below the other where the terminal is narrow
    Hue hue = Hue::plain;

    Cell() = default;
    Cell(std::string text, Hue its_hue = Hue::plain) : items{std::move(text)}, hue(its_hue) {}
    Cell(const char* text) : items{text} {}
    Cell(std::vector<std::string> list) : items(std::move(list)) {}
};

struct Table {
    std::vector<std::string> headings;
    std::vector<std::vector<Cell>> rows;  ///< each as long as `headings`
};

/// A table of any length, printed as its rows come: the widths are those of the first rows, and a later cell
/// that is wider only shifts what follows it in its line.
class TableStream {
  public:
    TableStream(std::vector<std::string> headings, const Screen& screen);

    /// errc as print().
    [[nodiscard]] Result<void> add(std::vector<Cell> row);
    /// The same for cells of plain text, for tables of 100,000 rows.
    [[nodiscard]] Result<void> add_plain(std::span<const std::string_view> row);
    /// Prints what is left; headings too where there was no row.
    [[nodiscard]] Result<void> finish();

  private:
    [[nodiscard]] Result<void> begin();

    Screen screen_;
    Table first_;
    std::vector<std::size_t> widths_;  ///< empty until the first rows are printed
    std::string out_;
};

/// Columns of equal width, three blanks between them. On a terminal that is too narrow lists are broken into
/// lines, and nothing is cut: a name or a state that is cut is of no use. Elsewhere a row is a line, so that
/// grep finds it.
[[nodiscard]] std::string to_text(const Table& table, const Screen& screen);

}  // namespace netlab::cli
