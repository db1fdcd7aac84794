#pragma once

#include "common/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The words of `netlab capture` that are more than a number.
namespace netlab::cli {

struct PointsAndFilter {
    std::vector<std::string> points;
    std::string filter;  ///< pcap-filter(7); empty: none
    friend bool operator==(const PointsAndFilter&, const PointsAndFilter&) = default;
};

/// POINT… [FILTER…]: the first word is a point whatever it looks like, and so are those behind it up to the
/// first that begins_filter(); that and all behind it are the filter, joined with spaces. errc::bad_request
/// where there is no word.
[[nodiscard]] Result<PointsAndFilter> split_points(const std::vector<std::string>& words);

/// Whether a filter begins with this word: a keyword of pcap-filter(7), a numeric address, or a word with a
/// character that no point has (a space, a bracket, an operator, a slash).
[[nodiscard]] bool begins_filter(std::string_view word);

/// Whether it is a keyword of pcap-filter(7) that a filter may begin with.
[[nodiscard]] bool is_filter_keyword(std::string_view word);

/// "512", "512K", "4M", "1G" (with or without a "B" or "iB" behind it); a bare number counts `unit` bytes.
/// Returns bytes. errc::bad_request, also where it is 0.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text, std::uint64_t unit);

/// -B: KiB where no unit is said; returns KiB. errc::bad_request.
[[nodiscard]] Result<std::uint32_t> parse_buffer(std::string_view text);

struct Ring {
    std::uint32_t files = 0;  ///< that are kept, 1 at least
    std::uint64_t bytes = 0;  ///< that each has at most
    friend bool operator==(const Ring&, const Ring&) = default;
};

/// FILES:SIZE. errc::bad_request.
[[nodiscard]] Result<Ring> parse_ring(std::string_view text);

}  // namespace netlab::cli
