#include "common/api/networks.hpp"

#include "common/text.hpp"
#include "daemon/operations/engine_networks.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/network_check.hpp"

#include <algorithm>

/// `netlab networks`: what the engines say of their networks, held against what the kernel says.
namespace netlab::operations::networks {

namespace {

/// A container that starts or stops meanwhile is no finding: what is still there after this is one.
constexpr std::chrono::milliseconds second_look{200};

struct Handles {
    KnownNamespaces known;
    Engines engines;
};

Result<Handles> prepare(Namespaces& namespaces, const api::NetworksRequest&, const api::Context& context) {
    Engines engines(namespaces, context);
    if (engines.size() == 0) {
        return Error{errc::engine_unavailable,
                     "netlabd knows no engine",
                     "[engines] of netlabd.toml names their sockets",
                     {}};
    }
    return Handles{KnownNamespaces(namespaces, context), std::move(engines)};
}

Result<NamespaceState> read_state(const Result<UniqueFd>& socket, bool& consistent) {
    if (!socket) return socket.error();
    auto links = kernel::dump_link_details(socket->get());
    if (!links) return links.error();
    auto addresses = kernel::dump_addresses(socket->get());
    if (!addresses) return addresses.error();
    consistent = consistent && links->consistent && addresses->consistent;
    return NamespaceState{std::move(links->rows), std::move(addresses->rows)};
}

/// The namespaces as they are now, each read when it is wanted and once.
class Kernel {
  public:
    Kernel(KnownNamespaces& known, const api::Context& context) : known_(known), context_(context) {
        known_.forget_links();
        for (std::size_t place = 0; place < known.size(); ++place) {
            if (target_at(context, place).runtime == api::Runtime::host) host_ = place;
        }
    }

    /// errc::operation_failed where the host's is not among them.
    Result<const NamespaceState*> host() {
        if (!host_) return Error{errc::operation_failed, "the host's network namespace is not known", {}, {}};
        return at(*host_);
    }

    MemberState look(api::NetworkMember& member, api::Runtime runtime) {
        MemberState state;
        const auto place = place_of(member, runtime);
        if (!place) return state;
        state.known = true;
        member.target = target_at(context_, *place).name;
        const auto in = at(*place);
        if (!in) {
            state.unreadable = in.error().message;
            return state;
        }
        state.in = *in;
        state.interface = find_interface(member, **in);
        if (state.interface == nullptr) return state;
        member.interface = state.interface->link.name;
        if (state.interface->link.kind != "veth") return state;
        const auto found = known_.peer(*place, state.interface->link);
        if (found.place != host_ || !found.link) return state;
        state.port = found.link->index;
        member.port = found.link->name;
        return state;
    }

    [[nodiscard]] bool consistent() const { return consistent_; }

  private:
    [[nodiscard]] std::optional<std::size_t> place_of(const api::NetworkMember& member,
                                                      api::Runtime runtime) const {
        for (std::size_t place = 0; place < known_.size(); ++place) {
            const auto& target = target_at(context_, place);
            if (target.runtime == runtime && target.id == member.id) return place;
        }
        // A namespace goes by the name of one of those that live in it.
        for (std::size_t place = 0; place < known_.size(); ++place) {
            const auto& target = target_at(context_, place);
            if (target.namespace_ && std::ranges::count(target.namespace_->shared_with, member.name) > 0)
                return place;
        }
        return std::nullopt;
    }

    Result<const NamespaceState*> at(std::size_t place) {
        auto found = states_.find(place);
        if (found == states_.end())
            found = states_.emplace(place, read_state(known_.socket(place), consistent_)).first;
        if (!found->second) return found->second.error();
        return &*found->second;
    }

    KnownNamespaces& known_;
    const api::Context& context_;
    std::optional<std::size_t> host_;
    std::map<std::size_t, Result<NamespaceState>> states_;
    bool consistent_ = true;
};

/// "docker:net" is one of that engine; else a name, or the beginning of an ID.
bool is_called(const api::NetworkRow& network, std::string_view word) {
    const auto prefix = std::string(described::enumerator_name(network.engine)) + ":";
    if (word.starts_with(prefix)) word.remove_prefix(prefix.size());
    constexpr std::size_t shortest_id = 4;
    return network.name == word || (word.size() >= shortest_id && network.id.starts_with(word));
}

class Inspection {
  public:
    Inspection(Handles& handles, const api::NetworksRequest& request, const api::Context& context,
               Output& output)
        : handles_(handles), request_(request), context_(context), output_(output), rows_(output) {}

    Result<void> run() {
        for (std::size_t i = 0; i < handles_.engines.size(); ++i) {
            if (handles_.engines.absent(i)) continue;
            ++report_.targets;
            if (auto done = engine(i); !done) failures_.push_back({handles_.engines.name(i), done.error()});
        }
        if (report_.targets == 1 && !failures_.empty()) return failures_.front().error;
        if (!request_.name.empty() && rows_.count() == 0) return unknown();
        for (const auto& failure : failures_)
            rows_.failure(failure);
        report_.rows = rows_.count();
        report_.failures = rows_.failures();
        report_.findings = rows_.findings();
        report_.truncated = context_.truncated;
        report_.consistent = rows_.consistent();
        output_.event(report_);
        return {};
    }

  private:
    Result<void> engine(std::size_t i) {
        auto rows = look(i);
        if (!rows) return rows.error();
        if (std::ranges::any_of(*rows, [](const auto& row) { return !row.findings.empty(); })) {
            output_.wait({}, Output::Clock::now() + second_look);
            auto again = look(i);
            if (!again) return again.error();
            keep_lasting(*rows, *again);
            rows = std::move(again);
        }
        for (const auto& row : *rows) {
            rows_.add(row);
            if (!row.findings.empty()) rows_.finding();
        }
        return {};
    }

    /// The wanted networks of an engine as they are now, checked.
    Result<std::vector<api::NetworkRow>> look(std::size_t i) {
        auto networks = handles_.engines.networks(i, true, output_);
        if (!networks) return networks;
        for (const auto& network : *networks) {
            names_.push_back(network.name);
        }
        if (!request_.name.empty())
            std::erase_if(*networks, [&](const auto& row) { return !is_called(row, request_.name); });
        Kernel kernel(handles_.known, context_);
        const auto host = kernel.host();
        if (!host) return host.error();
        for (auto& network : *networks) {
            std::vector<MemberState> members;
            for (auto& member : network.members) {
                auto& state = members.emplace_back(kernel.look(member, network.engine));
                if (!state.known) state.elsewhere = is_elsewhere(i, member);
            }
            network.checked = can_be_checked(network);
            if (network.checked) network.findings = check_network(network, **host, members);
        }
        rows_.note(kernel.consistent());
        return networks;
    }

    /// A member that netlab does not know may have just started, be one too many for a request, or be no
    /// container (Swarm has "ingress-sbox" and "lb-NETWORK"); else it is a leftover of one that is gone.
    bool is_elsewhere(std::size_t i, const api::NetworkMember& member) {
        constexpr std::size_t id_length = 64;
        const bool container = member.id.size() == id_length &&
                               member.id.find_first_not_of("0123456789abcdef") == member.id.npos;
        if (!container || context_.truncated) return true;
        const auto runs = handles_.engines.runs(i, member.id, output_);
        return runs && *runs;
    }

    static void keep_lasting(const std::vector<api::NetworkRow>& before, std::vector<api::NetworkRow>& now) {
        for (auto& network : now) {
            const auto earlier = std::ranges::find(before, network.id, &api::NetworkRow::id);
            std::erase_if(network.findings, [&](const api::Finding& finding) {
                return earlier == before.end() || std::ranges::count(earlier->findings, finding) == 0;
            });
        }
    }

    [[nodiscard]] Error unknown() const {
        Error error{errc::no_such_target, "no network is called " + quoted(request_.name), {}, {}};
        const auto near = nearest(request_.name, names_);
        error.hint =
            near.empty() ? "netlab networks shows all of them" : "did you mean " + join_or(near) + "?";
        for (const auto& failure : failures_)
            error.message += "; " + failure.target + " could not be asked: " + failure.error.message;
        return error;
    }

    Handles& handles_;
    const api::NetworksRequest& request_;
    const api::Context& context_;
    Output& output_;
    Rows rows_;
    api::InspectionReport report_;
    std::vector<api::TargetFailure> failures_;
    std::vector<std::string> names_;
};

Result<void> run(Handles& handles, const api::NetworksRequest& request, const api::Context& context,
                 Output& output) {
    return Inspection(handles, request, context, output).run();
}

const Registration<api::NetworksRequest> registered{
    operation<prepare, run>({.engines = true, .descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::networks
