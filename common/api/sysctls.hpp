#pragma once

#include "common/api/inspection.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/sysctls: the net.* settings of targets that matter when something does not work. A stream of
/// SysctlRow, then an InspectionReport.
struct SysctlsRequest {
    std::vector<std::string> targets;
    bool all = false;
    bool changed = false;  ///< those only that differ from their default
    friend bool operator==(const SysctlsRequest&, const SysctlsRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(SysctlsRequest, (), (targets, all, changed))

/// What a setting is held against.
enum class SysctlDefault : std::uint8_t {
    none,    ///< nothing: it is a counter
    kernel,  ///< the kernel's own
    host,    ///< the host's value: the kernel's depends on the memory, or it is the host's that is passed on
};
BOOST_DESCRIBE_ENUM(SysctlDefault, none, kernel, host)

struct SysctlRow {
    static constexpr std::string_view type = "sysctl";
    std::string target;
    std::string name;   ///< as sysctl(8) has it: "net.ipv4.conf.eth0.rp_filter"
    std::string value;  ///< several numbers with one blank between them
    std::optional<std::string> default_;
    SysctlDefault default_from = SysctlDefault::none;
    bool changed = false;
};
BOOST_DESCRIBE_STRUCT(SysctlRow, (), (target, name, value, default_, default_from, changed))

}  // namespace netlab::api
