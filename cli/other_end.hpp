#pragma once

#include "common/api/links.hpp"

namespace netlab::cli {

/// "veth1a2b3c in host"; without its target where that is `own`; "if12 in an unknown namespace (nsid 3)".
[[nodiscard]] std::string other_end_text(const api::OtherEnd& end, const std::string& own);

}  // namespace netlab::cli
