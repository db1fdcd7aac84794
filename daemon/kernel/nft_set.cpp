#include "daemon/kernel/nft_set.hpp"

#include "daemon/kernel/nft_attributes.hpp"

#include <algorithm>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

namespace netlab::kernel {

namespace {

using namespace nft_attributes;
using Kind = NftFound::Kind;

/// NFTA_SET_DESC: the lengths of a concatenation's fields.
std::vector<std::uint32_t> field_lengths(Bytes description) {
    std::vector<std::uint32_t> out;
    for_each_attribute(description, [&](int type, Bytes concatenation) {
        if (type != NFTA_SET_DESC_CONCAT) return;
        for_each_attribute(concatenation, [&](int, Bytes element) {
            for_each_attribute(element, [&](int inner, Bytes value) {
                if (inner == NFTA_SET_FIELD_LEN && out.size() < NFT_REG32_COUNT) out.push_back(number(value));
            });
        });
    });
    return out;
}

/// Counters only count; what else is bound to an element decides.
bool is_counter(Bytes expression) {
    std::string name;
    for_each_attribute(expression, [&](int type, Bytes value) {
        if (type == NFTA_EXPR_NAME) name = text(value);
    });
    return name == "counter" || name == "last";
}

std::optional<NftVerdict> verdict_in(Bytes data) {
    std::optional<NftVerdict> verdict;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == NFTA_DATA_VERDICT) verdict = parse_verdict(value);
    });
    return verdict;
}

NftElement parse_element(Bytes attributes) {
    NftElement out;
    std::uint32_t flags = 0;
    for_each_attribute(attributes, [&](int type, Bytes value) {
        if (type == NFTA_SET_ELEM_KEY) out.key = data_value(value);
        if (type == NFTA_SET_ELEM_KEY_END) out.key_end = data_value(value);
        if (type == NFTA_SET_ELEM_DATA) out.verdict = verdict_in(value);
        if (type == NFTA_SET_ELEM_FLAGS) flags = number(value);
        if (type == NFTA_SET_ELEM_EXPR) out.conditional = out.conditional || !is_counter(value);
        if (type != NFTA_SET_ELEM_EXPRESSIONS) return;
        for_each_attribute(value,
                           [&](int, Bytes one) { out.conditional = out.conditional || !is_counter(one); });
    });
    out.interval_end = (flags & NFT_SET_ELEM_INTERVAL_END) != 0;
    if ((flags & NFT_SET_ELEM_CATCHALL) != 0) out.key.clear();
    return out;
}

int compare(Bytes left, Bytes right) {
    const auto length = std::min(left.size(), right.size());
    return length == 0 ? 0 : std::memcmp(left.data(), right.data(), length);
}

std::size_t whole_registers(std::size_t length) {
    return (length + NFT_REG32_SIZE - 1) / NFT_REG32_SIZE * NFT_REG32_SIZE;
}

/// Each field between the first and the last of that element.
bool is_between(const NftSet& set, const NftElement& element, Bytes key) {
    const Bytes first(element.key);
    const Bytes last(element.key_end.empty() ? element.key : element.key_end);
    std::size_t at = 0;
    for (const auto length : set.fields) {
        if (length == 0 || at + length > std::min({key.size(), first.size(), last.size()})) return false;
        const auto own = key.subspan(at, length);
        if (compare(first.subspan(at, length), own) > 0 || compare(own, last.subspan(at, length)) > 0)
            return false;
        at += whole_registers(length);
    }
    return at != 0;
}

/// The elements that a search for the key need look at, by what their keys begin with: in order those that
/// are not behind it, or else all.
std::span<const NftElement> not_behind(const NftSet& set, Bytes key) {
    if (!set.sorted) return set.elements;
    const auto end = std::ranges::partition_point(
        set.elements, [&](const NftElement& one) { return compare(one.key, key) <= 0; });
    return {set.elements.begin(), end};
}

/// Of boundaries the last that is not behind the key: it is in an interval where that begins one.
const NftElement* in_interval(const NftSet& set, Bytes key) {
    const NftElement* nearest = nullptr;
    const auto before = not_behind(set, key);
    for (auto one = before.rbegin(); one != before.rend(); ++one) {
        if (one->key.size() < key.size() || compare(one->key, key) > 0) continue;
        const int order = nearest == nullptr ? 1 : compare(Bytes(one->key).first(key.size()), nearest->key);
        if (set.sorted && order < 0) break;
        // Where one interval ends and the next begins.
        if (order > 0 || (order == 0 && nearest->interval_end)) nearest = &*one;
    }
    return nearest == nullptr || nearest->interval_end ? nullptr : nearest;
}

const NftElement* equal_to(const NftSet& set, Bytes key) {
    const auto before = not_behind(set, key);
    for (auto one = before.rbegin(); one != before.rend(); ++one) {
        const int order = compare(one->key, key);
        if (one->key.size() >= key.size() && !key.empty() && order == 0) return &*one;
        if (set.sorted && order < 0) break;
    }
    return nullptr;
}

const NftElement* ranged(const NftSet& set, Bytes key) {
    for (const auto& element : set.elements) {
        if (!element.key.empty() && is_between(set, element, key)) return &element;
    }
    return nullptr;
}

}  // namespace

std::vector<NftSet> parse_nft_sets(Bytes bytes) {
    std::vector<NftSet> out;
    for_each_object(bytes, NFT_MSG_NEWSET, [&](std::uint8_t family, Bytes attributes) {
        NftSet set;
        set.family = family;
        for_each_attribute(attributes, [&](int type, Bytes value) {
            if (type == NFTA_SET_TABLE) set.table = text(value);
            if (type == NFTA_SET_NAME) set.name = text(value);
            if (type == NFTA_SET_FLAGS) set.flags = number(value);
            if (type == NFTA_SET_KEY_LEN) set.key_length = number(value);
            if (type == NFTA_SET_DESC) set.fields = field_lengths(value);
        });
        if (!set.table.empty() && !set.name.empty() && set.key_length != 0) out.push_back(std::move(set));
    });
    return out;
}

std::vector<NftElement> parse_nft_elements(Bytes bytes) {
    std::vector<NftElement> out;
    for_each_object(bytes, NFT_MSG_NEWSETELEM, [&](std::uint8_t, Bytes attributes) {
        for_each_attribute(attributes, [&](int type, Bytes value) {
            if (type != NFTA_SET_ELEM_LIST_ELEMENTS) return;
            for_each_attribute(value, [&](int, Bytes element) { out.push_back(parse_element(element)); });
        });
    });
    return out;
}

void sort_elements(NftSet& set) {
    std::ranges::stable_sort(set.elements, {}, &NftElement::key);
    set.sorted = true;
}

const NftElement* catch_all(const NftSet& set) {
    for (const auto& one : set.elements) {
        if (one.key.empty() && !one.interval_end) return &one;
        if (set.sorted && !one.key.empty()) break;
    }
    return nullptr;
}

NftFound look_up(const NftSet& set, Bytes key) {
    // Of a set that rules fill (NFT_SET_EVAL) the packet itself may change what it has.
    if (!set.complete || key.size() != set.key_length || (set.flags & NFT_SET_EVAL) != 0)
        return {Kind::unknown, nullptr};
    const bool intervals = (set.flags & NFT_SET_INTERVAL) != 0;
    const auto* found = intervals && !set.fields.empty() ? ranged(set, key)
                        : intervals                      ? in_interval(set, key)
                                                         : equal_to(set, key);
    if (found == nullptr) found = catch_all(set);
    if (found == nullptr) return {};
    if (found->conditional) return {Kind::unknown, nullptr};
    return {Kind::one, found};
}

}  // namespace netlab::kernel
