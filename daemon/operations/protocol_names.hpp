#pragma once

namespace netlab::operations {

/// As /etc/protocols has it: "tcp"; nullptr of one that has no name there.
[[nodiscard]] const char* protocol_name(int number);

}  // namespace netlab::operations
