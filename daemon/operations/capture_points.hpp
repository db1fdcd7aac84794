#pragma once

#include "common/api/capture.hpp"
#include "common/pcapng.hpp"
#include "daemon/operations/known_namespaces.hpp"

#include <optional>
#include <string>
#include <vector>

namespace netlab::operations {

/// An interface that is to be captured at.
struct CapturePlace {
    std::size_t place = 0;    ///< of its namespace
    std::uint32_t index = 0;  ///< 0: all of the namespace
    pcapng::LinkType link_type = pcapng::LinkType::ethernet;
    std::optional<std::uint32_t> loopback;  ///< index of the loopback interface, where it is among these
    std::string point;                      ///< what a reader of the capture knows it by: "co1:eth0"
    std::string target;                     ///< whose namespace it is
    std::string interface;                  ///< its name; "any"
    std::string description;
};

/// The interfaces that the context's points come to, each once. For `prepare`: it asks the kernels.
/// errc::no_such_interface with the nearest names, errc::target_gone, errc::limit_exceeded.
[[nodiscard]] Result<std::vector<CapturePlace>> find_places(KnownNamespaces& known,
                                                            const api::Context& context);

/// What packets of such an interface begin with; `type` is its ARPHRD_. SLL2 where it is neither Ethernet nor
/// carries IP alone: the kernel then takes off what there is.
[[nodiscard]] pcapng::LinkType link_type_of(std::uint16_t type);

}  // namespace netlab::operations
