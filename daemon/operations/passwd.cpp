#include "daemon/operations/passwd.hpp"

#include <algorithm>
#include <charconv>

namespace netlab::operations {

UserNames::UserNames(std::string_view text) {
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        // name:password:uid:…
        const auto name_end = line.find(':');
        if (name_end == line.npos || name_end == 0) continue;
        const auto password_end = line.find(':', name_end + 1);
        if (password_end == line.npos) continue;
        const auto number =
            line.substr(password_end + 1, line.find(':', password_end + 1) - password_end - 1);
        std::uint32_t uid = 0;
        const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), uid);
        if (error != std::errc{} || end != number.data() + number.size()) continue;
        names_.emplace(uid, std::string(line.substr(0, name_end)));
    }
}

std::optional<std::string> UserNames::find(std::uint32_t uid) const {
    const auto found = names_.find(uid);
    return found == names_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace netlab::operations
