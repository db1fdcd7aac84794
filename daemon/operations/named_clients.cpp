#include "daemon/operations/named_clients.hpp"

#include "daemon/operations/network_facts.hpp"

#include <map>
#include <utility>

namespace netlab::operations {

using api::PortVerdict;

namespace {

/// "10.0.0.0/8", "10.0.0.0/8 and 192.0.2.7", "10.0.0.0/8, 10.1.0.0/16, 10.2.0.0/16 and others"
std::string networks_text(const std::vector<const Client*>& clients, bool more) {
    constexpr std::size_t most = 4;
    std::vector<std::string> words;
    for (const auto* client : clients) {
        const auto& network = *client->network;
        const unsigned whole = network.address().is_v4() ? 32 : 128;
        if (words.size() < most)
            words.push_back(network.length() == whole ? network.address().to_string() : network.to_string());
    }
    if (more || clients.size() > most) words.emplace_back("others");
    return list_and(words);
}

}  // namespace

void tell_named_clients(api::PortRow& row, const Clients& clients, const std::vector<api::PortRow>& judged) {
    const bool works = row.verdict == PortVerdict::works;
    std::vector<const Client*> passing;
    std::map<std::pair<bool, std::string>, std::vector<const Client*>> stopped;  // known or not, and why
    for (std::size_t i = 0; i < judged.size(); ++i) {
        const auto& one = judged[i];
        if (!works && one.verdict == PortVerdict::works) passing.push_back(&clients.named[i]);
        if (works && one.verdict != PortVerdict::works)
            stopped[{one.verdict != PortVerdict::unknown, one.explanation}].push_back(&clients.named[i]);
    }
    for (const auto& [why, who] : stopped)
        row.notes.push_back((why.first ? "not for clients in " : "it is not known whether for clients in ") +
                            networks_text(who, clients.more) + ": " + why.second);
    if (passing.empty()) return;
    const auto& by = passing.front()->named_by;
    row.explanation +=
        std::string(row.verdict == PortVerdict::unknown ? "; clients in " : "; only clients in ") +
        networks_text(passing, clients.more) + " pass" + (by.empty() ? std::string() : " (" + by + ")");
}

}  // namespace netlab::operations
