#pragma once

#include "common/error.hpp"

#include <libsmartcols.h>

namespace netlab::cli {

/// The functions of libsmartcols.so.1 that a table needs. Linking it would cost every start of netlab 0.1 ms,
/// and a ping prints no table.
struct Smartcols {
    decltype(&scols_new_table) new_table = nullptr;
    decltype(&scols_unref_table) unref_table = nullptr;
    decltype(&scols_table_enable_colors) enable_colors = nullptr;
    decltype(&scols_table_enable_noencoding) enable_noencoding = nullptr;
    decltype(&scols_table_set_column_separator) set_column_separator = nullptr;
    decltype(&scols_table_set_termforce) set_termforce = nullptr;
    decltype(&scols_table_set_termwidth) set_termwidth = nullptr;
    decltype(&scols_table_new_column) new_column = nullptr;
    decltype(&scols_column_set_wrapfunc) set_wrapfunc = nullptr;
    decltype(&scols_wrapnl_chunksize) wrapnl_chunksize = nullptr;
    decltype(&scols_wrapnl_nextchunk) wrapnl_nextchunk = nullptr;
    decltype(&scols_table_new_line) new_line = nullptr;
    decltype(&scols_line_set_data) set_data = nullptr;
    decltype(&scols_line_get_cell) get_cell = nullptr;
    decltype(&scols_cell_set_color) set_color = nullptr;
    decltype(&scols_print_table_to_string) print_to_string = nullptr;

    /// Loads it once; the library stays until the process ends. errc::operation_failed with the package's
    /// name.
    [[nodiscard]] static Result<const Smartcols*> load();
};

}  // namespace netlab::cli
