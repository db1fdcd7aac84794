#include "cli/render/table.hpp"

#include "cli/render/escape.hpp"
#include "cli/render/smartcols.hpp"

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <langinfo.h>

namespace netlab::cli {

namespace {

constexpr std::string_view gap = "   ";

/// The width of characters is the locale's business. What is printed is UTF-8 whatever the locale says.
void use_utf8_widths() {
    std::setlocale(LC_CTYPE, "");
    if (std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::string joined(const Cell& cell, std::string_view separator) {
    std::string text;
    for (const auto& item : cell.items)
        text.append(text.empty() ? "" : separator).append(escape(item));
    return text;
}

std::size_t columns(const std::string& text) {
    std::wstring wide(text.size() + 1, L'\0');
    const auto length = std::mbstowcs(wide.data(), text.c_str(), wide.size());
    if (length == static_cast<std::size_t>(-1)) return text.size();
    const int width = ::wcswidth(wide.data(), length);
    return width < 0 ? text.size() : static_cast<std::size_t>(width);
}

bool fits(const Table& table, std::size_t width) {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < table.headings.size(); ++i) {
        std::size_t widest = columns(table.headings[i]);
        for (const auto& row : table.rows)
            widest = std::max(widest, columns(joined(row[i], ", ")));
        sum += widest + (i > 0 ? gap.size() : 0);
    }
    return sum <= width;
}

const char* colour_name(Hue hue) {
    switch (hue) {
        case Hue::plain:
            break;
        case Hue::good:
            return "green";
        case Hue::warning:
            return "yellow";
        case Hue::bad:
            return "red";
        case Hue::faint:
            return "darkgray";
    }
    return nullptr;
}

void fill(const Smartcols& scols, libscols_table* out, const Table& table, bool narrow) {
    for (std::size_t i = 0; i < table.headings.size(); ++i) {
        const bool lists =
            std::ranges::any_of(table.rows, [i](const auto& row) { return row[i].items.size() > 1; });
        // A name or a state that is cut is of no use to anybody: what does not fit goes to the next line.
        const int flags = narrow && lists ? SCOLS_FL_WRAP : 0;
        auto* column = scols.new_column(out, table.headings[i].c_str(), 0, flags);
        if (column && narrow && lists) {
            scols.set_wrapfunc(column, scols.wrapnl_chunksize, scols.wrapnl_nextchunk, nullptr);
        }
    }
    for (const auto& row : table.rows) {
        auto* line = scols.new_line(out, nullptr);
        if (!line) continue;
        for (std::size_t i = 0; i < row.size(); ++i) {
            scols.set_data(line, i, joined(row[i], narrow ? "\n" : ", ").c_str());
            if (const char* name = colour_name(row[i].hue)) scols.set_color(scols.get_cell(line, i), name);
        }
    }
}

/// A last column that is empty leaves blanks behind the one before it.
std::string without_trailing_blanks(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        out.append(line.substr(0, line.find_last_not_of(' ') + 1)).append("\n");
    }
    return out;
}

}  // namespace

Result<std::string> to_text(const Table& table, const Screen& screen) {
    const auto loaded = Smartcols::load();
    if (!loaded) return loaded.error();
    const Smartcols& scols = **loaded;
    use_utf8_widths();
    const std::unique_ptr<libscols_table, void (*)(libscols_table*)> out(scols.new_table(),
                                                                         scols.unref_table);
    if (!out) return Error{errc::operation_failed, "out of memory", {}, {}};
    const bool narrow = screen.terminal && !fits(table, screen.width);
    scols.enable_colors(out.get(), screen.colours ? 1 : 0);
    scols.enable_noencoding(out.get(), 1);  // escape() has made it safe
    scols.set_column_separator(out.get(), gap.data());
    scols.set_termforce(out.get(), narrow ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
    if (narrow) scols.set_termwidth(out.get(), screen.width);
    fill(scols, out.get(), table, narrow);
    char* printed = nullptr;
    if (scols.print_to_string(out.get(), &printed) != 0 || !printed) {
        return Error{errc::operation_failed, "cannot print the table", {}, {}};
    }
    const std::unique_ptr<char, void (*)(void*)> text(printed, std::free);
    return without_trailing_blanks(text.get());
}

}  // namespace netlab::cli
