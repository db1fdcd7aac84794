#include "cli/render/table.hpp"

#include "cli/render/escape.hpp"

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <numeric>
#include <string_view>

#include <wchar.h>

namespace netlab::cli {

namespace {

constexpr std::size_t gap = 3;

/// Printable ASCII: one column for each byte, and nothing to escape.
bool is_harmless(std::string_view text) {
    return std::ranges::all_of(text, [](char byte) { return byte >= 0x20 && byte < 0x7F; });
}

struct Block {
    std::vector<std::string> lines;
    Hue hue = Hue::plain;
};

/// A row of blocks, headings first.
using Blocks = std::vector<std::vector<Block>>;

/// How many columns of a terminal `text` takes: an East Asian character two, a combining one none.
std::size_t columns(const std::string& text) {
    if (std::ranges::all_of(text, [](char byte) { return static_cast<signed char>(byte) >= 0; }))
        return text.size();
    // What is printed is UTF-8 whatever the user's locale is. Most tables never come here.
    static const bool utf8 = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;
    std::wstring wide(text.size(), L'\0');
    const auto length = utf8 ? std::mbstowcs(wide.data(), text.c_str(), wide.size()) : std::string::npos;
    if (length == std::string::npos) return text.size();
    const int width = ::wcswidth(wide.data(), length);
    return width < 0 ? length : static_cast<std::size_t>(width);
}

Block block_of(const Cell& cell, bool broken) {
    Block block{{}, cell.hue};
    for (const auto& item : cell.items) {
        if (broken || block.lines.empty()) {
            block.lines.push_back(escape(item));
        } else {
            block.lines.front().append(", ").append(escape(item));
        }
    }
    return block;
}

Blocks blocks_of(const Table& table, bool broken) {
    Blocks blocks(1);
    for (const auto& heading : table.headings)
        blocks.front().push_back({{heading}, Hue::plain});
    for (const auto& row : table.rows) {
        auto& line = blocks.emplace_back();
        for (const auto& cell : row)
            line.push_back(block_of(cell, broken));
    }
    return blocks;
}

std::vector<std::size_t> widths_of(const Blocks& blocks) {
    std::vector<std::size_t> widths(blocks.front().size());
    for (const auto& row : blocks) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            for (const auto& line : row[i].lines)
                widths[i] = std::max(widths[i], columns(line));
        }
    }
    return widths;
}

std::string_view colour_of(Hue hue) {
    switch (hue) {
        case Hue::plain:
            break;
        case Hue::good:
            return "\x1b[32m";
        case Hue::warning:
            return "\x1b[33m";
        case Hue::bad:
            return "\x1b[31m";
        case Hue::faint:
            return "\x1b[2m";
    }
    return {};
}

void append_row(std::string& out, const std::vector<Block>& row, const std::vector<std::size_t>& widths,
                bool colours) {
    std::size_t height = 1;
    for (const auto& block : row)
        height = std::max(height, block.lines.size());
    for (std::size_t level = 0; level < height; ++level) {
        std::size_t blanks = 0;  // owed, and never paid at the end of a line
        for (std::size_t i = 0; i < row.size(); ++i) {
            const bool filled = level < row[i].lines.size() && !row[i].lines[level].empty();
            if (filled) {
                const auto& text = row[i].lines[level];
                const auto colour = colours ? colour_of(row[i].hue) : std::string_view();
                out.append(std::exchange(blanks, 0), ' ').append(colour).append(text);
                if (!colour.empty()) out += "\x1b[0m";
                const auto taken = columns(text);
                blanks = widths[i] - std::min(widths[i], taken);
            } else {
                blanks += widths[i];
            }
            blanks += gap;
        }
        out += '\n';
    }
}

}  // namespace

TableStream::TableStream(std::vector<std::string> headings, const Screen& screen) : screen_(screen) {
    first_.headings = std::move(headings);
}

Result<void> TableStream::begin() {
    widths_ = widths_of(blocks_of(first_, false));
    out_ = to_text(first_, screen_);
    first_.rows.clear();
    return print(std::exchange(out_, {}));
}

Result<void> TableStream::add(std::vector<Cell> row) {
    constexpr std::size_t screenful = 256;
    constexpr std::size_t enough = 64 * 1024;
    if (widths_.empty()) {
        first_.rows.push_back(std::move(row));
        return first_.rows.size() < screenful ? Result<void>() : begin();
    }
    std::vector<Block> blocks;
    blocks.reserve(row.size());
    for (const auto& cell : row)
        blocks.push_back(block_of(cell, false));
    append_row(out_, blocks, widths_, screen_.colours);
    return out_.size() < enough ? Result<void>() : print(std::exchange(out_, {}));
}

Result<void> TableStream::add_plain(std::span<const std::string_view> row) {
    constexpr std::size_t enough = 64 * 1024;
    if (widths_.empty()) {
        std::vector<Cell> cells;
        for (const auto text : row)
            cells.emplace_back(std::string(text));
        return add(std::move(cells));
    }
    std::size_t blanks = 0;  // owed, and never paid at the end of a line
    for (std::size_t i = 0; i < row.size(); ++i) {
        std::size_t taken = row[i].size();
        if (taken > 0) {
            out_.append(std::exchange(blanks, 0), ' ');
            if (is_harmless(row[i])) {
                out_.append(row[i]);
            } else {
                const auto escaped = escape(row[i]);
                taken = columns(escaped);
                out_.append(escaped);
            }
        }
        blanks += std::max(widths_[i], taken) - taken + gap;
    }
    out_ += '\n';
    return out_.size() < enough ? Result<void>() : print(std::exchange(out_, {}));
}

Result<void> TableStream::finish() {
    if (widths_.empty()) return begin();
    return print(std::exchange(out_, {}));
}

std::string to_text(const Table& table, const Screen& screen) {
    auto blocks = blocks_of(table, false);
    auto widths = widths_of(blocks);
    const auto all = std::accumulate(widths.begin(), widths.end(), gap * (widths.size() - 1));
    if (screen.terminal && all > screen.width) {
        blocks = blocks_of(table, true);
        widths = widths_of(blocks);
    }
    std::string out;
    for (const auto& row : blocks)
        append_row(out, row, widths, screen.colours);
    return out;
}

}  // namespace netlab::cli
