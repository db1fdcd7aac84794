#pragma once

#include "common/address.hpp"

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <linux/netlink.h>

namespace netlab::test {

/// Netlink messages and attributes as the kernel writes them.
class NetlinkBytes {
  public:
    template <class Header>
    void begin(std::uint16_t type, const Header& header) {
        end();
        start_ = bytes_.size();
        nlmsghdr message{};
        message.nlmsg_type = type;
        append(&message, sizeof message);
        append(&header, sizeof header);
    }
    void bytes(std::uint16_t type, std::span<const std::byte> value) {
        const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
        append(&header, sizeof header);
        append(value.data(), value.size());
    }
    /// One number, or a struct.
    template <class T>
    requires(std::is_trivially_copyable_v<T> &&
             !std::is_pointer_v<std::decay_t<T>>) void attribute(std::uint16_t type, const T& value) {
        bytes(type, std::as_bytes(std::span(&value, 1)));
    }
    void text(std::uint16_t type, const std::string& value) {
        bytes(type, std::as_bytes(std::span(value.c_str(), value.size() + 1)));
    }
    void address(std::uint16_t type, std::string_view text) {
        bytes(type, std::as_bytes(IpAddress::parse(text)->bytes()));
    }
    /// `inner` has attributes only.
    void nested(std::uint16_t type, const NetlinkBytes& inner) {
        bytes(static_cast<std::uint16_t>(type | NLA_F_NESTED), inner.bytes_);
    }
    const std::vector<std::byte>& all() {
        end();
        return bytes_;
    }

  private:
    void append(const void* data, std::size_t size) {
        const auto* at = static_cast<const std::byte*>(data);
        bytes_.insert(bytes_.end(), at, at + size);
        bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
    }
    void end() {
        if (bytes_.size() < sizeof(nlmsghdr)) return;
        const auto length = static_cast<std::uint32_t>(bytes_.size() - start_);
        std::memcpy(bytes_.data() + start_, &length, sizeof length);
    }

    std::vector<std::byte> bytes_;
    std::size_t start_ = 0;
};

/// Every beginning of `bytes`, and `bytes` with each of its bytes changed, in a buffer of exactly that size:
/// the sanitizers tell whoever reads past the end.
template <class Parse>
void parse_damaged(const std::vector<std::byte>& bytes, Parse parse) {
    for (std::size_t size = 0; size <= bytes.size(); ++size)
        parse(std::vector<std::byte>(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        for (const unsigned value : {0U, 1U, 3U, 4U, 0x7FU, 0xFFU}) {
            auto damaged = bytes;
            damaged[i] = static_cast<std::byte>(value);
            parse(damaged);
        }
    }
}

}  // namespace netlab::test
