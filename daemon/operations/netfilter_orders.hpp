#pragma once

#include "common/api/why.hpp"
#include "daemon/operations/beside_process.hpp"

#include <string>
#include <vector>

/// What `run` has libnftables do in one namespace, by a BesideProcess: orders in numbers, so that nothing
/// that a container wrote ever becomes part of a command.
namespace netlab::operations {

struct NetfilterOrder {
    enum class Kind : std::uint32_t {
        list,   ///< its rules as text, for parse_ruleset()
        trace,  ///< have a flow traced, as long as that process lives
    };
    Kind kind = Kind::list;
    std::uint32_t process = 0;  ///< of the table's name
    api::WhyProtocol protocol = api::WhyProtocol::icmp;
    bool v4 = true;
    std::uint16_t own = 0;  ///< Flow::own
};

struct NetfilterProcess {
    BesideProcess beside;
    std::vector<std::string> translated;  ///< RulesetReader::translated()
};

/// For `prepare`: the process, in the namespace of that place, which is entered. errc::operation_failed.
[[nodiscard]] Result<NetfilterProcess> start_netfilter(Namespaces& namespaces, std::size_t place);

/// For `run`: what it answers. errc::operation_failed.
[[nodiscard]] Result<std::string> order(BesideProcess& process, const NetfilterOrder& order, Output& output);

}  // namespace netlab::operations
