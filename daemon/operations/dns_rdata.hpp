#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace netlab::operations {

/// Where a record's data is in its message.
struct RdataPlace {
    std::size_t start = 0;
    std::size_t length = 0;
};

/// A record's data as a zone file has it (RFC 1035, 5.1): names with a dot at their end, strings in quotes. A
/// type that netlab does not know by its parts: RFC 3597's "\# LENGTH HEX". Nothing where the data is not
/// what its type says.
[[nodiscard]] std::optional<std::string> rdata_text(std::span<const std::uint8_t> message, RdataPlace place,
                                                    std::uint16_t type);

/// A name as ns_name_ntop(3) has it, with a dot at its end.
[[nodiscard]] std::string dotted(std::string name);

}  // namespace netlab::operations
