#include "cli/render/rule_text.hpp"

namespace netlab::cli {

namespace {

std::string counted(std::uint64_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

std::string rule_place(const api::NatRule& rule) {
    if (rule.backend == "legacy") {
        return rule.family + " " + rule.table + " " + rule.chain +
               (rule.number ? " rule " + std::to_string(*rule.number) : std::string()) + " (legacy)";
    }
    return rule.family + " " + rule.table + " " + rule.chain +
           (rule.handle ? " handle " + std::to_string(*rule.handle) : std::string());
}

std::string rule_counter(const api::NatRule& rule) {
    if (!rule.packets) return {};
    return counted(*rule.packets, "packet") +
           (rule.bytes ? ", " + counted(*rule.bytes, "byte") : std::string());
}

}  // namespace netlab::cli
