#pragma once

#include "common/api/catalogue.hpp"
#include "common/api/context.hpp"
#include "common/binary.hpp"
#include "common/frame.hpp"
#include "common/unique_fd.hpp"
#include "daemon/launcher/protocol.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/socket.h>

/// A launcher, and the front's part of the conversation, played by a test.
namespace netlab::test {

/// Both ends of a socket pair of that type.
[[nodiscard]] std::array<UniqueFd, 2> socket_pair(int type);

struct Frame {
    frame::Kind kind;
    std::vector<std::byte> payload;
};

/// A launcher in a process of its own.
class RunningLauncher {
  public:
    RunningLauncher();
    ~RunningLauncher();
    RunningLauncher(const RunningLauncher&) = delete;
    RunningLauncher& operator=(const RunningLauncher&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// One packet; with a descriptor where that is not -1.
    void send(std::span<const std::byte> packet, int descriptor);

    [[nodiscard]] std::optional<launcher::Notice> notice(
        std::chrono::milliseconds patience = std::chrono::seconds(3));

    /// Our end of the worker's stream.
    template <class Request>
    UniqueFd launch(const Request& request, std::span<const launcher::NamespaceReference> targets,
                    std::uint32_t deadline_ms = 0) {
        auto [ours, workers] = socket_pair(SOCK_STREAM);
        launcher::LaunchHeader header;
        header.operation = api::operation_number<Request>();
        header.id = ++last_id_;
        header.deadline_ms = deadline_ms;
        const auto packet =
            launcher::make_launch(header, targets, binary::encode(api::Order<Request>{{}, request}));
        REQUIRE(packet);
        send(*packet, workers.get());
        return std::move(ours);
    }

  private:
    UniqueFd channel_;
    pid_t pid_ = -1;
    std::uint64_t last_id_ = 0;
};

/// All that a worker says.
[[nodiscard]] std::vector<Frame> frames(int stream);
[[nodiscard]] std::string error_code_of(const Frame& frame);

[[nodiscard]] launcher::NamespaceReference by_path(const std::string& path);

/// A named namespace with one address, for the length of a test.
struct NamedNamespace {
    NamedNamespace();
    ~NamedNamespace();
    NamedNamespace(const NamedNamespace&) = delete;
    NamedNamespace& operator=(const NamedNamespace&) = delete;
    [[nodiscard]] std::string path() const { return "/run/netns/" + name; }

    std::string name;
    std::uint64_t inode = 0;
    std::uint64_t device = 0;
};

}  // namespace netlab::test
