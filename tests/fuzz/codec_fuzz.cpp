#include "common/json.hpp"
#include "daemon/launcher/protocol.hpp"
#include "tests/fuzz/orders.hpp"

/// What a worker takes with its launch, what the front takes from watchers and from clients. The first byte
/// says which struct it should be: to try all of them on everything would be a thirtieth as fast.

using namespace netlab;
using namespace netlab::fuzz;

namespace {

template <class T>
void both_ways(std::span<const std::byte> bytes, std::string_view text) {
    (void)round_trip<T>(bytes);
    const auto value = json::parse(text);
    const auto decoded = value ? json::decode<T>(*value) : Result<T>(value.error());
    if (!decoded) return;
    // What was taken is written so that it is taken again, and is the same.
    const auto again = json::decode<T>(json::encode(*decoded));
    check(again && json::write(*again) == json::write(*decoded));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    const auto text = as_text({data + 1, size - 1});
    std::size_t left = data[0] % (api::catalogue_size + 4);
    const auto choose = [&]<class T>(std::type_identity<T>) {
        if (left-- == 0) both_ways<T>(bytes, text);
    };
    std::apply(
        [&](const auto&... row) {
            (choose(std::type_identity<typename std::remove_cvref_t<decltype(row)>::Request>{}), ...);
        },
        api::catalogue);
    choose(std::type_identity<api::Context>{});
    choose(std::type_identity<api::ContainerRecord>{});
    choose(std::type_identity<api::NamespaceRecord>{});
    choose(std::type_identity<api::EngineRecord>{});
    if (const auto json = json::parse(text)) check(json::parse(json::write(*json)).has_value());
    return 0;
}
