#pragma once

#include "common/unique_fd.hpp"
#include "daemon/operations/operation.hpp"
#include "daemon/operations/output.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace netlab::operations {

/// An engine that says nothing for this long is given up.
inline constexpr std::chrono::seconds engine_silence{10};
inline constexpr std::size_t largest_engine_body = 64 << 20;

/// Connects to an engine's Unix socket without blocking: an engine that hangs has a full queue. For
/// `prepare`, which puts a relay before it (relay_engine). errc::engine_unavailable with a hint.
[[nodiscard]] Result<UniqueFd> connect_engine(const std::string& path);
/// The same, through a relay.
[[nodiscard]] Result<UniqueFd> connect_engine(Namespaces& namespaces, const std::string& path);

struct EngineResponse {
    unsigned status = 0;
    std::string body;
};

/// HTTP/1.1 on one connection to an engine, one request after another. Beast parses; waiting goes through
/// Output. Every call: errc::timed_out after engine_silence, errc::engine_unavailable where the engine hangs
/// up, errc::protocol_error where it does not speak HTTP, errc::too_large.
class EngineConnection {
  public:
    /// `socket` is non-blocking and borrowed, and so is `output`.
    EngineConnection(int socket, Output& output);
    /// No call lasts longer than until then, whatever the engine says (errc::timed_out).
    void give_up_at(Output::Clock::time_point time) { deadline_ = time; }
    ~EngineConnection();
    EngineConnection(const EngineConnection&) = delete;
    EngineConnection& operator=(const EngineConnection&) = delete;

    /// GET `target` (path and query) and the whole of its answer, whatever its status.
    [[nodiscard]] Result<EngineResponse> get(std::string_view target);

    /// GET `target`, whose answer does not end. Returns with the header; where the status is not 200, with
    /// the whole body.
    [[nodiscard]] Result<EngineResponse> open_stream(std::string_view target);

    /// More of the stream's body, however it was cut; waits for it without limit. Empty at its end.
    [[nodiscard]] Result<std::string> read_stream();

  private:
    struct Parser;

    [[nodiscard]] Result<void> send(std::string_view target);
    /// Reads once what there is; errc::engine_unavailable at the end of the connection.
    [[nodiscard]] Result<void> receive(std::optional<Output::Clock::time_point> until);
    [[nodiscard]] Result<void> parse_more(std::optional<Output::Clock::time_point> until);
    [[nodiscard]] Result<EngineResponse> read_whole();

    int socket_;
    Output& output_;
    std::unique_ptr<Parser> parser_;
    std::string received_;  ///< not yet parsed
    bool ended_ = false;
    std::optional<Output::Clock::time_point> deadline_;

    [[nodiscard]] Output::Clock::time_point patience() const;
};

/// Percent-encoding of everything but RFC 3986's unreserved characters.
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace netlab::operations
