#pragma once

#include "common/api/connect.hpp"
#include "daemon/operations/output.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace netlab::operations {

/// Says a ClientHello (TLS 1.2 and 1.3, whatever the library offers) and sees what comes: OpenSSL's state
/// machine over memory, so that every byte of the other end is taken apart in `run`, without any privilege.
/// Nothing is verified.
class TlsClient {
  public:
    /// For `prepare`: the library's own start needs files and more memory than `run` has. `name` goes into
    /// the ClientHello where it is a host's name. errc::operation_failed.
    [[nodiscard]] static Result<TlsClient> open(const std::string& name);

    TlsClient(TlsClient&&) noexcept;
    TlsClient& operator=(TlsClient&&) noexcept;
    ~TlsClient();

    /// True where the socket is ready for those poll(2) events in time.
    using Wait = std::function<Result<bool>(short events, Output::Clock::time_point until)>;

    /// Over a connected, non-blocking socket; up to the end of the handshake or `patience`. errc as `wait`'s.
    [[nodiscard]] Result<api::TlsAnswer> greet(int socket, std::chrono::nanoseconds patience,
                                               const Wait& wait);

  private:
    struct Library;
    explicit TlsClient(std::unique_ptr<Library> library);
    std::unique_ptr<Library> library_;
};

}  // namespace netlab::operations
