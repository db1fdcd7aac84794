#include "daemon/operations/dns_datagram.hpp"
#include "daemon/operations/dns_message.hpp"
#include "tests/fuzz/check.hpp"

/// What a DNS server, or who speaks in its name, can make netlab read.

using namespace netlab;
using namespace netlab::fuzz;
using namespace netlab::operations;

namespace {

void check_record(const DnsResource& record) {
    // What a zone file has.
    check(record.name.ends_with('.') && is_printable(record.name) && is_printable(record.data));
    const bool address = record.type == dns_type::a || record.type == dns_type::aaaa;
    check(record.address.has_value() == (address && record.record_class == dns_class::in));
    const auto shown = shown_record(record);
    check(shown.dns_class.has_value() == (record.record_class != dns_class::in));
    if (record.address) check(is_dns_name(reverse_dns_name(*record.address)));
    check(is_absolute_dns_name(record.name) && shown_dns_name(record.name) == record.name);
}

/// What was asked can be asked again, and is then the same.
void ask_again(const DnsMessage& message) {
    const auto name = dns_wire_name(message.question);
    if (!name || message.question.empty()) return;
    const auto query = dns_query(message.id, *name, message.question_type, message.flags.rd);
    const auto again = parse_dns_message(query);
    check(again && again->id == message.id && again->question == message.question &&
          again->question_type == message.question_type && again->flags.rd == message.flags.rd);
}

/// A name as a client writes it.
void fuzz_name(std::string_view text) {
    const auto shown = shown_dns_name(text);
    const auto wire = dns_wire_name(text);
    check(is_dns_name(text) == (wire && wire->size() > 1));
    check(wire ? same_dns_name(text, shown) && is_absolute_dns_name(shown) && is_printable(shown)
               : shown.starts_with(text));
}

void fuzz_message(std::span<const std::uint8_t> bytes) {
    const auto message = parse_dns_message(bytes);
    if (!message) return;
    check(message->size == bytes.size());
    const auto kept = message->answers.size() + message->authority.size() + message->additional.size();
    check(kept <= DnsMessage::most_records);
    check(!dns_rcode_name(message->rcode).empty());
    check(shown_records(message->answers).size() == message->answers.size());
    for (const auto* section : {&message->answers, &message->authority, &message->additional}) {
        for (const auto& record : *section)
            check_record(record);
    }
    check(records_of(*message, message->question, message->question_type).size() <= message->answers.size());
    ask_again(*message);
}

void fuzz_datagram(std::span<const std::uint8_t> bytes) {
    // The query of a real question: "www.example.com A".
    constexpr std::uint8_t query[] = {0x12, 0x34, 1,   0,   0,   1,   0,   0,   0,   0,   0,
                                      0,    3,    'w', 'w', 'w', 7,   'e', 'x', 'a', 'm', 'p',
                                      'l',  'e',  3,   'c', 'o', 'm', 0,   0,   1,   0,   1};
    const auto why = why_no_answer(query, bytes);
    if (!why) check(bytes.size() >= sizeof query && bytes[0] == 0x12 && bytes[1] == 0x34);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span bytes(data, size);
    fuzz_message(bytes);
    fuzz_datagram(bytes);
    fuzz_name(as_text(bytes));
    return 0;
}
