#include "daemon/operations/dns_comparison.hpp"

#include "daemon/operations/dns_rdata.hpp"
#include "daemon/operations/embedded_explanation.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <functional>

namespace netlab::operations {

namespace {

/// Records of one type at one server, in an order of their own and without what may differ.
std::vector<std::string> comparable(const DnsExchange& exchange) {
    std::vector<std::string> lines;
    for (const auto& record : exchange.message ? exchange.message->answers : std::vector<DnsResource>{})
        lines.push_back(record.name + " " + std::to_string(record.type) + " " + record.data);
    for (auto& line : lines)
        std::ranges::transform(line, line.begin(),
                               [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
    std::ranges::sort(lines);
    return lines;
}

}  // namespace

bool has_records(const DnsServerAnswers& answers) {
    return std::ranges::find(answers.exchanges, NameOutcome::resolved, &DnsExchange::outcome) !=
           answers.exchanges.end();
}

bool answers_all(const DnsServerAnswers& answers) {
    return std::ranges::all_of(answers.exchanges,
                               [](const DnsExchange& exchange) { return exchange.message.has_value(); });
}

std::size_t silent_servers(std::span<const DnsServerAnswers> answers) {
    return static_cast<std::size_t>(std::ranges::count_if(answers, std::not_fn(answers_all)));
}

std::string what_it_says(const DnsServerAnswers& answers) {
    std::vector<std::string> data;
    std::vector<std::string> otherwise;
    const auto add = [](std::vector<std::string>& words, std::string word) {
        if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
    };
    constexpr std::size_t most = 8;
    for (const auto& exchange : answers.exchanges) {
        if (!exchange.message) {
            add(otherwise, "nothing");
        } else if (exchange.message->rcode != dns_rcode::no_error) {
            add(otherwise, dns_rcode_name(exchange.message->rcode));
        } else if (exchange.message->answers.empty()) {
            add(otherwise, "no data");
        } else {
            for (const auto& record : exchange.message->answers)
                if (data.size() < most) add(data, record.data);
        }
    }
    return list_and(data.empty() ? otherwise : data);
}

bool is_docker_name(std::span<const DnsServerAnswers> answers) {
    const auto passes_on = std::ranges::count(answers, true, &DnsServerAnswers::behind) > 0;
    return passes_on &&
           std::ranges::any_of(answers,
                               [](const DnsServerAnswers& one) {
                                   return one.server.to_string() == embedded_address && has_records(one);
                               }) &&
           std::ranges::none_of(answers,
                                [](const DnsServerAnswers& one) { return one.behind && has_records(one); });
}

bool agree(std::span<const DnsServerAnswers> answers) {
    // What Docker's resolver answers itself the servers behind it cannot know.
    const bool own = is_docker_name(answers);
    const auto types = answers.empty() ? 0 : answers.front().exchanges.size();
    for (std::size_t type = 0; type < types; ++type) {
        const DnsExchange* first = nullptr;
        for (const auto& one : answers) {
            const auto& exchange = one.exchanges[type];
            if (!exchange.message || (own && one.behind)) continue;
            if (first == nullptr) first = &exchange;
            if (first->message->rcode != exchange.message->rcode ||
                comparable(*first) != comparable(exchange))
                return false;
        }
    }
    return true;
}

}  // namespace netlab::operations
