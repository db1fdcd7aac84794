#include "daemon/operations/client_networks.hpp"

#include "daemon/operations/address_ranges.hpp"
#include "daemon/operations/host_rules.hpp"

#include <algorithm>
#include <array>

namespace netlab::operations {

namespace {

using kernel::PacketField;

/// Documentation addresses first, as they are told; where those are filtered, as bogons are, others that
/// somebody has.
std::vector<IpAddress> candidates(Family family) {
    std::vector<IpAddress> out;
    if (family == Family::ipv4) {
        for (const auto* text : {"203.0.113.1", "192.0.2.1", "198.51.100.77"})
            out.push_back(*IpAddress::parse(text));
        constexpr unsigned last = 223;
        constexpr std::array special{10U, 100U, 127U, 169U, 172U, 192U, 198U, 203U};
        for (unsigned first = 1; first <= last; ++first) {
            if (std::ranges::find(special, first) == special.end())
                out.push_back(*IpAddress::parse(std::to_string(first) + ".77.113.1"));
        }
        return out;
    }
    for (const auto* text : {"2001:db8:203::1", "2001:db8:fe77::1", "2a0e:77:203::1", "2600:77:203::1",
                             "2400:77:203::1", "2800:77:203::1", "2c0f:77:203::1", "3fff:77:203::1"})
        out.push_back(*IpAddress::parse(text));
    return out;
}

bool is_sender(const IpAddress& address) {
    return !address.is_loopback() && !address.is_link_local() && !address.is_multicast() &&
           !address.is_unspecified();
}

}  // namespace

Clients anybody_outside(Family family) {
    return {{candidates(family).front(), {}, {}}, {}, false};
}

void ClientNetworks::name(const Named& named, bool of_clients) {
    const auto length = named.network.length();
    if (length == 0) return;
    const auto first = first_of(named.network);
    by_length_[length].insert(first);
    if (of_clients && of_clients_.emplace(length, first).second) named_.push_back(named);
}

void ClientNetworks::add(const IpPrefix& network, bool of_clients) {
    name({network}, of_clients);
}

void ClientNetworks::add(const std::vector<kernel::RuleChain>& chains) {
    for (const auto& chain : chains) {
        for (const auto& rule : chain.rules) {
            for (const auto* condition : {&rule.source, &rule.destination}) {
                if (*condition) name({(**condition).value, &chain, &rule}, true);
            }
            for (const auto& set : rule.sets)
                add(set, {{}, &chain, &rule});
            if (rule.verdicts) add(*rule.verdicts, {{}, &chain, &rule});
        }
    }
}

void ClientNetworks::add(const kernel::SetCondition& set, const Named& by) {
    for (const auto field : {PacketField::source, PacketField::destination}) {
        for (const auto& prefix : prefixes_in(set, field))
            name({prefix, by.chain, by.rule}, true);
    }
}

unsigned ClientNetworks::longest(const IpAddress& address) const {
    const unsigned base = base_ == nullptr ? 0 : base_->longest(address);
    for (auto one = by_length_.rbegin(); one != by_length_.rend() && one->first > base; ++one) {
        const auto network = IpPrefix::make(address, one->first);
        if (network && one->second.contains(first_of(*network))) return one->first;
    }
    return base;
}

IpAddress ClientNetworks::anybody(Family family) const {
    const auto all = candidates(family);
    auto best = all.front();
    auto shortest = ~0U;
    for (const auto& one : all) {
        const auto length = longest(one);
        if (length >= shortest) continue;
        best = one;
        shortest = length;
        if (length == 0) break;
    }
    return best;
}

/// One who is in no smaller network that is named.
std::optional<Client> ClientNetworks::member(const Named& named,
                                             const std::function<bool(const IpAddress&)>& outside) const {
    for (const auto& address : members_of(named.network)) {
        if (!is_sender(address) || longest(address) != named.network.length() || !outside(address)) continue;
        Client client{address, named.network, {}};
        if (named.rule != nullptr) {
            const auto rule = describe_rule(*named.chain, *named.rule);
            client.named_by = place_of(rule) + ": " + rule.text;
        }
        return client;
    }
    return std::nullopt;
}

Clients ClientNetworks::clients(Family family, const std::function<bool(const IpAddress&)>& outside,
                                std::size_t most) const {
    Clients out{{anybody(family), {}, {}}, {}, false};
    for (const auto* from : {this, base_}) {
        if (from == nullptr) continue;
        for (const auto& one : from->named_) {
            const bool known =
                from != this && of_clients_.contains({one.network.length(), first_of(one.network)});
            if (known || one.network.address().family() != family) continue;
            auto client = member(one, outside);
            if (!client) continue;
            out.more = out.named.size() >= most;
            if (out.more) return out;
            out.named.push_back(std::move(*client));
        }
    }
    return out;
}

}  // namespace netlab::operations
