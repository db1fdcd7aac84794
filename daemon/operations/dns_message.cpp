#include "daemon/operations/dns_message.hpp"

#include "daemon/operations/dns_rdata.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <arpa/nameser.h>

namespace netlab::operations {

namespace {

struct Named {
    unsigned number;
    std::string_view name;
};

// IANA, "Domain Name System (DNS) Parameters": what is met in the wild.
constexpr std::array type_names{
    Named{1, "A"},      Named{2, "NS"},     Named{5, "CNAME"},  Named{6, "SOA"},         Named{12, "PTR"},
    Named{13, "HINFO"}, Named{15, "MX"},    Named{16, "TXT"},   Named{17, "RP"},         Named{28, "AAAA"},
    Named{29, "LOC"},   Named{33, "SRV"},   Named{35, "NAPTR"}, Named{39, "DNAME"},      Named{41, "OPT"},
    Named{43, "DS"},    Named{44, "SSHFP"}, Named{46, "RRSIG"}, Named{47, "NSEC"},       Named{48, "DNSKEY"},
    Named{50, "NSEC3"}, Named{52, "TLSA"},  Named{59, "CDS"},   Named{51, "NSEC3PARAM"}, Named{60, "CDNSKEY"},
    Named{64, "SVCB"},  Named{65, "HTTPS"}, Named{99, "SPF"},   Named{255, "ANY"},       Named{256, "URI"},
    Named{257, "CAA"}};

constexpr std::array<std::string_view, 11> rcode_names{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                                       "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
                                                       "NXRRSET", "NOTAUTH", "NOTZONE"};

Error malformed(std::string what) {
    return {errc::protocol_error, std::move(what), {}, {}};
}

constexpr std::uint16_t opt = 41;
constexpr std::uint16_t unknown_type = 0;

/// Where the message ends that its header counts; nothing where it is longer than what is there.
std::optional<std::size_t> message_end(std::span<const std::uint8_t> bytes) {
    std::size_t at = NS_HFIXEDSZ;
    for (const auto section : {ns_s_qd, ns_s_an, ns_s_ns, ns_s_ar}) {
        const auto place = 4 + 2 * static_cast<std::size_t>(section);
        const int count = bytes[place] << 8 | bytes[place + 1];
        const int size = ::ns_skiprr(bytes.data() + at, bytes.data() + bytes.size(), section, count);
        if (size < 0) return std::nullopt;
        at += static_cast<std::size_t>(size);
    }
    return at;
}

class Parser {
  public:
    explicit Parser(ns_msg& handle) : handle_(handle) {}

    Result<void> question(DnsMessage& message) {
        if (ns_msg_count(handle_, ns_s_qd) == 0) return {};
        ns_rr record;
        if (::ns_parserr(&handle_, ns_s_qd, 0, &record) != 0)
            return malformed("its question cannot be taken apart");
        message.question = dotted(ns_rr_name(record));
        message.question_type = record.type;
        return {};
    }

    Result<std::vector<DnsResource>> section(ns_sect section, const char* name) {
        std::vector<DnsResource> records;
        const int count = ns_msg_count(handle_, section);
        for (int i = 0; i < count; ++i) {
            if (kept_ == DnsMessage::most_records) {
                left_ += static_cast<std::uint32_t>(count - i);
                break;
            }
            ns_rr record;
            if (::ns_parserr(&handle_, section, i, &record) != 0)
                return malformed(std::string("a record of its ") + name + " section cannot be taken apart");
            if (ns_rr_type(record) == opt) continue;
            ++kept_;
            auto resource = resource_of(record);
            if (!resource) {
                return malformed("the data of a record " + dns_type_name(record.type) + " in its " + name +
                                 " section cannot be taken apart");
            }
            records.push_back(std::move(*resource));
        }
        return records;
    }

    [[nodiscard]] std::uint32_t left() const { return left_; }

  private:
    std::optional<DnsResource> resource_of(const ns_rr& record) const {
        DnsResource resource;
        resource.name = dotted(ns_rr_name(record));
        resource.type = record.type;
        resource.ttl = ns_rr_ttl(record);
        const std::span<const std::uint8_t> message(ns_msg_base(handle_), ns_msg_end(handle_));
        const auto start = static_cast<std::size_t>(ns_rr_rdata(record) - message.data());
        resource.record_class = record.rr_class;
        const bool address = resource.type == dns_type::a || resource.type == dns_type::aaaa;
        // What an address is depends on the class.
        const bool in = record.rr_class == dns_class::in;
        auto data = rdata_text(message, {start, std::size_t{record.rdlength}},
                               address && !in ? unknown_type : resource.type);
        if (!data) return std::nullopt;
        resource.data = std::move(*data);
        if (address && in)
            resource.address = IpAddress::from_bytes({ns_rr_rdata(record), std::size_t{record.rdlength}});
        return resource;
    }

    ns_msg& handle_;
    std::size_t kept_ = 0;
    std::uint32_t left_ = 0;
};

}  // namespace

std::string dns_type_name(std::uint16_t type) {
    const auto* at = std::ranges::find(type_names, type, &Named::number);
    return at == type_names.end() ? "TYPE" + std::to_string(type) : std::string(at->name);
}

std::string dns_rcode_name(unsigned rcode) {
    return rcode < rcode_names.size() ? std::string(rcode_names[rcode]) : "RCODE" + std::to_string(rcode);
}

std::string dns_class_name(std::uint16_t record_class) {
    switch (record_class) {
        case dns_class::in:
            return "IN";
        case ns_c_chaos:
            return "CH";
        case ns_c_hs:
            return "HS";
        default:
            return "CLASS" + std::to_string(record_class);
    }
}

std::vector<std::uint8_t> dns_query(std::uint16_t id, std::string_view name, std::uint16_t type,
                                    bool recursion) {
    const auto high = [](std::uint16_t value) { return static_cast<std::uint8_t>(value >> 8U); };
    const auto low = [](std::uint16_t value) { return static_cast<std::uint8_t>(value); };
    const std::uint8_t flags = recursion ? 1 : 0;
    std::vector<std::uint8_t> bytes{high(id), low(id), flags, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    bytes.insert(bytes.end(), name.begin(), name.end());
    bytes.insert(bytes.end(), {high(type), low(type), 0, dns_class::in});
    return bytes;
}

Result<DnsMessage> parse_dns_message(std::span<const std::uint8_t> bytes) {
    constexpr std::size_t largest = 65'535;
    if (bytes.empty()) return malformed("it is empty");
    if (bytes.size() < NS_HFIXEDSZ || bytes.size() > largest)
        return malformed(std::to_string(bytes.size()) + " bytes are no DNS message");
    const auto whole = bytes.size();
    if (const auto end = message_end(bytes)) bytes = bytes.first(std::min(*end, bytes.size()));
    ns_msg handle;
    if (::ns_initparse(bytes.data(), static_cast<int>(bytes.size()), &handle) != 0)
        return malformed("its counts do not fit its length");
    DnsMessage message;
    message.size = whole;
    message.extra_bytes = whole - bytes.size();
    message.id = static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
    message.response = (bytes[2] & 0x80) != 0;
    message.flags.aa = (bytes[2] & 0x04) != 0;
    message.flags.tc = (bytes[2] & 0x02) != 0;
    message.flags.rd = (bytes[2] & 0x01) != 0;
    message.flags.ra = (bytes[3] & 0x80) != 0;
    message.flags.ad = (bytes[3] & 0x20) != 0;
    message.rcode = bytes[3] & 0x0FU;
    Parser parser(handle);
    if (auto read = parser.question(message); !read) return read.error();
    for (const auto& [section, name, records] : {std::tuple(ns_s_an, "answer", &message.answers),
                                                 std::tuple(ns_s_ns, "authority", &message.authority),
                                                 std::tuple(ns_s_ar, "additional", &message.additional)}) {
        auto read = parser.section(section, name);
        if (!read) return read.error();
        *records = std::move(*read);
    }
    message.more_records = parser.left();
    return message;
}

std::vector<DnsResource> records_of(const DnsMessage& message, std::string_view name, std::uint16_t type) {
    std::vector<DnsResource> found;
    std::vector<std::string> names{dns_name_key(name)};
    const auto is_asked = [&](const DnsResource& record) {
        return std::ranges::find(names, dns_name_key(record.name)) != names.end();
    };
    for (const auto& record : message.answers) {
        const bool alias = record.type == dns_type::cname && type != dns_type::cname;
        if (record.record_class != dns_class::in) continue;
        if (type != dns_type::any && record.type != type && !alias) continue;
        if (!is_asked(record)) continue;
        if (alias && type != dns_type::any) names.push_back(dns_name_key(record.data));
        found.push_back(record);
    }
    return found;
}

api::DnsRecord shown_record(const DnsResource& record) {
    api::DnsRecord shown{record.name, dns_type_name(record.type), record.ttl, record.data};
    if (record.record_class != dns_class::in) shown.dns_class = dns_class_name(record.record_class);
    return shown;
}

std::vector<api::DnsRecord> shown_records(std::span<const DnsResource> records) {
    std::vector<api::DnsRecord> shown;
    std::ranges::transform(records, std::back_inserter(shown), shown_record);
    return shown;
}

std::string reverse_dns_name(const IpAddress& address) {
    std::string name;
    const auto bytes = address.bytes();
    if (address.is_v4()) {
        for (std::size_t i = bytes.size(); i-- > 0;)
            name += std::to_string(bytes[i]) + ".";
        return name + "in-addr.arpa";
    }
    constexpr std::string_view digits = "0123456789abcdef";
    for (std::size_t i = bytes.size(); i-- > 0;)
        name.append({digits[bytes[i] & 0x0FU], '.', digits[bytes[i] >> 4U], '.'});
    return name + "ip6.arpa";
}

}  // namespace netlab::operations
