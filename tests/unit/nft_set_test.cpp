#include "daemon/kernel/nft_set.hpp"

#include "tests/support/catch.hpp"

#include <random>

#include <linux/netfilter/nf_tables.h>

using namespace netlab::kernel;
using Kind = NftFound::Kind;

namespace {

std::vector<std::byte> bytes(std::initializer_list<int> values) {
    std::vector<std::byte> out;
    for (const int value : values)
        out.push_back(static_cast<std::byte>(value));
    return out;
}

NftElement element(std::initializer_list<int> key, std::initializer_list<int> key_end = {}) {
    NftElement out;
    out.key = bytes(key);
    out.key_end = bytes(key_end);
    return out;
}

NftElement behind(std::initializer_list<int> key) {
    auto out = element(key);
    out.interval_end = true;
    return out;
}

NftSet set_of(std::uint32_t flags, std::uint32_t key_length, std::vector<NftElement> elements) {
    NftSet out;
    out.flags = flags;
    out.key_length = key_length;
    out.elements = std::move(elements);
    out.complete = true;
    return out;
}

Kind kind(const NftSet& set, std::initializer_list<int> key) {
    return look_up(set, bytes(key)).kind;
}

}  // namespace

TEST_CASE("nft set: a key is in it or not", "[unit]") {
    const auto ports = set_of(0, 2, {element({0, 22}), element({0, 80})});
    CHECK(kind(ports, {0, 80}) == Kind::one);
    CHECK(look_up(ports, bytes({0, 80})).element == &ports.elements[1]);
    CHECK(kind(ports, {0, 81}) == Kind::none);
    CHECK(kind(ports, {0}) == Kind::unknown);
    CHECK(kind(ports, {0, 0, 80}) == Kind::unknown);
    CHECK(kind(set_of(0, 2, {}), {0, 80}) == Kind::none);
}

TEST_CASE("nft set: of what is not whole, or has a limit, nothing is known", "[unit]") {
    auto ports = set_of(0, 2, {element({0, 22})});
    ports.elements[0].conditional = true;
    CHECK(kind(ports, {0, 22}) == Kind::unknown);
    CHECK(kind(ports, {0, 23}) == Kind::none);
    ports.complete = false;
    CHECK(kind(ports, {0, 23}) == Kind::unknown);
}

TEST_CASE("nft set: intervals lie between two boundaries, in any order", "[unit]") {
    // As the kernel says {10-19, 20-29, 200-}: the last has no end.
    const auto set =
        set_of(NFT_SET_INTERVAL, 1,
               {behind({0}), behind({30}), element({20}), behind({20}), element({10}), element({200})});
    for (const int in : {10, 19, 20, 29, 200, 255}) {
        INFO(in);
        CHECK(kind(set, {in}) == Kind::one);
    }
    for (const int out : {0, 9, 30, 199}) {
        INFO(out);
        CHECK(kind(set, {out}) == Kind::none);
    }
    CHECK(look_up(set, bytes({20})).element == &set.elements[2]);
}

TEST_CASE("nft set: of a concatenation each field lies in its own range", "[unit]") {
    // 10-20 . 80-90; each field begins a register.
    auto set = set_of(NFT_SET_INTERVAL | NFT_SET_CONCAT, 8,
                      {element({10, 0, 0, 0, 0, 80, 0, 0}, {20, 0, 0, 0, 0, 90, 0, 0})});
    set.fields = {1, 2};
    CHECK(kind(set, {10, 0, 0, 0, 0, 80, 0, 0}) == Kind::one);
    CHECK(kind(set, {20, 0, 0, 0, 0, 90, 0, 0}) == Kind::one);
    CHECK(kind(set, {15, 0, 0, 0, 0, 91, 0, 0}) == Kind::none);
    CHECK(kind(set, {21, 0, 0, 0, 0, 85, 0, 0}) == Kind::none);
    // Of one value there is no end.
    set.elements[0].key_end.clear();
    CHECK(kind(set, {10, 0, 0, 0, 0, 80, 0, 0}) == Kind::one);
    CHECK(kind(set, {11, 0, 0, 0, 0, 80, 0, 0}) == Kind::none);
}

TEST_CASE("nft set: the element for all others is found last", "[unit]") {
    const auto set = set_of(0, 2, {element({}), element({0, 22})});
    CHECK(look_up(set, bytes({0, 22})).element == &set.elements[1]);
    CHECK(look_up(set, bytes({0, 23})).element == &set.elements[0]);
    auto intervals = set_of(NFT_SET_INTERVAL, 1, {element({}), behind({0}), element({10}), behind({20})});
    CHECK(look_up(intervals, bytes({15})).element == &intervals.elements[2]);
    CHECK(look_up(intervals, bytes({25})).element == &intervals.elements[0]);
}

TEST_CASE("nft set: sorted elements are found as all are gone through", "[unit]") {
    std::mt19937 random(20261127);
    const auto number = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
    int found = 0;
    for (int round = 0; round < 2000; ++round) {
        const bool intervals = number(2) == 0;
        std::vector<NftElement> elements;
        for (int i = number(12); i > 0; --i) {
            // Keys of another length do not come of the kernel, and must not be taken for others.
            auto one = element({number(2), number(6)});
            if (number(20) == 0) one.key.push_back(std::byte(number(3)));
            if (number(20) == 0) one.key.pop_back();
            if (number(20) == 0) one.key.clear();
            one.interval_end = intervals && number(2) == 0;
            elements.push_back(std::move(one));
        }
        const auto set = set_of(intervals ? unsigned{NFT_SET_INTERVAL} : 0U, 2, std::move(elements));
        auto sorted = set;
        sort_elements(sorted);
        for (int high = 0; high < 2; ++high) {
            for (int low = 0; low < 6; ++low) {
                const auto key = bytes({high, low});
                const auto one = look_up(set, key);
                const auto other = look_up(sorted, key);
                CHECK(one.kind == other.kind);
                if (one.element == nullptr || other.element == nullptr) continue;
                ++found;
                CHECK(one.element->interval_end == other.element->interval_end);
                CHECK(one.element->key.empty() == other.element->key.empty());
            }
        }
    }
    CHECK(found > 1000);
}
