#include "common/endpoint.hpp"

namespace netlab {

std::string endpoint_text(const IpAddress& address, std::uint16_t port) {
    const auto text = address.to_string();
    return (address.is_v6() ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

}  // namespace netlab
