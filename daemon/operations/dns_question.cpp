#include "daemon/operations/dns_question.hpp"

#include <algorithm>
#include <array>

namespace netlab::operations {

namespace {

constexpr std::size_t header_size = 12;
constexpr std::uint8_t response_bit = 0x80;
constexpr std::uint16_t class_in = 1;

using Bytes = std::vector<std::byte>;

void append(Bytes& out, std::uint16_t number) {
    out.push_back(static_cast<std::byte>(number >> 8));
    out.push_back(static_cast<std::byte>(number & 0xFF));
}

std::uint16_t number_at(std::span<const std::byte> message, std::size_t at) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(message[at]) << 8 |
                                      std::to_integer<unsigned>(message[at + 1]));
}

/// As it stands in a message: labels with their lengths, type, class.
Bytes encoded(const DnsQuestion& question) {
    Bytes out;
    for (std::string_view rest = question.name; !rest.empty();) {
        const auto label = rest.substr(0, rest.find('.'));
        rest.remove_prefix(std::min(rest.size(), label.size() + 1));
        out.push_back(static_cast<std::byte>(label.size()));
        for (const char c : label)
            out.push_back(static_cast<std::byte>(c));
    }
    out.push_back(std::byte{0});
    append(out, question.type);
    append(out, class_in);
    return out;
}

std::byte lower(std::byte byte) {
    const auto c = std::to_integer<unsigned char>(byte);
    return c >= 'A' && c <= 'Z' ? static_cast<std::byte>(c - 'A' + 'a') : byte;
}

}  // namespace

std::string DnsQuestion::to_string() const {
    std::string text = name.empty() ? "." : name;
    if (type == dns_type_ns) return text + " NS";
    if (type == dns_type_ptr) return text + " PTR";
    return text + " TYPE" + std::to_string(type);
}

std::string reverse_name(const IpAddress& address) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::string name;
    const auto bytes = address.bytes();
    for (std::size_t i = bytes.size(); i-- > 0;) {
        if (address.is_v4()) {
            name += std::to_string(bytes[i]) + ".";
        } else {
            name += {hex[bytes[i] & 0x0F], '.', hex[bytes[i] >> 4], '.'};
        }
    }
    return name + (address.is_v4() ? "in-addr.arpa" : "ip6.arpa");
}

std::vector<std::byte> dns_query(std::uint16_t id, const DnsQuestion& question) {
    Bytes out;
    append(out, id);
    constexpr std::uint16_t recursion_desired = 0x0100;
    append(out, recursion_desired);
    constexpr std::array<std::uint16_t, 4> counts{1, 0, 0, 0};
    for (const auto count : counts)
        append(out, count);
    const auto rest = encoded(question);
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
}

std::optional<std::uint8_t> dns_answer_rcode(std::span<const std::byte> message, std::uint16_t id,
                                             const DnsQuestion& question) {
    if (message.size() < header_size || number_at(message, 0) != id) return std::nullopt;
    if ((std::to_integer<std::uint8_t>(message[2]) & response_bit) == 0) return std::nullopt;
    const auto rcode = static_cast<std::uint8_t>(std::to_integer<unsigned>(message[3]) & 0x0F);
    const auto questions = number_at(message, 4);
    if (questions == 0) return rcode != 0 ? std::optional(rcode) : std::nullopt;
    const auto expected = encoded(question);
    const auto body = message.subspan(header_size);
    if (questions != 1 || body.size() < expected.size()) return std::nullopt;
    const bool same = std::equal(expected.begin(), expected.end(), body.begin(),
                                 [](std::byte a, std::byte b) { return lower(a) == lower(b); });
    return same ? std::optional(rcode) : std::nullopt;
}

std::string rcode_name(std::uint8_t rcode) {
    constexpr std::array names{"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                               "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};
    return rcode < names.size() ? names[rcode] : "RCODE" + std::to_string(rcode);
}

}  // namespace netlab::operations
