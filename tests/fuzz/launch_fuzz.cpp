#include "daemon/launcher/protocol.hpp"
#include "tests/fuzz/orders.hpp"

#include <cstring>
#include <vector>

/// What the front sends to the launcher, and what a worker then decodes of it before it has dropped anything.
/// The first byte says whether the message's length is made to fit: few mutations would get further.

using namespace netlab;
using namespace netlab::fuzz;
using namespace netlab::launcher;

namespace {

void fit_length(std::span<std::byte> packet) {
    LaunchHeader header;
    if (packet.size() < sizeof header) return;
    std::memcpy(&header, packet.data(), sizeof header);
    const auto before = sizeof header + header.target_count * sizeof(NamespaceReference);
    if (packet.size() < before) return;
    header.magic = magic;
    header.request_size = static_cast<std::uint32_t>(packet.size() - before);
    std::memcpy(packet.data(), &header, sizeof header);
}

/// What open_namespaces() builds on.
void check_reference(const NamespaceReference& reference) {
    check(reference.path.back() == '\0' && reference.pid >= 0);
    check((reference.way == Way::path) == (reference.path.front() == '/'));
    if (reference.way == Way::host) check(reference.pid == 0);
    if (reference.way == Way::process) check(reference.pid > 0);
}

/// What a worker asks of the launcher while it runs.
void look_at_question(std::span<const std::byte> bytes) {
    const auto question = parse_peer_question(bytes);
    if (question) check(std::ranges::equal(std::as_bytes(std::span(&*question, 1)), bytes));
}

/// What the launcher would refuse is not sent.
void make_too_much() {
    const std::vector<std::byte> request(largest_request + 1);
    const std::vector<NamespaceReference> references(most_targets + 1);
    check(!make_launch({}, {}, request) && !make_launch({}, references, {}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        make_too_much();
        return 0;
    }
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    look_at_question(bytes);
    std::vector<std::byte> packet(bytes.begin(), bytes.end());
    if (data[0] % 2 == 0) fit_length(packet);
    const auto launch = parse_launch(packet);
    if (!launch) return 0;
    check(launch->targets.size() <= most_targets && launch->request.size() <= largest_request);
    for (const auto& reference : launch->targets)
        check_reference(reference);
    const auto again = make_launch(launch->header, launch->targets, launch->request);
    check(again && *again == packet);
    (void)decode_order(launch->header.operation, launch->request);
    return 0;
}
