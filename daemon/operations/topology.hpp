#pragma once

#include "common/api/context.hpp"
#include "daemon/kernel/address.hpp"
#include "daemon/kernel/link.hpp"
#include "daemon/operations/operation.hpp"

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

/// What hangs together: the interfaces of all known namespaces by the Ethernet segment that they are on.
namespace netlab::operations {

/// One interface: its namespace's place in the request, and its index there.
struct Port {
    std::size_t place = 0;
    std::uint32_t index = 0;
    friend auto operator<=>(const Port&, const Port&) = default;
};

/// What was read of one namespace.
struct NamespaceFacts {
    std::string target;
    std::vector<kernel::Link> links;  ///< empty where it could not be read
    std::vector<kernel::Address> addresses;
    std::map<std::int32_t, std::size_t> numbered;  ///< places by the numbers that this namespace has for them
};

/// Pure: joins what was read. A segment is what frames cross without being routed: the two ends of a veth, a
/// bridge or bond and its ports, a macvlan or ipvlan and its parent.
class Topology {
  public:
    explicit Topology(std::vector<NamespaceFacts> facts);

    [[nodiscard]] const NamespaceFacts& operator[](std::size_t place) const { return facts_.at(place); }
    [[nodiscard]] const kernel::Link* link(Port port) const;  ///< nullptr: there is none
    [[nodiscard]] std::string name(Port port) const;          ///< "" for none
    /// A veth's other end; nullopt where it is in no namespace that was read.
    [[nodiscard]] std::optional<Port> peer(Port port) const;
    /// The bridge (or bond) whose port it is.
    [[nodiscard]] std::optional<Port> master(Port port) const;
    [[nodiscard]] bool on_one_segment(Port a, Port b) const;
    /// Something else that was read is on its segment.
    [[nodiscard]] bool has_company(Port port) const;
    /// The interfaces that have an address, in no particular order.
    [[nodiscard]] std::vector<Port> owners(const IpAddress& address) const;
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
};

/// The namespaces of a request with `with_others`: in `prepare` opened, in `run` read.
class KnownPlaces {
  public:
    KnownPlaces(Namespaces& namespaces, const api::Context& context);

    [[nodiscard]] std::size_t size() const { return places_.size(); }
    /// Of a target's namespace; the error says why there is none.
    [[nodiscard]] const Result<UniqueFd>& socket(std::size_t place) const { return places_[place].socket; }
    /// Where two targets live in one namespace, the first of its places: only that one is in the topology.
    [[nodiscard]] std::size_t home(std::size_t place) const { return places_[place].home; }

    struct Read {
        Topology topology;
        bool consistent = true;
    };
    /// What cannot be read (it may have ended) is without links; its neighbours' other ends are then unknown.
    [[nodiscard]] Read read() const;

  private:
    struct Place {
        std::string target;
        Result<UniqueFd> socket{UniqueFd()};
        UniqueFd net;
        std::size_t home = 0;
    };
    [[nodiscard]] std::map<std::int32_t, std::size_t> numbers(std::size_t place,
                                                              const std::vector<kernel::Link>& links) const;

    std::vector<Place> places_;
    std::vector<std::size_t> order_;  ///< of asking: the host is what most veths lead to
};

}  // namespace netlab::operations
