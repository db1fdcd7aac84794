#include "daemon/operations/dns_message.hpp"
#include "daemon/operations/dns_rdata.hpp"
#include "daemon/operations/packet_text_parts.hpp"

#include <array>
#include <cstdio>

#include <arpa/nameser.h>

namespace netlab::operations {

namespace {

/// A name can point from byte to byte through the whole message, and a message of 64 KiB can have 5,000 of
/// them.
constexpr unsigned most_names = 32;

constexpr std::array operations{"",         " inv_q",    " stat",     " op3",     " notify",  " update",
                                " op6",     " op7",      " op8",      " updateA", " updateD", " updateDA",
                                " updateM", " updateMA", " zoneInit", " zoneRef"};
constexpr std::array results{"",          " FormErr", " ServFail", " NXDomain", " NotImp",  " Refused",
                             " YXDomain", " YXRRSet", " NXRRSet",  " NotAuth",  " NotZone", " Resp11",
                             " Resp12",   " Resp13",  " Resp14",   " NoChange"};

/// Goes through a message; each step throws where it has an end.
class Reader {
  public:
    Reader(const PacketPart& message, bool multicast) : message_(message), multicast_(multicast) {}

    /// " A? co2."
    void question(std::string& text) {
        std::array<char, NS_MAXDNAME> name{};
        // tcpdump has the type in front of the name that it stands behind.
        const auto shown = take_name(name);
        const auto type = number16();
        const auto record_class = number16();
        text += " " + type_text(type);
        if (multicast_) text += (record_class & unicast_bit) != 0 ? " (QU)" : " (QM)";
        text += class_text(record_class) + "? " + shown;
    }

    void skip_question() {
        skip_name();
        at_ += 4;
    }

    /// " A 172.20.0.3"
    void record(std::string& text) {
        skip_name();
        const auto type = number16();
        const auto record_class = number16();
        if (type != ns_t_opt) {
            text += class_text(record_class);
            if (multicast_ && (record_class & unicast_bit) != 0) text += " (Cache flush)";
        }
        text += " " + type_text(type);
        at_ += 4;
        const std::size_t length = number16();
        const RdataPlace place{at_, length};
        (void)message_.first(at_ + length);
        text += data_text(place, type);
        at_ += length;
    }

  private:
    /// The cache-flush bit of an answer (RFC 6762, 10.2) and the unicast-response bit of a question (5.4).
    static constexpr unsigned unicast_bit = 0x8000;

    std::uint16_t number16() {
        const auto value = message_.number16(at_);
        at_ += 2;
        return value;
    }

    std::string take_name(std::array<char, NS_MAXDNAME>& name) {
        const auto bytes = message_.captured();
        if (at_ >= bytes.size()) message_.fail();
        const int size = ::ns_name_uncompress(bytes.data(), bytes.data() + bytes.size(), bytes.data() + at_,
                                              name.data(), name.size());
        if (size < 0) message_.fail();
        at_ += static_cast<std::size_t>(size);
        return dotted(name.data());
    }

    /// Follows no pointer.
    void skip_name() {
        const auto bytes = message_.captured();
        if (at_ >= bytes.size()) message_.fail();
        const auto* at = bytes.data() + at_;
        if (::ns_name_skip(&at, bytes.data() + bytes.size()) != 0) message_.fail();
        at_ = static_cast<std::size_t>(at - bytes.data());
    }

    static std::string type_text(std::uint16_t type) {
        auto name = dns_type_name(type);
        return name.starts_with("TYPE") ? "Type" + name.substr(4) : name;
    }

    [[nodiscard]] std::string class_text(unsigned record_class) const {
        if (multicast_) record_class &= ~unicast_bit;
        switch (record_class) {
            case ns_c_in:
                return {};
            case ns_c_chaos:
                return " CHAOS";
            case ns_c_hs:
                return " HS";
            case ns_c_any:
                return " ANY";
            default:
                return " (Class " + std::to_string(record_class) + ")";
        }
    }

    [[nodiscard]] std::string data_text(RdataPlace place, std::uint16_t type) const {
        switch (type) {
            case ns_t_a:
            case ns_t_aaaa:
            case ns_t_ns:
            case ns_t_cname:
            case ns_t_ptr:
            case ns_t_dname:
            case ns_t_txt:
                return " " + zone_text(place, type);
            case ns_t_mx:
                // The preference behind the name.
                return " " + name_behind(place, 2) + " " + std::to_string(message_.number16(place.start));
            case ns_t_srv:
                return " " + name_behind(place, 6) + ":" +
                       std::to_string(message_.number16(place.start + 4)) + " " +
                       std::to_string(message_.number16(place.start)) + " " +
                       std::to_string(message_.number16(place.start + 2));
            default:
                return {};
        }
    }

    [[nodiscard]] std::string name_behind(RdataPlace place, std::size_t size) const {
        if (place.length < size) throw PacketInvalid();
        return zone_text({place.start + size, place.length - size}, ns_t_ptr);
    }

    [[nodiscard]] std::string zone_text(RdataPlace place, std::uint16_t type) const {
        auto data = rdata_text(message_.captured(), place, type);
        // A name may point to what was cut.
        if (!data) message_.fail();
        return *data;
    }

    const PacketPart& message_;
    bool multicast_;
    std::size_t at_ = NS_HFIXEDSZ;
};

struct Header {
    std::uint16_t id;
    unsigned flags;
    unsigned questions;
    unsigned answers;
    unsigned authority;
    unsigned additional;
};

Header header_of_message(const PacketPart& message) {
    (void)message.first(NS_HFIXEDSZ);
    return {message.number16(0), message.number16(2), message.number16(4),
            message.number16(6), message.number16(8), message.number16(10)};
}

std::string counted(unsigned count, const char* what) {
    return " [" + std::to_string(count) + what + "]";
}

void answer_text(std::string& text, const Header& header, Reader& reader) {
    const auto flag = [&](unsigned bit, const char* set, const char* unset) {
        return (header.flags & bit) != 0 ? set : unset;
    };
    text += results[header.flags & 0x0FU];
    text += flag(0x0400, "*", "");
    text += flag(0x0080, "", "-");
    text += flag(0x0200, "|", "");
    text += flag(0x0020, "$", "");
    if (header.questions != 1) text += counted(header.questions, "q");
    for (unsigned i = 0; i < header.questions; ++i)
        reader.skip_question();
    text += " " + std::to_string(header.answers) + "/" + std::to_string(header.authority) + "/" +
            std::to_string(header.additional);
    for (unsigned i = 0; i < header.answers && i < most_names; ++i) {
        if (i > 0) text += ',';
        reader.record(text);
    }
    if (header.answers > most_names) text += ",...";
}

void query_text(std::string& text, const Header& header, Reader& reader) {
    if ((header.flags & 0x0100U) != 0) text += '+';
    if ((header.flags & 0x0010U) != 0) text += '%';
    constexpr unsigned odd_flags = 0x06CF;
    if ((header.flags & odd_flags) != 0) {
        std::array<char, 16> shown{};
        (void)std::snprintf(shown.data(), shown.size(), " [b2&3=0x%x]", header.flags);
        text += shown.data();
    }
    if (header.answers != 0) text += counted(header.answers, "a");
    if (header.questions != 1) text += counted(header.questions, "q");
    if (header.authority != 0) text += counted(header.authority, "n");
    if (header.additional != 0) text += counted(header.additional, "au");
    for (unsigned i = 0; i < header.questions && i < most_names; ++i)
        reader.question(text);
    if (header.questions > most_names) text += " ...";
}

}  // namespace

void dns_text(PacketText& text, const PacketPart& message, bool multicast) {
    text.protocol = "DNS";
    read_layer(text, "domain", [&] {
        const auto header = header_of_message(message);
        text.info += std::to_string(header.id) + operations[header.flags >> 11U & 0x0FU];
        Reader reader(message, multicast);
        if ((header.flags & 0x8000U) != 0) {
            answer_text(text.info, header, reader);
        } else {
            query_text(text.info, header, reader);
        }
        text.info += " (" + std::to_string(message.length()) + ")";
    });
}

}  // namespace netlab::operations
