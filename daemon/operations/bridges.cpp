#include "common/api/bridges.hpp"

#include "daemon/kernel/address.hpp"
#include "daemon/kernel/fdb.hpp"
#include "daemon/operations/engine_networks.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/link_row.hpp"
#include "daemon/operations/mac_owners.hpp"

#include <algorithm>

/// `netlab bridges`: the bridges of each target with what is behind their ports, and their forwarding
/// databases.
namespace netlab::operations::bridges {

namespace {

struct Handles {
    KnownNamespaces known;
    Engines engines;
};

Result<Handles> prepare(Namespaces& namespaces, const api::BridgesRequest&, const api::Context& context) {
    Engines engines(namespaces, context);
    return Handles{KnownNamespaces(namespaces, context), std::move(engines)};
}

/// The engines' bridges are in the host's namespace, whatever name that goes by.
bool is_host(const api::Target& target) {
    if (target.runtime == api::Runtime::host) return true;
    return target.namespace_ && std::ranges::count(target.namespace_->shared_with, "host") > 0;
}

/// Which network a bridge is of. The engines are asked once, and only where there is a bridge.
class Networks {
  public:
    Networks(Engines& engines, Output& output) : engines_(engines), output_(output) {}

    std::optional<api::BridgeNetwork> find(const std::string& bridge) {
        if (!asked_) ask();
        for (const auto& network : networks_) {
            if (network.bridge == bridge)
                return api::BridgeNetwork{network.engine, network.name, network.id, true};
        }
        return by_name(bridge);
    }

    struct Failure {
        std::string engine;
        Error error;
    };
    [[nodiscard]] const std::vector<Failure>& failures() const { return failures_; }

  private:
    void ask() {
        asked_ = true;
        for (std::size_t i = 0; i < engines_.size(); ++i) {
            if (engines_.absent(i)) continue;
            auto said = engines_.networks(i, false, output_);
            if (said) {
                answered_.push_back(engines_.runtime(i));
                std::ranges::move(*said, std::back_inserter(networks_));
            } else {
                failures_.push_back({engines_.name(i), said.error()});
            }
        }
    }

    /// Where the engine could not be asked, as it names its bridges where nobody says otherwise.
    [[nodiscard]] std::optional<api::BridgeNetwork> by_name(const std::string& bridge) const {
        const auto unanswered = [&](api::Runtime runtime) {
            return std::ranges::count(answered_, runtime) == 0;
        };
        constexpr std::size_t short_id = 12;
        const auto id = bridge.starts_with("br-") ? bridge.substr(3) : std::string();
        const bool is_id = id.size() == short_id && id.find_first_not_of("0123456789abcdef") == id.npos;
        if (unanswered(api::Runtime::docker)) {
            if (is_id) return api::BridgeNetwork{api::Runtime::docker, std::nullopt, id, false};
            if (bridge == "docker0")
                return api::BridgeNetwork{api::Runtime::docker, "bridge", std::nullopt, false};
        }
        const bool podmans = bridge.starts_with("podman") || bridge.starts_with("cni-podman");
        if (podmans && unanswered(api::Runtime::podman))
            return api::BridgeNetwork{api::Runtime::podman, std::nullopt, std::nullopt, false};
        return std::nullopt;
    }

    Engines& engines_;
    Output& output_;
    bool asked_ = false;
    std::vector<api::NetworkRow> networks_;
    std::vector<api::Runtime> answered_;
    std::vector<Failure> failures_;
};

/// One target's bridges.
class Bridges {
  public:
    Bridges(KnownNamespaces& known, Networks& networks, const api::Context& context, std::size_t place,
            std::vector<kernel::LinkDetails> links, std::vector<kernel::Address> addresses)
        : known_(known),
          networks_(networks),
          context_(context),
          place_(place),
          target_(context.targets[place]),
          links_(std::move(links)),
          addresses_(std::move(addresses)),
          owners_(known, context, place, links_) {
        for (const auto& details : links_)
            known_.remember(place, details.link);
    }

    /// `fdb`: all entries of the namespace, or none.
    void tell(Rows& rows, const std::vector<kernel::FdbEntry>& fdb) {
        for (const auto& details : links_) {
            if (!details.bridge) continue;
            rows.add(bridge(details));
            for (const auto& entry : fdb) {
                if (const auto* port = port_of(entry.index, details.link))
                    rows.add(fdb_row(entry, details.link, *port));
            }
        }
    }

  private:
    api::BridgeRow bridge(const kernel::LinkDetails& details) {
        api::BridgeRow row;
        row.target = target_.name;
        row.index = details.link.index;
        row.name = details.link.name;
        row.state = kernel::operational_state_name(details.state);
        row.mtu = details.link.mtu;
        row.mac = details.hardware_address;
        if (is_host(target_)) row.network = networks_.find(row.name);
        for (const auto& address : addresses_) {
            if (address.index == row.index) row.addresses.push_back(address.prefix);
        }
        row.settings = bridge_settings(*details.bridge);
        for (const auto& port : links_) {
            if (port.link.master == row.index) row.ports.push_back(bridge_port(port));
        }
        return row;
    }

    api::BridgePort bridge_port(const kernel::LinkDetails& details) {
        api::BridgePort port;
        port.index = details.link.index;
        port.name = details.link.name;
        port.kind = details.link.kind;
        port.state = kernel::operational_state_name(details.state);
        if (details.bridge_port) port.settings = bridge_port_settings(*details.bridge_port);
        port.peer = peer_of(known_, context_, place_, details.link);
        return port;
    }

    /// The bridge itself or its port with that index.
    [[nodiscard]] const kernel::Link* port_of(std::uint32_t index, const kernel::Link& bridge) const {
        for (const auto& details : links_) {
            const auto& link = details.link;
            if (link.index == index)
                return index == bridge.index || link.master == bridge.index ? &link : nullptr;
        }
        return nullptr;
    }

    api::FdbRow fdb_row(const kernel::FdbEntry& entry, const kernel::Link& bridge, const kernel::Link& port) {
        api::FdbRow row;
        row.target = target_.name;
        row.bridge = bridge.name;
        row.port = port.name;
        row.port_index = port.index;
        row.mac = entry.mac.to_string();
        row.vlan = entry.vlan;
        row.flags = kernel::fdb_flag_names(entry);
        row.state = kernel::fdb_state_name(entry.state);
        row.remote = entry.remote;
        row.owner = owners_.find(entry.mac, entry.index);
        return row;
    }

    KnownNamespaces& known_;
    Networks& networks_;
    const api::Context& context_;
    std::size_t place_;
    const api::Target& target_;
    std::vector<kernel::LinkDetails> links_;
    std::vector<kernel::Address> addresses_;
    MacOwners owners_;
};

Result<void> run(Handles& handles, const api::BridgesRequest& request, const api::Context& context,
                 Output& output) {
    Networks networks(handles.engines, output);
    const auto inspect = [&](std::size_t i, Rows& rows) -> Result<void> {
        const auto& socket = handles.known.socket(i);
        if (!socket) return socket.error();
        auto links = kernel::dump_link_details(socket->get());
        if (!links) return links.error();
        auto addresses = kernel::dump_addresses(socket->get());
        if (!addresses) return addresses.error();
        kernel::Dump<kernel::FdbEntry> fdb;
        if (request.fdb) {
            auto dumped = kernel::dump_fdb(socket->get());
            if (!dumped) return dumped.error();
            fdb = std::move(*dumped);
        }
        rows.note(links->consistent && addresses->consistent && fdb.consistent);
        Bridges(handles.known, networks, context, i, std::move(links->rows), std::move(addresses->rows))
            .tell(rows, fdb.rows);
        return {};
    };
    return inspect_each(context, output, inspect, [&](Rows& rows) -> Result<void> {
        for (const auto& failure : networks.failures())
            rows.failure({failure.engine, failure.error});
        return {};
    });
}

const Registration<api::BridgesRequest> registered{operation<prepare, run>(
    {.engines = true, .address_space = large_tables, .descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::bridges
