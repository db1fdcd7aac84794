#include "daemon/kernel/nft_rule_order.hpp"

#include <algorithm>
#include <array>

namespace netlab::kernel {

namespace {

bool is_effect(const NftExpression& one) {
    if (std::holds_alternative<NftSetZone>(one)) return true;
    const auto* other = std::get_if<NftOther>(&one);
    return other != nullptr && (other->name == "meta mark" || other->name == "notrack");
}

bool may_fail(const NftExpression& one) {
    if (const auto* other = std::get_if<NftOther>(&one))
        return !goes_on(other->name) && !decides(other->name) && !is_effect(one) && other->name != "masq" &&
               other->name != "reject";
    return std::holds_alternative<NftCompare>(one) || std::holds_alternative<NftRange>(one) ||
           std::holds_alternative<NftLookup>(one) || std::holds_alternative<NftMatch>(one);
}

}  // namespace

bool goes_on(std::string_view expression) {
    constexpr std::array<std::string_view, 5> names{"log", "payload", "meta", "ct set", "last"};
    return std::ranges::find(names, expression) != names.end();
}

bool decides(std::string_view expression) {
    constexpr std::array<std::string_view, 4> names{"queue", "tproxy", "synproxy", "fwd"};
    return std::ranges::find(names, expression) != names.end();
}

bool goes_on_behind_map(const NftRule& rule) {
    const auto is_map = [](const NftExpression& one) {
        const auto* lookup = std::get_if<NftLookup>(&one);
        return lookup != nullptr && lookup->decides;
    };
    const auto map = std::ranges::find_if(rule.expressions, is_map);
    return map != rule.expressions.end() && std::any_of(map + 1, rule.expressions.end(), [](const auto& one) {
               return !std::holds_alternative<NftCounter>(one);
           });
}

bool effects_come_first(const NftRule& rule) {
    const auto effect = std::ranges::find_if(rule.expressions, is_effect);
    return std::any_of(effect, rule.expressions.end(), may_fail);
}

}  // namespace netlab::kernel
