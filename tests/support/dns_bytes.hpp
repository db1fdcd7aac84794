#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace netlab::test {

/// Writes DNS messages (RFC 1035, 4) for tests.
class DnsBytes {
  public:
    /// The header; the counts are set by question() and record().
    explicit DnsBytes(std::uint16_t id = 0x1234, std::uint16_t flags = 0x8180) {
        number(id, 2);
        number(flags, 2);
        number(0, 8);
    }

    DnsBytes& question(std::string_view name, std::uint16_t type) {
        this->name(name);
        number(type, 2);
        number(1, 2);
        return counted(4);
    }

    /// `section`: 6 answer, 8 authority, 10 additional (where its count is in the header).
    DnsBytes& record(std::size_t section, std::string_view name, std::uint16_t type, std::uint32_t ttl,
                     const std::vector<std::uint8_t>& data) {
        this->name(name);
        head(type, ttl, data.size());
        bytes.insert(bytes.end(), data.begin(), data.end());
        return counted(section);
    }

    /// A record whose name points to the question's.
    DnsBytes& answer(std::uint16_t type, const std::vector<std::uint8_t>& data, std::uint32_t ttl = 60) {
        number(0xC00C, 2);
        head(type, ttl, data.size());
        bytes.insert(bytes.end(), data.begin(), data.end());
        return counted(6);
    }

    static std::vector<std::uint8_t> encoded(std::string_view name) {
        std::vector<std::uint8_t> out;
        while (!name.empty()) {
            const auto label = name.substr(0, name.find('.'));
            out.push_back(static_cast<std::uint8_t>(label.size()));
            out.insert(out.end(), label.begin(), label.end());
            name.remove_prefix(std::min(name.size(), label.size() + 1));
        }
        out.push_back(0);
        return out;
    }

    void number(std::uint64_t value, int size) {
        for (int shift = (size - 1) * 8; shift >= 0; shift -= 8)
            bytes.push_back(static_cast<std::uint8_t>(value >> static_cast<unsigned>(shift)));
    }

    void name(std::string_view text) {
        const auto wire = encoded(text);
        bytes.insert(bytes.end(), wire.begin(), wire.end());
    }

    std::vector<std::uint8_t> bytes;

  private:
    void head(std::uint16_t type, std::uint32_t ttl, std::size_t length) {
        number(type, 2);
        number(1, 2);
        number(ttl, 4);
        number(length, 2);
    }
    DnsBytes& counted(std::size_t at) {
        if (++bytes[at + 1] == 0) ++bytes[at];
        return *this;
    }
};

}  // namespace netlab::test
