#pragma once

#include <string>
#include <string_view>

namespace netlab::cli {

/// `text` as it may go to a terminal. Names, messages and addresses come from containers, which may be
/// hostile: control and C1 characters could move the cursor or set the title, and bidirectional controls
/// could show one name as another (Unicode TR36, "Trojan Source"). They become \xNN or \u{…}, as do bytes
/// that are not UTF-8.
[[nodiscard]] std::string escape(std::string_view text);

/// The same for a line of valid JSON: \u00NN and \uNNNN, which mean the same to a JSON parser.
[[nodiscard]] std::string escape_json(std::string_view line);

}  // namespace netlab::cli
