#include "cli/other_end.hpp"

namespace netlab::cli {

std::string other_end_text(const api::OtherEnd& end, const std::string& own) {
    auto text = end.name ? *end.name : "if" + std::to_string(end.index);
    if (!end.target) {
        text += " in an unknown namespace";
        // Negative: not even the kernel has a number for it, as with one that is ending.
        if (end.nsid && *end.nsid >= 0) text += " (nsid " + std::to_string(*end.nsid) + ")";
    } else if (*end.target != own) {
        text += " in " + *end.target;
    }
    return text;
}

}  // namespace netlab::cli
