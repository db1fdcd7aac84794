#pragma once

#include "daemon/kernel/packet_rule.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

/// Whom rules and routes tell from other clients: what is said of "the outside" must hold for who is named
/// nowhere, and what is said of some must be said as such. Pure.
namespace netlab::operations {

/// Somebody outside who sends to the host.
struct Client {
    IpAddress address;                  ///< an example
    std::optional<IpPrefix> network{};  ///< that something names; absent: he is anybody
    std::string named_by{};             ///< the rule that does, in its place; "" where it is none
    friend bool operator==(const Client&, const Client&) = default;
};

struct Clients {
    Client anybody;
    std::vector<Client> named{};
    bool more = false;  ///< others are named, too, and left out
};

/// By a documentation address.
[[nodiscard]] Clients anybody_outside(Family family);

class ClientNetworks {
  public:
    /// Those that `base` has are in it, too; borrowed.
    explicit ClientNetworks(const ClientNetworks* base = nullptr) : base_(base) {}

    /// All that conditions and sets of the rules say of addresses. The chains are borrowed.
    void add(const std::vector<kernel::RuleChain>& chains);
    /// Something else treats it in a way of its own, a route or a policy rule; with `of_clients` what it says
    /// is of who is there, and not of the way to them.
    void add(const IpPrefix& network, bool of_clients = false);

    /// `outside` says whether an address is beyond the host's way out; no more than `most` are named.
    [[nodiscard]] Clients clients(Family family, const std::function<bool(const IpAddress&)>& outside,
                                  std::size_t most) const;
    /// An address that is named by nothing, or else by what covers the most.
    [[nodiscard]] IpAddress anybody(Family family) const;

  private:
    struct Named {
        IpPrefix network;
        const kernel::RuleChain* chain = nullptr;
        const kernel::PacketRule* rule = nullptr;
    };
    void name(const Named& named, bool of_clients);
    void add(const kernel::SetCondition& set, const Named& by);
    /// How long the longest prefix is that has it; 0: none has.
    [[nodiscard]] unsigned longest(const IpAddress& address) const;
    [[nodiscard]] std::optional<Client> member(const Named& named,
                                               const std::function<bool(const IpAddress&)>& outside) const;

    const ClientNetworks* base_;
    std::vector<Named> named_;                           ///< of clients, each network once
    std::map<unsigned, std::set<IpAddress>> by_length_;  ///< all: their first addresses
    std::set<std::pair<unsigned, IpAddress>> of_clients_;
};

}  // namespace netlab::operations
