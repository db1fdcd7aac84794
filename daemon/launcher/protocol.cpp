#include "daemon/launcher/protocol.hpp"

#include <cstring>

namespace netlab::launcher {

namespace {

Error refused(const char* why) {
    return {errc::protocol_error, std::string("launch message: ") + why, {}, {}};
}

bool valid(const NamespaceReference& reference) {
    // The path is read up to its zero, so one must be there, and what follows it must not carry anything
    // along.
    const auto& path = reference.path;
    const auto* end = static_cast<const char*>(std::memchr(path.data(), '\0', path.size()));
    if (end == nullptr) return false;
    for (const char* at = end; at != path.data() + path.size(); ++at) {
        if (*at != '\0') return false;
    }
    const bool has_path = path[0] != '\0';
    if (reference.pid < 0 || reference.may_fail > 1 || reference.reserved != 0) return false;
    switch (reference.way) {
        case Way::host:
            return !has_path && reference.pid == 0;
        case Way::path:
            return path[0] == '/';
        case Way::process:
            return !has_path && reference.pid > 0;
    }
    return false;
}

}  // namespace

Result<Launch> parse_launch(std::span<const std::byte> packet) {
    Launch launch;
    if (packet.size() < sizeof launch.header) return refused("too short");
    std::memcpy(&launch.header, packet.data(), sizeof launch.header);
    packet = packet.subspan(sizeof launch.header);
    const auto& header = launch.header;
    if (header.magic != magic) return refused("wrong magic");
    if (header.target_count > most_targets) return refused("too many namespaces");
    if (header.request_size > largest_request) return refused("request too large");
    const auto references = header.target_count * sizeof(NamespaceReference);
    if (packet.size() != references + header.request_size) return refused("wrong length");
    launch.targets.resize(header.target_count);
    if (references > 0) std::memcpy(launch.targets.data(), packet.data(), references);
    for (const auto& reference : launch.targets) {
        if (!valid(reference)) return refused("invalid namespace reference");
    }
    launch.request = packet.subspan(references);
    return launch;
}

std::optional<PeerQuestion> parse_peer_question(std::span<const std::byte> packet) {
    PeerQuestion question;
    if (packet.size() != sizeof question) return std::nullopt;
    std::memcpy(&question, packet.data(), sizeof question);
    if (question.magic != peer_magic || question.reserved != 0) return std::nullopt;
    return question;
}

Result<std::vector<std::byte>> make_launch(LaunchHeader header, std::span<const NamespaceReference> targets,
                                           std::span<const std::byte> request) {
    if (targets.size() > most_targets || request.size() > largest_request ||
        sizeof header + targets.size_bytes() + request.size() > largest_message) {
        return Error{errc::too_large,
                     "the request does not fit into one message to the launcher",
                     "name fewer targets at once",
                     {}};
    }
    header.target_count = static_cast<std::uint16_t>(targets.size());
    header.request_size = static_cast<std::uint32_t>(request.size());
    std::vector<std::byte> packet(sizeof header + targets.size_bytes() + request.size());
    auto* at = packet.data();
    std::memcpy(at, &header, sizeof header);
    at += sizeof header;
    if (!targets.empty()) std::memcpy(at, targets.data(), targets.size_bytes());
    at += targets.size_bytes();
    if (!request.empty()) std::memcpy(at, request.data(), request.size());
    return packet;
}

}  // namespace netlab::launcher
