#include "daemon/operations/network_family.hpp"

#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <array>

namespace netlab::operations {

namespace {

/// With those of its networks alone that have the family.
api::Target only(api::Target target, Family family) {
    std::erase_if(target.networks,
                  [&](const api::Membership& network) { return !has_family(network, family); });
    return target;
}

}  // namespace

std::optional<Explanation> explain_apart(const api::Target& from, const api::Target& peer, Family family) {
    auto out = explain_apart(from, peer);
    if (!out) return out;
    out->suggestion.clear();
    const auto from_there = only(from, family);
    const auto peer_there = only(peer, family);
    // Of one that has it on no network of its own nothing can be joined.
    if (!user_networks(from_there).empty() || !user_networks(peer_there).empty())
        out->suggestion = connect_command(from_there, peer_there);
    else if (family == Family::ipv4)
        out->suggestion = connect_command(from, peer);
    return out;
}

bool has_family(const api::Membership& network, Family family) {
    return std::ranges::any_of(network.addresses, [&](const IpPrefix& prefix) {
        return prefix.address().family() == family && !prefix.address().is_link_local();
    });
}

bool is_private(const IpAddress& address) {
    constexpr std::array ranges{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"};
    return std::ranges::any_of(ranges,
                               [&](const char* range) { return IpPrefix::parse(range)->contains(address); });
}

std::string network_text(const IpPrefix& prefix) {
    auto bytes = prefix.address().bytes();
    std::vector<std::uint8_t> masked(bytes.begin(), bytes.end());
    for (std::size_t i = 0; i < masked.size(); ++i) {
        const auto whole = i * 8;
        const auto kept =
            prefix.length() <= whole ? 0U : std::min(8U, prefix.length() - static_cast<unsigned>(whole));
        masked[i] = static_cast<std::uint8_t>(masked[i] & (0xFF00U >> kept));
    }
    return IpAddress::from_bytes(masked).to_string() + "/" + std::to_string(prefix.length());
}

}  // namespace netlab::operations
