#pragma once

#include "common/api/links.hpp"
#include "daemon/kernel/link.hpp"
#include "daemon/operations/inspection.hpp"

#include <map>
#include <optional>
#include <unordered_map>

namespace netlab::operations {

/// The namespaces of a request with `with_others`, each by its place in the order of Namespaces. Finds the
/// other end of a veth among them. Everything is asked for when it is wanted and once.
class KnownNamespaces {
  public:
    /// For `prepare`: opens a route socket in each and keeps the namespace's descriptor.
    KnownNamespaces(Namespaces& namespaces, const api::Context& context);

    [[nodiscard]] std::size_t size() const { return places_.size(); }
    /// errc as open_in_each().
    [[nodiscard]] const Result<UniqueFd>& socket(std::size_t place) const { return places_[place].socket; }
    /// Where two targets live in one namespace, the first of its places: find() knows it by that one only.
    [[nodiscard]] std::size_t home(std::size_t place) const { return places_[place].home; }

    /// Where the namespace is that `from` knows as `nsid`; absent: the same one. nullopt: none of these.
    [[nodiscard]] std::optional<std::size_t> find(std::size_t from, std::optional<std::int32_t> nsid);

    /// nullopt where it is not there or cannot be asked for.
    [[nodiscard]] std::optional<kernel::Link> link(std::size_t place, std::uint32_t index);
    /// Spares link() the asking.
    void remember(std::size_t place, const kernel::Link& link);

    /// To ask anew what is wanted again.
    void forget_links();

    /// An interface that was referred to, and where.
    struct Found {
        std::optional<std::size_t> place;
        std::optional<kernel::Link> link;
    };
    /// The other end of a veth that is in `from`: only what names that one as its own other end is it.
    [[nodiscard]] Found peer(std::size_t from, const kernel::Link& link);
    /// The interface `index` of the namespace that `from` knows as `nsid`.
    [[nodiscard]] Found parent(std::size_t from, std::optional<std::int32_t> nsid, std::uint32_t index);

    /// As rows say it; `context` is that of the constructor.
    [[nodiscard]] api::OtherEnd describe(const Found& found, std::optional<std::int32_t> nsid,
                                         std::uint32_t index, const api::Context& context) const;

  private:
    struct Place {
        Result<UniqueFd> socket{UniqueFd()};
        UniqueFd net;
        std::size_t home = 0;
        std::unordered_map<std::int32_t, std::size_t> numbered;  ///< by its numbers for the others
        std::vector<bool> asked;             ///< its number for each of the others has been asked for
        std::size_t next = 0;                ///< in `order_`
        std::vector<std::size_t> seen_from;  ///< what leads from there to here mostly leads back
        std::unordered_map<std::uint32_t, std::optional<kernel::Link>> links;
    };

    /// Whose number to ask for next; nullopt: all have been asked for.
    [[nodiscard]] std::optional<std::size_t> next_candidate(Place& place);

    std::vector<Place> places_;
    std::vector<std::size_t> order_;  ///< of asking: the host is what most veths lead to
};

/// Whose namespace is in that place.
[[nodiscard]] const api::Target& target_at(const api::Context& context, std::size_t place);

/// A veth's other end (nullopt of another kind, and where it has none).
[[nodiscard]] std::optional<api::OtherEnd> peer_of(KnownNamespaces& known, const api::Context& context,
                                                   std::size_t place, const kernel::Link& link);

}  // namespace netlab::operations
