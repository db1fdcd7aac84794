#pragma once

#include "common/api/capture.hpp"
#include "common/pcapng.hpp"
#include "daemon/operations/filter_words.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <linux/filter.h>
#include <pcap/pcap.h>

/// From a filter as the user writes it to what the kernel runs: pcap_compile(3), and what libpcap would do to
/// its output before it gives it to the kernel.
namespace netlab::operations {

struct PcapDeleter {
    void operator()(pcap_t* handle) const { ::pcap_close(handle); }
};
using Pcap = std::unique_ptr<pcap_t, PcapDeleter>;

/// For `prepare`, in any namespace, with CAP_NET_RAW: handles whose only use is that filters are compiled for
/// them. They must be real ones, for only then does `vlan` compile to what the kernel knows of a tag; they
/// receive nothing.
class FilterCompilers {
  public:
    FilterCompilers() = default;

    /// Once for each link type. errc::operation_failed.
    [[nodiscard]] Result<void> open(pcapng::LinkType link_type);

    /// For `run`. errc::bad_request with libpcap's words, and in `details` the filter and a caret under the
    /// place.
    [[nodiscard]] Result<std::vector<sock_filter>> compile(const FilterWords& words,
                                                           pcapng::LinkType link_type,
                                                           std::uint32_t snap_length);

  private:
    struct Compiler {
        pcapng::LinkType link_type;
        Pcap handle;
    };
    [[nodiscard]] pcap_t* handle_of(pcapng::LinkType link_type);

    std::vector<Compiler> compilers_;
};

/// What else decides whether a source keeps a packet.
struct SourceRules {
    api::CaptureDirection direction = api::CaptureDirection::inout;
    std::optional<std::uint32_t> loopback;  ///< index of the loopback interface, where the source has it:
                                            ///< each packet goes out and comes in there, and is kept once
};

/// `program` behind the tests of these rules. nullopt where that is longer than the kernel takes.
[[nodiscard]] std::optional<std::vector<sock_filter>> with_rules(const SourceRules& rules,
                                                                 std::span<const sock_filter> program);

/// A program for packets with an SLL2 header, as one for the packets that the kernel has, which have none:
/// what the header would have, the kernel has beside the packet. nullopt where it asks for what the kernel
/// has not.
[[nodiscard]] std::optional<std::vector<sock_filter>> without_sll2(std::vector<sock_filter> program);

}  // namespace netlab::operations
