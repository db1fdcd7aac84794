#pragma once

#include "common/api/point.hpp"
#include "common/error.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The words of a filter (pcap-filter(7)). libpcap would look names up in files and by DNS, from wherever it
/// runs; so each word is looked at before it compiles, and what is no number and no keyword is a name that
/// netlab itself knows, or an error. Pure.
namespace netlab::operations {

struct FilterWord {
    std::size_t begin = 0;  ///< in the filter as it was written
    std::string text;       ///< as it compiles
    friend bool operator==(const FilterWord&, const FilterWord&) = default;
};

struct FilterWords {
    std::string written;            ///< the filter as the user wrote it
    std::vector<FilterWord> words;  ///< empty: every packet

    /// As libpcap is to read the first `count` of them.
    [[nodiscard]] std::string text(std::size_t count) const;
    [[nodiscard]] std::string text() const { return text(words.size()); }
};

/// The port that a service has; nullopt: there is no such service.
using PortOf = std::function<std::optional<std::uint16_t>(const std::string& service)>;

/// Takes the filter apart and turns the names of targets into their addresses, services into ports and
/// protocols into numbers. errc::bad_request, with the place as details_of() shows it.
[[nodiscard]] Result<FilterWords> read_filter(const std::string& filter,
                                              std::span<const api::NamedAddress> names,
                                              const PortOf& port_of);

/// The words that may name a service: for `prepare`, which may read /etc/services.
[[nodiscard]] std::vector<std::string> possible_services(const std::string& filter);

/// An error's details: the filter, and a line with a caret under the place.
[[nodiscard]] std::vector<std::string> details_of(const std::string& filter, std::size_t place);

}  // namespace netlab::operations
