#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <string>

namespace netlab::operations {

/// RFC 3339 in UTC with nanoseconds. The date is worked out once a second. glibc reads the time zone's file
/// at the first conversion, UTC included: tzset(3) in `prepare`, as later no file can be opened.
class TimeText {
  public:
    /// `ns`: since 1970.
    std::string operator()(std::uint64_t ns) {
        constexpr std::uint64_t second = 1'000'000'000;
        if (const auto now = ns / second; now != second_ || prefix_.empty()) {
            second_ = now;
            const auto time = static_cast<time_t>(now);
            tm parts{};
            ::gmtime_r(&time, &parts);
            std::array<char, 32> text{};
            prefix_.assign(text.data(),
                           std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &parts));
        }
        constexpr std::size_t digits = 9;
        auto fraction = std::to_string(ns % second);
        fraction.insert(0, digits - fraction.size(), '0');
        return prefix_ + fraction + "Z";
    }

  private:
    std::uint64_t second_ = 0;
    std::string prefix_;
};

}  // namespace netlab::operations
