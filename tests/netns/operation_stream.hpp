#pragma once

#include "common/error.hpp"
#include "tests/netns/operation_process.hpp"

#include <string_view>

#include <boost/json/object.hpp>

namespace netlab::test {

/// All that an operation with a stream of events said.
struct Told {
    std::vector<boost::json::object> events;
    std::optional<errc> error;
    std::string error_text;
    bool ended = false;
    std::chrono::steady_clock::duration took{};

    [[nodiscard]] std::vector<boost::json::object> of(std::string_view type) const;
    /// The last event, which must be the report.
    [[nodiscard]] const boost::json::object& report() const;
    /// A text of the report; "" where it is absent.
    [[nodiscard]] std::string text(std::string_view member) const;
    [[nodiscard]] std::uint64_t number(std::string_view member) const;
};

/// Everything that comes until the end, or for `patience` in all.
[[nodiscard]] Told listen_to(OperationProcess& process,
                             std::chrono::milliseconds patience = std::chrono::seconds(20));

}  // namespace netlab::test
