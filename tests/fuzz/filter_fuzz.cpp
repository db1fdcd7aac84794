#include "daemon/operations/filter_words.hpp"
#include "tests/fuzz/check.hpp"

#include <string>

/// The filter of a capture, as a client writes it: word by word, before libpcap sees it.

using namespace netlab;
using namespace netlab::fuzz;
using namespace netlab::operations;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string filter(as_text({data, size}));
    const std::vector<api::NamedAddress> names{{*IpAddress::parse("172.18.0.2"), "co1"},
                                               {*IpAddress::parse("fd00::2"), "co1"},
                                               {*IpAddress::parse("172.18.0.3"), "two words"}};
    (void)possible_services(filter);
    const auto words = read_filter(filter, names, [](const std::string& service) {
        return service == "http" ? std::optional<std::uint16_t>(80) : std::nullopt;
    });
    if (!words) {
        // The filter, and a caret under a place in it.
        for (const auto& line : words.error().details)
            check(line.size() <= 4 * filter.size() + 1);
        return 0;
    }
    check(words->written == filter);
    std::size_t last = 0;
    for (const auto& word : words->words) {
        check(word.begin >= last && word.begin < filter.size() && !word.text.empty());
        last = word.begin;
    }
    // libpcap takes a text that ends at its zero.
    check(words->text().find('\0') == std::string::npos);
    return 0;
}
