#include "daemon/kernel/sock_diag.hpp"

#include <charconv>

#include <sys/socket.h>

namespace netlab::kernel {

namespace {

/// Words of a line, one after another.
class Fields {
  public:
    explicit Fields(std::string_view line) : rest_(line) {}

    std::string_view next() {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
        const auto word = rest_.substr(0, rest_.find(' '));
        rest_.remove_prefix(word.size());
        return word;
    }
    void skip(int count) {
        for (int i = 0; i < count; ++i)
            (void)next();
    }

  private:
    std::string_view rest_;
};

template <class T>
bool number(std::string_view text, int base, T& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
    return error == std::errc{} && end == text.data() + text.size();
}

/// "0100007F:0001": each 32 bits of the address as the machine's number, then the protocol.
bool take_end(std::string_view text, std::uint8_t family, std::array<std::uint8_t, 16>& address,
              std::uint16_t& port) {
    const std::size_t words = family == AF_INET ? 1 : 4;
    constexpr std::size_t digits = 8;
    if (text.size() <= words * digits || text[words * digits] != ':') return false;
    address = {};
    for (std::size_t i = 0; i < words; ++i) {
        std::uint32_t word = 0;
        if (!number(text.substr(i * digits, digits), 16, word)) return false;
        std::memcpy(address.data() + i * sizeof word, &word, sizeof word);
    }
    return number(text.substr(words * digits + 1), 16, port);
}

bool take_pair(std::string_view text, std::uint32_t& first, std::uint32_t& second) {
    const auto colon = text.find(':');
    return colon != text.npos && number(text.substr(0, colon), 16, first) &&
           number(text.substr(colon + 1), 16, second);
}

}  // namespace

bool parse_proc_raw(std::string_view line, std::uint8_t family, InetSocket& out) {
    // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
    Fields fields(line);
    fields.skip(1);
    out = {};
    out.family = family;
    if (!take_end(fields.next(), family, out.local, out.local_port)) return false;
    if (!take_end(fields.next(), family, out.remote, out.remote_port)) return false;
    if (!number(fields.next(), 16, out.state)) return false;
    if (!take_pair(fields.next(), out.send_queue, out.recv_queue)) return false;
    fields.skip(2);
    if (!number(fields.next(), 10, out.uid)) return false;
    fields.skip(1);
    return number(fields.next(), 10, out.inode);
}

}  // namespace netlab::kernel
