#pragma once

#include "common/error.hpp"

#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace netlab::cli {

/// An option whose value is read by `parse`, so that a wrong one is told in netlab's words and not in the
/// library's.
template <class T, class Parse>
CLI::Option* add_parsed(CLI::App& app, const std::string& names, T& out, Parse parse,
                        const std::string& description) {
    const std::string shown = names.substr(0, names.find(','));
    return app.add_option_function<std::string>(
        names,
        [&out, parse, shown](const std::string& text) {
            const auto value = parse(text);
            if (!value) {
                const auto& error = value.error();
                throw CLI::ValidationError(shown,
                                           error.message + (error.hint.empty() ? "" : " — " + error.hint));
            }
            out = *value;
        },
        description);
}

}  // namespace netlab::cli
