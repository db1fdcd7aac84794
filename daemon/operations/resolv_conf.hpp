#pragma once

#include "common/address.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace netlab::operations {

/// One `nameserver` line.
struct NameServer {
    IpAddress address;
    std::string zone;  ///< after '%', an interface's name or index; empty where there is none
    std::uint16_t port = 53;

    /// "127.0.0.11", "fe80::1%eth0"; with another port than 53 "192.0.2.1:5353", "[2001:db8::1]:5353"
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const NameServer&, const NameServer&) = default;
};

/// What resolv.conf(5) says, as glibc 2.36 reads it. `options` that do not change which name is asked of whom
/// and for how long (edns0, rotate, trust-ad, single-request, …) are ignored.
struct ResolvConf {
    static constexpr std::size_t most_servers = 3;

    std::vector<NameServer> servers;  ///< 1 to 3; 127.0.0.1 where the file names none
    std::vector<std::string> search;  ///< of the last `search` or `domain`; unlimited since glibc 2.26
    unsigned ndots = 1;               ///< 15 at most
    std::chrono::seconds timeout{5};  ///< 1 to 30
    unsigned attempts = 2;            ///< 1 to 5
    bool no_aaaa = false;
    bool use_vc = false;  ///< over TCP from the start

    friend bool operator==(const ResolvConf&, const ResolvConf&) = default;
};

/// Any bytes will do: what glibc would not understand is skipped.
[[nodiscard]] ResolvConf parse_resolv_conf(std::string_view text);

/// A line, or a word of one, that is passed over.
struct SkippedLine {
    enum class Kind : std::uint8_t { other, nameserver };
    static constexpr std::size_t longest_text = 80;
    std::size_t number = 0;  ///< counts from 1
    std::string text;        ///< the beginning of the line, any bytes
    std::string reason;
    Kind kind = Kind::other;
    friend bool operator==(const SkippedLine&, const SkippedLine&) = default;
};

/// A server that Docker's embedded resolver passes questions on to.
struct ExternalServer {
    std::string address;
    bool from_host = false;  ///< it is asked from the host's namespace
    friend bool operator==(const ExternalServer&, const ExternalServer&) = default;
};

/// The same, with what a person may want to know of it.
struct ResolvConfReading {
    /// One line of 64 KiB can have 32,000 words that are passed over.
    static constexpr std::size_t most_skipped = 256;
    ResolvConf conf;
    bool default_server = false;           ///< the file names none
    std::vector<std::string> options;      ///< the words of all option lines that are known
    std::vector<SkippedLine> skipped;      ///< in the file's order, `most_skipped` at most
    std::size_t more_skipped = 0;          ///< beyond those
    std::vector<ExternalServer> external;  ///< of the comment "# ExtServers: [192.0.2.1 host(127.0.0.53)]"
                                           ///< that Docker 25 and later write (libnetwork, resolvconf.go)
};
[[nodiscard]] ResolvConfReading read_resolv_conf(std::string_view text);

/// How long glibc waits for the server of that index in each attempt (resolv/res_send.c, get_timeout).
[[nodiscard]] std::chrono::seconds server_timeout(const ResolvConf& conf, std::size_t server);

}  // namespace netlab::operations
