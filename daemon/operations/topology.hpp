#pragma once

#include "daemon/kernel/address.hpp"
#include "daemon/kernel/link_details.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

/// What hangs together: the interfaces of all known namespaces by the Ethernet segment that they are on.
namespace netlab::operations {

/// One interface: its namespace's place in the request, and its index there.
struct Port {
    std::size_t place = 0;
    std::uint32_t index = 0;
    friend auto operator<=>(const Port&, const Port&) = default;
};

/// What of an interface decides, besides its flags, whether a frame passes it.
struct FrameRules {
    std::optional<kernel::BridgePortDetails> port;  ///< of a bridge's port
    bool filters_vlans = false;                     ///< of a bridge
    std::string mode;                               ///< as LinkDetails::mode
    std::string isolation;                          ///< as LinkDetails::isolation
};

/// What was read of one namespace.
struct NamespaceFacts {
    std::string target;
    std::vector<kernel::Link> links;  ///< empty where it could not be read
    std::vector<kernel::Address> addresses;
    std::map<std::int32_t, std::size_t> numbered;  ///< places by the numbers that this namespace has for them
    std::map<std::uint32_t, FrameRules> rules{};   ///< by the interface's index; those that have any

    [[nodiscard]] bool has_address(const IpAddress& address) const;
    /// That interface has it.
    [[nodiscard]] bool has_address(std::uint32_t index, const IpAddress& address) const;
    /// That interface has an address whose subnet it is in.
    [[nodiscard]] bool has_subnet(std::uint32_t index, const IpAddress& address) const;
};

/// Pure: joins what was read. A segment is what frames cross without being routed: the two ends of a veth, a
/// bridge or bond and its ports, a macvlan or ipvlan and its parent.
class Topology {
  public:
    explicit Topology(std::vector<NamespaceFacts> facts);

    [[nodiscard]] const NamespaceFacts& operator[](std::size_t place) const { return facts_.at(place); }
    [[nodiscard]] std::size_t size() const { return facts_.size(); }
    [[nodiscard]] const kernel::Link* link(Port port) const;  ///< nullptr: there is none
    [[nodiscard]] std::string name(Port port) const;          ///< "" for none
    /// A veth's other end; nullopt where it is in no namespace that was read.
    [[nodiscard]] std::optional<Port> peer(Port port) const;
    /// The bridge (or bond) whose port it is.
    [[nodiscard]] std::optional<Port> master(Port port) const;
    /// Of a macvlan or ipvlan, what it sends through; nullopt where that is in no namespace that was read.
    [[nodiscard]] std::optional<Port> parent(Port port) const;
    /// The ports of a bridge or bond; the macvlans and ipvlans of a parent.
    [[nodiscard]] std::vector<Port> ports(Port bridge) const;
    [[nodiscard]] std::vector<Port> children(Port parent) const;
    [[nodiscard]] const FrameRules& rules(Port port) const;
    /// "eth0 of co1".
    [[nodiscard]] std::string full_name(Port port) const;
    [[nodiscard]] bool on_one_segment(Port a, Port b) const;
    /// Something else that was read is on its segment.
    [[nodiscard]] bool has_company(Port port) const;
    /// The interfaces that have an address, in no particular order.
    [[nodiscard]] std::vector<Port> owners(const IpAddress& address) const;
    /// The interfaces of that namespace on the port's segment.
    [[nodiscard]] std::vector<Port> on_segment(std::size_t place, Port port) const;
    /// An interface of that namespace, on the port's segment, with that MAC address: a namespace answers for
    /// all of its addresses on each of its interfaces.
    [[nodiscard]] bool has_mac_on_segment(std::size_t place, Port port, const MacAddress& mac) const;

  private:
    [[nodiscard]] std::optional<std::size_t> number_of(Port port) const;
    [[nodiscard]] std::optional<Port> find(std::size_t from, std::optional<std::int32_t> nsid,
                                           std::uint32_t index) const;
    void join(Port a, Port b);
    [[nodiscard]] std::size_t segment(std::size_t number) const;

    std::vector<NamespaceFacts> facts_;
    std::map<Port, std::size_t> numbers_;
    std::vector<std::size_t> parents_;  ///< union-find over numbers_
    std::vector<std::size_t> sizes_;    ///< of the segment, at its root
    std::multimap<IpAddress, Port> owners_;
    std::multimap<Port, Port> ports_;     ///< by their bridge or bond
    std::multimap<Port, Port> children_;  ///< by their parent
};

}  // namespace netlab::operations
