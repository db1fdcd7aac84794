#pragma once

#include "common/api/why.hpp"
#include "daemon/kernel/nft_commands.hpp"
#include "daemon/operations/beside_process.hpp"

#include <optional>
#include <vector>

/// What `run` has libnftables do in a BesideProcess: orders in numbers, so that nothing that a container
/// wrote ever becomes part of a command.
namespace netlab::operations {

struct NetfilterOrder {
    enum class Kind : std::uint32_t {
        list,   ///< the rules of a namespace as text
        trace,  ///< have a flow traced there, as long as the process lives
    };
    Kind kind = Kind::list;
    std::uint32_t number = 0;   ///< of the namespace, among those that were opened
    std::uint32_t process = 0;  ///< of the table's name
    api::WhyProtocol protocol = api::WhyProtocol::icmp;
    bool v4 = true;
    std::uint16_t own = 0;
};

/// libnftables in some namespaces, in the order in which they were added.
class NetfilterSide {
  public:
    /// For `prepare`, in the namespace, with CAP_NET_ADMIN.
    void add() { commands_.push_back(kernel::NftCommands::open()); }
    /// The process that takes the orders; this is of no use after it. errc as BesideProcess::start().
    [[nodiscard]] Result<BesideProcess> start(Namespaces& namespaces);

  private:
    std::vector<Result<kernel::NftCommands>> commands_;
};

/// What the process answered: the text, or its error. errc::operation_failed.
[[nodiscard]] Result<std::string> order(BesideProcess& process, const NetfilterOrder& order, Output& output);

}  // namespace netlab::operations
