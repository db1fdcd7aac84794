#include "daemon/operations/dns_rdata.hpp"

#include "common/address.hpp"

#include <array>
#include <string_view>

#include <arpa/nameser.h>

namespace netlab::operations {

namespace {

/// Takes one field after the other off a record's data. Once one does not fit, all is `bad`.
class Fields {
  public:
    Fields(std::span<const std::uint8_t> message, RdataPlace place)
        : message_(message), at_(place.start), end_(place.start + place.length) {}

    void name() {
        std::array<char, NS_MAXDNAME> text{};
        const auto* whole = message_.data();
        const int size = bad_ ? -1
                              : ::ns_name_uncompress(whole, whole + message_.size(), whole + at_, text.data(),
                                                     text.size());
        // A name that goes on behind the record's end is none of its own.
        if (size < 0 || static_cast<std::size_t>(size) > left()) return fail();
        at_ += static_cast<std::size_t>(size);
        add(dotted(text.data()));
    }

    void number(std::size_t bytes) {
        if (left() < bytes) return fail();
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i)
            value = value << 8U | message_[at_++];
        add(std::to_string(value));
    }

    /// A character string (RFC 1035, 3.3): its length in front.
    void string() {
        if (left() < 1 || left() - 1 < message_[at_]) return fail();
        const auto length = message_[at_++];
        quote(length);
    }

    /// All that is left, in quotes.
    void rest_in_quotes() { quote(left()); }

    void tag() {
        if (left() < 1 || left() - 1 < message_[at_]) return fail();
        std::string text;
        for (std::size_t length = message_[at_++]; length > 0; --length)
            text += escaped(message_[at_++]);
        add(text);
    }

    void address(std::size_t bytes) {
        if (left() != bytes) return fail();
        add(IpAddress::from_bytes(message_.subspan(at_, bytes)).to_string());
        at_ += bytes;
    }

    void hexadecimal() {
        constexpr std::string_view digits = "0123456789ABCDEF";
        std::string text;
        for (; at_ < end_; ++at_)
            text.append({digits[message_[at_] >> 4U], digits[message_[at_] & 0x0FU]});
        if (!text.empty()) add(text);
    }

    void word(std::string_view text) { add(text); }
    [[nodiscard]] std::size_t left() const { return bad_ ? 0 : end_ - at_; }

    /// Nothing where a field did not fit, or more came than the type has.
    [[nodiscard]] std::optional<std::string> text() const {
        if (bad_ || at_ != end_) return std::nullopt;
        return text_;
    }

  private:
    void fail() { bad_ = true; }

    void add(std::string_view field) {
        if (!text_.empty()) text_ += ' ';
        text_ += field;
    }

    static std::string escaped(std::uint8_t byte) {
        if (byte == '"' || byte == '\\') return {'\\', static_cast<char>(byte)};
        if (byte >= 0x20 && byte < 0x7F) return {static_cast<char>(byte)};
        const auto digit = [](unsigned value) { return static_cast<char>('0' + value); };
        return {'\\', digit(byte / 100U), digit(byte / 10U % 10U), digit(byte % 10U)};
    }

    void quote(std::size_t length) {
        std::string text = "\"";
        for (; length > 0; --length)
            text += escaped(message_[at_++]);
        add(text + '"');
    }

    std::span<const std::uint8_t> message_;
    std::size_t at_;
    std::size_t end_;
    std::string text_;
    bool bad_ = false;
};

void read_soa(Fields& fields) {
    fields.name();
    fields.name();
    for (int i = 0; i < 5; ++i)
        fields.number(4);
}

void read_strings(Fields& fields) {
    // At least one (RFC 1035, 3.3.14).
    do {
        fields.string();
    } while (fields.left() > 0);
}

/// keytag algorithm digest-type, then hexadecimal: DS and its kin.
void read_digest(Fields& fields, std::initializer_list<std::size_t> numbers) {
    for (const auto bytes : numbers)
        fields.number(bytes);
    fields.hexadecimal();
}

void read_naptr(Fields& fields) {
    fields.number(2);
    fields.number(2);
    for (int i = 0; i < 3; ++i)
        fields.string();
    fields.name();
}

void read_generic(Fields& fields) {
    fields.word("\\#");
    fields.word(std::to_string(fields.left()));
    fields.hexadecimal();
}

}  // namespace

std::string dotted(std::string name) {
    if (name != ".") name += '.';
    return name;
}

std::optional<std::string> rdata_text(std::span<const std::uint8_t> message, RdataPlace place,
                                      std::uint16_t type) {
    Fields fields(message, place);
    switch (type) {
        case 1:  // A
            fields.address(4);
            break;
        case 28:  // AAAA
            fields.address(16);
            break;
        case 2:   // NS
        case 5:   // CNAME
        case 12:  // PTR
        case 39:  // DNAME
            fields.name();
            break;
        case 6:  // SOA
            read_soa(fields);
            break;
        case 13:  // HINFO
            fields.string();
            fields.string();
            break;
        case 15:  // MX
            fields.number(2);
            fields.name();
            break;
        case 16:  // TXT
        case 99:  // SPF
            read_strings(fields);
            break;
        case 33:  // SRV
            for (int i = 0; i < 3; ++i)
                fields.number(2);
            fields.name();
            break;
        case 35:  // NAPTR
            read_naptr(fields);
            break;
        case 43:  // DS
            read_digest(fields, {2, 1, 1});
            break;
        case 44:  // SSHFP
            read_digest(fields, {1, 1});
            break;
        case 52:  // TLSA
            read_digest(fields, {1, 1, 1});
            break;
        case 257:  // CAA
            fields.number(1);
            fields.tag();
            fields.rest_in_quotes();
            break;
        default:
            read_generic(fields);
    }
    return fields.text();
}

}  // namespace netlab::operations
