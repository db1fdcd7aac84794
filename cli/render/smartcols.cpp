#include "cli/render/smartcols.hpp"

#include <dlfcn.h>

namespace netlab::cli {

namespace {

template <class Function>
bool find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    return function != nullptr;
}

bool fill(void* library, Smartcols& out) {
    return find(library, "scols_new_table", out.new_table) &&
           find(library, "scols_unref_table", out.unref_table) &&
           find(library, "scols_table_enable_colors", out.enable_colors) &&
           find(library, "scols_table_enable_noencoding", out.enable_noencoding) &&
           find(library, "scols_table_set_column_separator", out.set_column_separator) &&
           find(library, "scols_table_set_termforce", out.set_termforce) &&
           find(library, "scols_table_set_termwidth", out.set_termwidth) &&
           find(library, "scols_table_new_column", out.new_column) &&
           find(library, "scols_column_set_wrapfunc", out.set_wrapfunc) &&
           find(library, "scols_wrapnl_chunksize", out.wrapnl_chunksize) &&
           find(library, "scols_wrapnl_nextchunk", out.wrapnl_nextchunk) &&
           find(library, "scols_table_new_line", out.new_line) &&
           find(library, "scols_line_set_data", out.set_data) &&
           find(library, "scols_line_get_cell", out.get_cell) &&
           find(library, "scols_cell_set_color", out.set_color) &&
           find(library, "scols_print_table_to_string", out.print_to_string);
}

}  // namespace

Result<const Smartcols*> Smartcols::load() {
    static Smartcols functions;
    static const bool loaded = [] {
        void* library = ::dlopen("libsmartcols.so.1", RTLD_NOW | RTLD_LOCAL);
        return library && fill(library, functions);
    }();
    if (!loaded) {
        return Error{errc::operation_failed,
                     "cannot load libsmartcols.so.1, which prints tables",
                     "apt install libsmartcols1, or use -o json",
                     {}};
    }
    return &functions;
}

}  // namespace netlab::cli
