#pragma once

#include "cli/render/screen.hpp"

#include <string>
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

/// The table as lsblk(8) would print it (libsmartcols, loaded here and not at the program's start). On a
/// terminal lists are broken and long cells cut to its width; elsewhere nothing ever is.
/// errc::operation_failed where the library is missing.
[[nodiscard]] Result<std::string> to_text(const Table& table, const Screen& screen);

}  // namespace netlab::cli
