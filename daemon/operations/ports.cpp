#include "common/api/ports.hpp"

#include "daemon/operations/container_path.hpp"
#include "daemon/operations/container_processes.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <map>
#include <tuple>

/// `netlab ports`: what the engines publish, held against the host's rules and sockets and the containers'.
namespace netlab::operations::ports {

namespace {

struct Handles {
    std::vector<Result<UniqueFd>> diags;              ///< by target
    std::vector<std::optional<HostRules>> own_rules;  ///< the same; not of those on the host
    std::size_t host = 0;                             ///< place
    UniqueFd host_diag;
    HostRules rules;
    kernel::SocketHolders holders;
    ProxyProcesses proxies;
    ContainerProcesses host_containers;
    Residents residents;
    std::vector<bool> on_host;  ///< by target: it lives in the host's namespace
    KnownNamespaces known;
};

Result<Handles> prepare(Namespaces& namespaces, const api::PortsRequest&, const api::Context& context) {
    const auto host = find_host(namespaces);
    if (!host) return host_not_known();
    std::vector<bool> on_host;
    std::vector<std::int32_t> first_processes;
    for (std::size_t i = 0; i < context.targets.size(); ++i) {
        const bool same = namespaces[i].device == namespaces[*host].device &&
                          namespaces[i].inode == namespaces[*host].inode;
        on_host.push_back(same);
        const auto& target = context.targets[i];
        if (same && is_container(target) && target.pid > 0) first_processes.push_back(target.pid);
    }
    auto holders = kernel::SocketHolders::read();
    auto proxies = ProxyProcesses::read();
    auto host_containers = ContainerProcesses::read(first_processes);
    auto residents = Residents::read(context);
    auto diags = open_in_each(namespaces, 0, context.targets.size(),
                              [](std::size_t) { return kernel::open_sock_diag_socket(); });
    std::vector<std::optional<HostRules>> own_rules(context.targets.size());
    for (std::size_t i = 0; i < own_rules.size(); ++i) {
        const bool publishes =
            std::ranges::any_of(context.targets[i].ports,
                                [](const api::PublishedPort& port) { return port.host_port.has_value(); });
        if (publishes && !on_host[i] && diags[i] && namespaces.enter(i))
            own_rules[i] = HostRules::ask_of_container();
    }
    if (auto entered = namespaces.enter(*host); !entered) return entered.error();
    auto host_diag = kernel::open_sock_diag_socket();
    if (!host_diag) return host_diag.error();
    auto rules = HostRules::ask();
    return Handles{std::move(diags),
                   std::move(own_rules),
                   *host,
                   std::move(*host_diag),
                   std::move(rules),
                   std::move(holders),
                   std::move(proxies),
                   std::move(host_containers),
                   std::move(residents),
                   std::move(on_host),
                   KnownNamespaces(namespaces, context)};
}

class Inspection {
  public:
    Inspection(Handles& handles, const api::PortsRequest& request, const api::Context& context)
        : handles_(handles),
          request_(request),
          context_(context),
          topology_(read_topology(handles.known, context)),
          view_(handles.known, topology_, handles.host, context.truncated) {
        may_see_host_ = std::ranges::count(context.roles, api::Role::host) > 0;
    }

    Result<void> read_host() {
        handles_.holders.settle();
        handles_.proxies.settle();
        host_.rules = handles_.rules.read(view_.names());
        host_.addresses = view_.addresses();
        host_.way = [this](const IpAddress& to) {
            const auto [known, is_new] = ways_.try_emplace(to);
            if (is_new) known->second = view_.way(to);
            return known->second;
        };
        host_.route = [this](const kernel::PacketFacts& packet) { return view_.route(packet); };
        for (const auto* rules : {&host_.rules.v4, &host_.rules.v6}) {
            named_.add(rules->chains);
            named_.add(rules->frames);
        }
        view_.name_networks(named_);
        host_.outside_v4 = view_.outside(named_.anybody(Family::ipv4));
        host_.outside_v6 = view_.outside(named_.anybody(Family::ipv6));
        // Whom no router serves fares otherwise than whom one does.
        for (const auto family : {Family::ipv4, Family::ipv6})
            view_.name_link(named_, family, host_.outside(family));
        host_.clients = clients_of(named_, 1);
        auto listeners = read_held(handles_.host_diag.get(), view_.names(), {});
        if (!listeners) return listeners.error();
        host_.listeners = std::move(*listeners);
        return {};
    }

    Result<void> target(std::size_t i, Rows& rows) {
        rows.note(topology_.consistent);
        const auto& target = context_.targets[i];
        if (handles_.on_host[i]) return host_network(target, rows);
        if (!handles_.diags[i]) return handles_.diags[i].error();
        const auto& facts = topology_.topology[handles_.known.home(i)];
        const InterfaceNames names(facts.links);
        auto listeners = read_held(handles_.diags[i]->get(), names, target.namespace_);
        if (!listeners) return listeners.error();
        auto& rules = handles_.own_rules[i];
        const ContainerPath path(handles_.known, topology_.topology, view_, context_, i);
        ContainerFacts container{target,
                                 addresses_of(facts),
                                 std::move(*listeners),
                                 rules ? rules->read(names) : RuleSet(),
                                 [&](const kernel::PacketFacts& answer) { return path.back(answer); },
                                 [&](const IpAddress& address) { return path.broken(address); }};
        container.undiscovered = [&](const IpAddress& address) {
            return path.undiscovered(host_.rules, container.rules, address);
        };
        ClientNetworks named(&named_);
        named.add(container.rules.v4.chains);
        named.add(container.rules.v6.chains);
        if (const auto& socket = handles_.known.socket(handles_.known.home(i)))
            name_routed_networks(socket->get(), named);
        container.clients = clients_of(named, target.ports.size());
        container.publisher = publisher_of(target);
        for (const auto& port : target.ports) {
            if (!port.host_port && !request_.exposed) continue;
            auto row = judge_port(host_, container, port);
            if (shares_namespace(target))
                row.notes.push_back(published_by_another(target, container.publisher));
            add(row, rows);
        }
        return {};
    }

  private:
    /// Each client is one more way to be judged, for each of `ports`.
    [[nodiscard]] ClientsByFamily clients_of(const ClientNetworks& named, std::size_t ports) const {
        constexpr std::size_t judgements = 2048;
        const std::size_t most = std::clamp<std::size_t>(judgements / std::max<std::size_t>(ports, 1), 1, 16);
        ClientsByFamily out;
        for (const auto family : {Family::ipv4, Family::ipv6}) {
            const auto& outside = host_.outside(family);
            (family == Family::ipv4 ? out.v4 : out.v6) = named.clients(
                family, [&](const IpAddress& address) { return view_.is_outside(address, outside); }, most);
        }
        return out;
    }

    /// An engine lets only whose namespace it is publish ports (Row::with_ports()).
    static std::string published_by_another(const api::Target& target, const std::string& publisher) {
        return target.name + " publishes nothing itself: " +
               (publisher.empty() ? std::string("another container") : publisher) +
               ", whose network namespace it shares, has the port";
    }

    /// Whose namespace it has joined; "" where it has joined none, or that one is not there any more.
    [[nodiscard]] std::string publisher_of(const api::Target& target) const {
        const auto& all = context_.residents;
        const auto owner = std::ranges::find_if(
            all, [&](const api::Target& one) { return target.network_mode == "container:" + one.id; });
        return owner == all.end() ? std::string() : owner->name;
    }

    /// A container there has no ports of its own: those that its processes listen on are the host's.
    Result<void> host_network(const api::Target& target, Rows& rows) {
        if (!is_container(target)) return {};
        for (const bool tcp : {true, false}) {
            for (const auto& [listener, inode] : numbered(tcp)) {
                const auto holders = handles_.holders.of(inode);
                const auto holder = std::ranges::find_if(holders, [&](const auto& one) {
                    return handles_.host_containers.belongs(handles_.holders.process(one).host_pid,
                                                            target.pid);
                });
                if (holder == holders.end()) continue;
                HeldListener held{listener};
                if (may_see_host_) {
                    const auto& process = handles_.holders.process(*holder);
                    held.pid = process.host_pid;
                    held.process = process.name;
                }
                add_host_socket(target, held, tcp, rows);
            }
        }
        return {};
    }

    /// One that takes both families is two ports.
    void add_host_socket(const api::Target& target, const HeldListener& held, bool tcp, Rows& rows) {
        const auto& listener = held.listener;
        if (listener.address.is_v6() && listener.address.is_unspecified() && listener.v6only == false) {
            auto as_v4 = held;
            as_v4.listener.address = IpAddress();
            auto row = judge_host_socket(host_, target, as_v4, tcp);
            row.listener->address = listener.address;
            add(row, rows);
        }
        add(judge_host_socket(host_, target, held, tcp), rows);
    }

    const std::vector<NumberedListener>& numbered(bool tcp) {
        auto& list = tcp ? host_tcp_ : host_udp_;
        if (!list) {
            auto read = read_listening_sockets(handles_.host_diag.get(), tcp, view_.names());
            list = read ? std::move(*read) : std::vector<NumberedListener>();
        }
        return *list;
    }

    static void add(const api::PortRow& row, Rows& rows) {
        rows.add(row);
        using api::PortVerdict;
        if (row.verdict != PortVerdict::works && row.verdict != PortVerdict::not_published) rows.finding();
    }

    /// `where`: absent where whose program sleeps does not matter.
    Result<HeldListeners> read_held(int diag, const InterfaceNames& names,
                                    const std::optional<api::Namespace>& where) {
        HeldListeners out;
        for (const bool tcp : {true, false}) {
            auto read = read_listening_sockets(diag, tcp, names);
            if (!read) return read.error();
            auto& list = tcp ? out.tcp : out.udp;
            for (const auto& one : *read)
                list.push_back(held(one, diag == handles_.host_diag.get()));
            if (where && handles_.residents.matter()) tell_sleep(list, *read, where);
        }
        return out;
    }

    /// `list` and `read` are of the same sockets.
    void tell_sleep(std::vector<HeldListener>& list, const std::vector<NumberedListener>& read,
                    const std::optional<api::Namespace>& where) const {
        const auto place = [](const api::Listener& one) {
            return std::tuple(one.port, one.address, one.interface.value_or(""));
        };
        std::map<decltype(place(api::Listener())), std::vector<std::uint64_t>> sockets;
        for (const auto& one : read)
            sockets[place(one.listener)].push_back(one.inode);
        // Of one place there may be as many as a program likes (SO_REUSEPORT).
        std::map<decltype(place(api::Listener())), std::optional<Sleep>> asleep;
        for (const auto& [at, inodes] : sockets)
            asleep.emplace(at, handles_.residents.asleep(handles_.holders, inodes, where));
        for (auto& one : list)
            one.asleep = asleep.at(place(one.listener));
    }

    HeldListener held(const NumberedListener& one, bool on_host) const {
        HeldListener out{one.listener};
        const auto holders = handles_.holders.of(one.inode);
        out.holder_known = !holders.empty() || handles_.holders.complete();
        if (holders.empty()) return out;
        // dockerd may have handed the socket to its proxy and hold it, too.
        const auto engines = std::ranges::find_if(holders, [&](const auto& holder) {
            const auto& name = handles_.holders.process(holder).name;
            return is_port_proxy(name) || only_reserves_port(name);
        });
        const bool is_engines = engines != holders.end();
        if (on_host && !is_engines && !may_see_host_) return out;
        const auto& process = handles_.holders.process(is_engines ? *engines : holders.front());
        out.pid = process.host_pid;
        out.process = process.name;
        out.to = handles_.proxies.target(process.host_pid);
        return out;
    }

    Handles& handles_;
    const api::PortsRequest& request_;
    const api::Context& context_;
    ReadTopology topology_;
    HostView view_;
    HostFacts host_;
    ClientNetworks named_;  ///< by the host
    std::map<IpAddress, HostWay> ways_;
    bool may_see_host_ = false;
    std::optional<std::vector<NumberedListener>> host_tcp_;
    std::optional<std::vector<NumberedListener>> host_udp_;
};

Result<void> run(Handles& handles, const api::PortsRequest& request, const api::Context& context,
                 Output& output) {
    if (const auto& host = handles.known.socket(handles.host); !host) return host.error();
    Inspection inspection(handles, request, context);
    if (auto read = inspection.read_host(); !read) return read;
    return inspect_each(context, output,
                        [&](std::size_t i, Rows& rows) { return inspection.target(i, rows); });
}

const Registration<api::PortsRequest> registered{
    operation<prepare, run>({.net_admin = true,
                             .processes = true,
                             .cpu_seconds = 60,
                             .address_space = large_tables,
                             .descriptors = 4 * many_descriptors})};

}  // namespace

}  // namespace netlab::operations::ports
