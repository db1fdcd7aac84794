#include "common/api/catalogue.hpp"
#include "common/api/context.hpp"
#include "common/binary.hpp"
#include "common/json.hpp"
#include "daemon/launcher/protocol.hpp"

using namespace netlab;

namespace {

/// What decodes must encode to bytes that decode to the same again.
template <class T>
void round_trip(std::span<const std::byte> bytes) {
    const auto value = binary::decode<T>(bytes);
    if (!value) return;
    const auto encoded = binary::encode(*value);
    const auto again = binary::decode<T>(encoded);
    // By their bytes: a NaN is not equal to itself.
    if (!again || binary::encode(*again) != encoded) __builtin_trap();
}

template <class Request>
void request(std::span<const std::byte> bytes, const Result<boost::json::value>& json) {
    round_trip<Request>(bytes);
    if (json) (void)json::decode<Request>(*json);
}

}  // namespace

/// What the launcher takes from the front, what a worker takes with it, what the front takes from watchers
/// and from clients.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    (void)launcher::parse_launch(bytes);
    round_trip<api::Context>(bytes);
    round_trip<api::ContainerRecord>(bytes);
    round_trip<api::NamespaceRecord>(bytes);
    round_trip<api::EngineRecord>(bytes);
    const auto json = json::parse({reinterpret_cast<const char*>(data), size});
    std::apply(
        [&](const auto&... row) {
            (request<typename std::remove_cvref_t<decltype(row)>::Request>(bytes, json), ...);
        },
        api::catalogue);
    if (json) (void)json::write(*json);
    return 0;
}
