#include "tests/docker/lab.hpp"

#include <map>
#include <regex>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::lab;
using boost::json::object;

namespace {

/// nft(8) shows its own comments, and of iptables' none.
std::string without_comment(const std::string& text) {
    return std::regex_replace(text, std::regex(R"( comment "([^"\\]|\\.)*")"), "");
}

/// Rules by handle and text, with spaces joined and counters taken out; of each how many packets.
using Rules = std::multimap<std::string, std::uint64_t>;

/// The referee's.
Rules listed() {
    const auto finished = support::run_well(
        {"nsenter", "--net=/run/netns/" + host_namespace(), "nft", "-a", "list", "ruleset"});
    const std::regex rule_line(R"(\t\t(.*) # handle (\d+))");
    const std::regex counter(R"(counter packets (\d+) bytes \d+ ?)");
    Rules out;
    for (const auto& line : finished.lines()) {
        std::smatch match;
        if (!std::regex_match(line, match, rule_line)) continue;
        const auto words = match[1].str();
        std::smatch count;
        const auto packets = std::regex_search(words, count, counter) ? std::stoull(count[1].str()) : 0;
        auto key = match[2].str() + " " + std::regex_replace(words, counter, "");
        key = std::regex_replace(key, std::regex("  +"), " ");
        if (key.ends_with(' ')) key.pop_back();
        out.emplace(without_comment(key), packets);
    }
    return out;
}

Rules told(const Finished& finished) {
    Rules out;
    for (const auto& row : finished.json_lines()) {
        if (text(row, "type") != "rule" || text(row, "backend") == "iptables_legacy") continue;
        const auto* packets = row.if_contains("packets");
        const auto words = text(row, "text") == "counter" ? "" : " " + without_comment(text(row, "text"));
        out.emplace(boost::json::serialize(row.at("handle")) + words,
                    packets != nullptr ? packets->to_number<std::uint64_t>() : 0);
    }
    return out;
}

std::vector<std::string> keys(const Rules& rules) {
    std::vector<std::string> out;
    for (const auto& [key, packets] : rules)
        out.push_back(key);
    return out;
}

}  // namespace

TEST_CASE("firewall: of the engine's host every rule that nft lists, with its counter",
          "[docker][firewall]") {
    const support::Daemon daemon(settings());
    const auto before = listed();
    const auto finished = daemon.netlab({"-j", "firewall", "host"});
    const auto after = listed();
    INFO(finished.err);
    REQUIRE(finished.status == 0);
    const auto rules = told(finished);
    REQUIRE(!before.empty());
    CHECK(keys(rules) == keys(before));
    for (const auto& [key, packets] : rules) {
        INFO(key);
        // Rules of one text in one chain have each their handle; of those in several the least and most
        // count.
        const auto [first, last] = before.equal_range(key);
        const auto [later, latest] = after.equal_range(key);
        if (std::distance(first, last) != 1 || std::distance(later, latest) != 1) continue;
        CHECK(packets >= first->second);
        CHECK(packets <= later->second);
    }
    bool docker_is_marked = false;
    for (const auto& row : finished.json_lines())
        docker_is_marked =
            docker_is_marked || (text(row, "type") == "chain" && text(row, "owner") == "docker");
    CHECK(docker_is_marked);
}

TEST_CASE("firewall: of the engine's host each chain's rules have the counters that iptables-save shows",
          "[docker][firewall]") {
    const support::Daemon daemon(settings());
    // By family, table and chain: of each rule in its place how many packets and bytes, "-" where it does not
    // count.
    using Chains = std::map<std::string, std::vector<std::string>>;
    const auto saved = [] {
        Chains out;
        const std::regex table(R"(\*(\S+))");
        const std::regex rule(R"((?:\[(\d+:\d+)\] )?-A (\S+)( .*)?)");
        for (const std::string family : {"ip", "ip6"}) {
            std::string name;
            std::smatch match;
            for (const auto& line : support::run_well({"nsenter", "--net=/run/netns/" + host_namespace(),
                                                       family + "tables-save", "-c"})
                                        .lines()) {
                if (std::regex_match(line, match, table)) name = match[1];
                if (std::regex_match(line, match, rule))
                    out[family + " " + name + " " + match[2].str()].push_back(
                        match[1].matched ? match[1].str() : "-");
            }
        }
        return out;
    };
    const auto told = [&] {
        Chains out;
        const auto finished = daemon.netlab({"-j", "firewall", "host"});
        REQUIRE(finished.status == 0);
        for (const auto& row : finished.json_lines()) {
            if (text(row, "type") != "rule" || text(row, "backend") != "iptables_nft") continue;
            const auto* packets = row.if_contains("packets");
            out[text(row, "family") + " " + text(row, "table") + " " + text(row, "chain")].push_back(
                packets == nullptr || packets->is_null()
                    ? "-"
                    : std::to_string(packets->to_number<std::uint64_t>()) + ":" +
                          std::to_string(row.at("bytes").to_number<std::uint64_t>()));
        }
        return out;
    };
    // A packet may pass between two looks.
    Chains mine;
    Chains theirs;
    CHECK(support::eventually(
        [&] {
            theirs = saved();
            mine = told();
            return mine == theirs;
        },
        std::chrono::seconds(10)));
    CHECK(mine == theirs);
    CHECK(theirs.contains("ip nat DOCKER"));
    CHECK(theirs.size() > 8);
}

TEST_CASE("firewall: of a container its own rules, among them those of the embedded resolver",
          "[docker][firewall]") {
    const support::Daemon daemon(settings());
    const auto finished = daemon.netlab({"firewall", "co1"});
    INFO(finished.err << finished.out);
    CHECK(finished.status == 0);
    CHECK(finished.out.find("DOCKER_OUTPUT") != std::string::npos);
    CHECK(finished.out.find("127.0.0.11") != std::string::npos);
    const auto nothing = daemon.netlab({"firewall", "co1", "--hook", "ingress"});
    CHECK(nothing.out == "no rules at ingress: nothing is filtered or translated there\n");
}
