#pragma once

#include <string>

namespace netlab::operations {

/// Why something is as it is. Empty strings where there is nothing to say.
struct Explanation {
    std::string explanation;
    std::string suggestion;  ///< a command; behind "  # " another way, or what it does
    friend bool operator==(const Explanation&, const Explanation&) = default;
};

/// Says it in a report, which has both members; what is empty stays absent, or as it was.
template <class Report>
void tell(Report& report, const Explanation& why) {
    if (!why.explanation.empty()) report.explanation = why.explanation;
    if (!why.suggestion.empty()) report.suggestion = why.suggestion;
}

}  // namespace netlab::operations
