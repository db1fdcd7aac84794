#pragma once

#include "common/address.hpp"
#include "common/error.hpp"

#include <optional>
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

/// -4 and -6; both together are a usage error.
inline void add_family(CLI::App& app, std::optional<Family>& out) {
    const auto choose = [&out](Family family) {
        return [&out, family] {
            if (out && *out != family) throw CLI::ValidationError("-4 and -6 exclude each other");
            out = family;
        };
    };
    app.add_flag_callback("-4,--ipv4", choose(Family::ipv4), "IPv4 only");
    app.add_flag_callback("-6,--ipv6", choose(Family::ipv6), "IPv6 only");
}

}  // namespace netlab::cli
