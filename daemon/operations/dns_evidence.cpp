#include "daemon/operations/dns_evidence.hpp"

namespace netlab::operations {

DnsEvidence::DnsEvidence(const DnsFacts& all) : facts(all) {
    for (const auto& answers : facts.lookup.answers) {
        for (const auto& exchange : answers.exchanges)
            attempts.insert(attempts.end(), exchange.attempts.begin(), exchange.attempts.end());
    }
}

void DnsExplanation::say(std::string sentence, std::string suggested) {
    if (!sentence.empty()) sentences.push_back(std::move(sentence));
    if (suggestion.empty()) suggestion = std::move(suggested);
}

std::string DnsEvidence::again(const std::string& more) const {
    const auto& request = facts.request;
    std::string command = "netlab dns " + request.from + " " + request.name;
    if (!request.type.empty()) command += " " + request.type;
    for (const auto& server : request.servers)
        command += " --server " + server;
    if (request.tcp) command += " --tcp";
    if (!request.search) command += " --no-search";
    return command + " " + more;
}

std::string quoted(std::string_view name) {
    return "'" + std::string(name) + "'";
}

}  // namespace netlab::operations
