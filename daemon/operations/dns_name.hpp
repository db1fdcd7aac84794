#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Names in RFC 1035's presentation format (5.1): "\\." is a dot inside a label, "\\032" a byte by its
/// decimal number. ns_name_pton(3) and its kin take them apart, as they do for programs.
namespace netlab::operations {

/// As it goes into a message: labels with their lengths in front. "" and "." are the root. Nothing where it
/// is no name: an empty label, one of more than 63 bytes, more than 255 in all, a number that is no byte.
[[nodiscard]] std::optional<std::string> dns_wire_name(std::string_view text);

/// True where `name` can be put into a DNS question and is not the root: labels of 1 to 63 bytes, 253 in all,
/// a dot at the end or not.
[[nodiscard]] bool is_dns_name(std::string_view name);

/// It ends with a dot that is none of its last label's.
[[nodiscard]] bool is_absolute_dns_name(std::string_view name);

/// Names that are the same have the same key: without regard to ASCII case (a locale has no say in names), to
/// a dot at the end, and to how their bytes are written. Any text has one.
[[nodiscard]] std::string dns_name_key(std::string_view text);
[[nodiscard]] bool same_dns_name(std::string_view a, std::string_view b);

/// As ns_name_ntop(3) writes it, with a dot at its end: "a\\032b.test."; what is no name as it is.
[[nodiscard]] std::string shown_dns_name(std::string_view text);

}  // namespace netlab::operations
