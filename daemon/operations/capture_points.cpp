#include "daemon/operations/capture_points.hpp"

#include "common/described.hpp"
#include "common/text.hpp"
#include "daemon/kernel/link_details.hpp"
#include "daemon/operations/interface_names.hpp"

#include <algorithm>
#include <set>

#include <net/if.h>
#include <net/if_arp.h>

namespace netlab::operations {

namespace {

using kernel::LinkDetails;

class PlaceFinder {
  public:
    PlaceFinder(KnownNamespaces& known, const api::Context& context)
        : known_(known), context_(context), links_(known.size()) {}

    Result<std::vector<CapturePlace>> find() {
        for (const auto& point : context_.points) {
            if (auto added = add(point); !added) return added.error();
        }
        if (places_.empty())
            return Error{
                errc::target_gone, "all targets have ended", "netlab ls shows what is there now", {}};
        if (places_.size() > api::CaptureLimits::sources) {
            return Error{errc::limit_exceeded,
                         std::to_string(places_.size()) + " interfaces are more than one capture can have",
                         std::to_string(api::CaptureLimits::sources) + " at most",
                         {}};
        }
        return std::move(places_);
    }

  private:
    const api::Target& target(std::size_t place) const { return context_.targets[place]; }

    Result<void> add(const api::CapturePoint& point) {
        const auto& socket = known_.socket(point.target);
        // Of a network's members any may have ended just now.
        if (!socket && !point.network.empty() && socket.error().code == errc::target_gone) return {};
        if (!socket)
            return Error{socket.error().code,
                         "'" + target(point.target).name + "' has ended",
                         "netlab ls shows what is there now",
                         {}};
        if (auto read = read_links(point.target); !read) return read;
        if (point.interface == "any") return add_any(point);
        if (point.interface.empty()) return add_all(point);
        const auto link = find_link(point);
        if (!link) return link.error();
        return add_one(point, **link);
    }

    Result<void> add_one(const api::CapturePoint& point, const LinkDetails& link) {
        if (point.other_end) return add_other_end(point, link);
        place_link(point.target, link, point.network);
        return point.bridge ? add_bridge(point, link) : Result<void>();
    }

    Result<void> add_any(const api::CapturePoint& point) {
        const auto& links = links_[point.target];
        if (std::ranges::any_of(links, [](const auto& link) { return link.link.name == "any"; })) {
            return Error{errc::bad_request,
                         target(point.target).name + " has an interface that is called 'any'",
                         target(point.target).name + " captures at it and at its others",
                         {}};
        }
        CapturePlace place;
        place.link_type = pcapng::LinkType::linux_sll2;
        place.interface = "any";
        place.description = description_of(point.target, {}, "all interfaces");
        for (const auto& link : links) {
            // Of the loopback each packet would be there twice.
            if ((link.link.flags & IFF_LOOPBACK) != 0) place.loopback = link.link.index;
        }
        keep(point.target, std::move(place));
        return {};
    }

    Result<void> add_all(const api::CapturePoint& point) {
        bool found = false;
        for (const auto& link : links_[point.target]) {
            const bool wanted =
                point.other_end ? link.link.kind == "veth" : (link.link.flags & IFF_LOOPBACK) == 0;
            if (!wanted) continue;
            found = true;
            if (auto added = add_one(point, link); !added) return added;
        }
        if (found) return {};
        const auto& name = target(point.target).name;
        if (point.other_end) return Error{errc::no_such_interface, name + " has no veth", {}, {}};
        return Error{errc::no_such_interface,
                     name + " has no interface but the loopback",
                     name + ":lo captures there",
                     {}};
    }

    Result<void> add_other_end(const api::CapturePoint& point, const LinkDetails& link) {
        const auto own_name = target(point.target).name + ":" + link.link.name;
        if (link.link.kind != "veth")
            return Error{errc::no_such_interface, own_name + " is no veth: it has no other end", {}, {}};
        const auto found = known_.peer(point.target, link.link);
        if (!found.place || !found.link) {
            return Error{errc::no_such_interface,
                         "the other end of " + own_name + " is in no namespace that netlab can look into",
                         "netlab links " + target(point.target).name + " shows what is known of it",
                         {}};
        }
        const auto* other = details_of(*found.place, found.link->index);
        if (other == nullptr)
            return Error{errc::no_such_interface, "the other end has just gone", "try again", {}};
        CapturePlace place = place_of(*other);
        place.point = own_name + "@veth";
        place.description =
            description_of(*found.place, {}, other->link.name + ", the other end of " + own_name);
        keep(*found.place, std::move(place));
        return {};
    }

    /// A member that is on no bridge, by macvlan or on the host, has none to show.
    Result<void> add_bridge(const api::CapturePoint& point, const LinkDetails& link) {
        const auto found = known_.peer(point.target, link.link);
        if (!found.place || !found.link || found.link->master == 0) return {};
        const auto* bridge = details_of(*found.place, found.link->master);
        if (bridge == nullptr) return {};
        CapturePlace place = place_of(*bridge);
        place.description = description_of(*found.place, point.network, "bridge");
        keep(*found.place, std::move(place));
        return {};
    }

    Result<const LinkDetails*> find_link(const api::CapturePoint& point) {
        std::vector<kernel::Link> plain;
        for (const auto& link : links_[point.target])
            plain.push_back(link.link);
        const auto index = InterfaceNames(plain).find(point.interface);
        if (!index) {
            auto error = index.error();
            error.message = target(point.target).name + ": " + error.message;
            return error;
        }
        return details_of(point.target, *index);
    }

    Result<void> read_links(std::size_t place) {
        if (!links_[place].empty() || !known_.socket(place)) return {};
        auto links = kernel::dump_link_details(known_.socket(place)->get(), false);
        if (!links) return links.error();
        for (const auto& link : links->rows)
            known_.remember(place, link.link);
        links_[place] = std::move(links->rows);
        return {};
    }

    const LinkDetails* details_of(std::size_t place, std::uint32_t index) {
        if (auto read = read_links(place); !read) return nullptr;
        const auto found = std::ranges::find_if(
            links_[place], [&](const LinkDetails& details) { return details.link.index == index; });
        return found == links_[place].end() ? nullptr : &*found;
    }

    static CapturePlace place_of(const LinkDetails& link) {
        CapturePlace place;
        place.index = link.link.index;
        place.link_type = link_type_of(link.type);
        if ((link.link.flags & IFF_LOOPBACK) != 0) place.loopback = link.link.index;
        place.interface = link.link.name;
        return place;
    }

    void place_link(std::size_t at, const LinkDetails& link, const std::string& network) {
        auto place = place_of(link);
        std::string what = link.link.kind;
        if (const auto found = known_.peer(at, link.link); found.place && found.link) {
            what = "veth to " + context_.targets[*found.place].name + ":" + found.link->name;
        }
        place.description =
            description_of(at, network.empty() ? network_of(at, link.link.name) : network, what);
        keep(at, std::move(place));
    }

    std::string network_of(std::size_t at, const std::string& interface) const {
        for (const auto& membership : target(at).networks) {
            if (membership.interface == interface) return membership.name;
        }
        return {};
    }

    /// "docker 0123456789ab, network net, veth to host:veth1234".
    std::string description_of(std::size_t at, const std::string& network, const std::string& what) const {
        const auto& whose = target(at);
        std::string out(described::enumerator_name(whose.runtime));
        constexpr std::size_t short_id = 12;
        if (whose.runtime != api::Runtime::host) {
            const bool engine =
                whose.runtime == api::Runtime::docker || whose.runtime == api::Runtime::podman;
            out += " " + (engine ? whose.id.substr(0, short_id) : whose.id);
        }
        if (!network.empty()) out += ", network " + network;
        if (!what.empty()) out += ", " + what;
        return valid_utf8(out);
    }

    void keep(std::size_t at, CapturePlace place) {
        place.place = known_.home(at);
        if (!seen_.insert({place.place, place.index}).second) return;
        place.target = target(at).name;
        if (place.point.empty()) place.point = place.target + ":" + place.interface;
        place.point = valid_utf8(place.point);
        places_.push_back(std::move(place));
    }

    KnownNamespaces& known_;
    const api::Context& context_;
    std::vector<std::vector<LinkDetails>> links_;
    std::set<std::pair<std::size_t, std::uint32_t>> seen_;
    std::vector<CapturePlace> places_;
};

}  // namespace

Result<std::vector<CapturePlace>> find_places(KnownNamespaces& known, const api::Context& context) {
    return PlaceFinder(known, context).find();
}

pcapng::LinkType link_type_of(std::uint16_t type) {
    switch (type) {
        case ARPHRD_ETHER:
        case ARPHRD_LOOPBACK:
            return pcapng::LinkType::ethernet;
        case ARPHRD_NONE:
        case ARPHRD_RAWIP:
        case ARPHRD_TUNNEL:
        case ARPHRD_TUNNEL6:
        case ARPHRD_SIT:
        case ARPHRD_IPGRE:
            return pcapng::LinkType::raw_ip;
        default:
            return pcapng::LinkType::linux_sll2;
    }
}

}  // namespace netlab::operations
