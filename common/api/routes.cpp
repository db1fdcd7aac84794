#include "common/api/routes.hpp"

#include "common/text.hpp"

#include <charconv>

namespace netlab::api {

Result<std::uint32_t> parse_table(std::string_view word) {
    // RT_TABLE_ of <linux/rtnetlink.h>
    if (word.empty() || word == "main") return 254U;
    if (word == "local") return 255U;
    if (word == "default") return 253U;
    if (word == "all") return 0U;
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error == std::errc{} && end == word.data() + word.size() && number != 0) return number;
    return Error{errc::bad_request,
                 "there is no table " + quoted(word),
                 "main, local, default, all, or a number from 1 to 4294967295",
                 {}};
}

Result<void> check(const RoutesRequest& request, Roles) {
    const auto table = parse_table(request.table);
    if (!table) return table.error();
    return {};
}

}  // namespace netlab::api
