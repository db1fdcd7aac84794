#pragma once

#include "cli/client.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <cstring>
#include <filesystem>
#include <thread>

#include <sys/socket.h>
#include <sys/un.h>

namespace netlab::test {

/// Speaks to one client: reads its request, writes the pieces one by one, closes. The piece "wait" is a
/// moment, "hold" waits until the client shuts down its sending side.
class FakeDaemon {
  public:
    explicit FakeDaemon(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {
        std::strcpy(directory_, "/tmp/netlab-cli-XXXXXX");
        REQUIRE(::mkdtemp(directory_));
        listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path().c_str());
        REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener_.get(), 1) == 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~FakeDaemon() {
        stop();
        std::filesystem::remove_all(directory_);
    }

    [[nodiscard]] cli::Options options() const { return {"unix://" + path(), "-H", {}, {}}; }
    [[nodiscard]] std::string path() const { return std::string(directory_) + "/s"; }
    /// The request as it came. Ends the daemon.
    [[nodiscard]] std::string request() {
        stop();
        return request_;
    }

  private:
    void stop() {
        ::shutdown(listener_.get(), SHUT_RDWR);  // wakes an accept that nobody came to
        if (thread_.joinable()) thread_.join();
    }

    void serve() {
        const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) return;
        std::array<char, 4096> buffer;
        while (request_.find("\r\n\r\n") == std::string::npos) {
            const auto size = ::recv(client.get(), buffer.data(), buffer.size(), 0);
            if (size <= 0) return;
            request_.append(buffer.data(), static_cast<std::size_t>(size));
        }
        for (const auto& piece : pieces_) {
            if (piece == "wait") {
                std::this_thread::sleep_for(std::chrono::milliseconds(30));
            } else if (piece == "hold") {
                while (::recv(client.get(), buffer.data(), buffer.size(), 0) > 0) {
                }
            } else if (::send(client.get(), piece.data(), piece.size(), MSG_NOSIGNAL) < 0) {
                return;
            }
        }
    }

    char directory_[32];
    std::vector<std::string> pieces_;
    UniqueFd listener_;
    std::string request_;
    std::thread thread_;
};

inline std::string head(int status, const std::string& more) {
    return "HTTP/1.1 " + std::to_string(status) + " x\r\n" + more + "\r\n\r\n";
}

inline std::string whole(int status, const std::string& type, const std::string& body) {
    return head(status, "Content-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size())) +
           body;
}

inline const std::string stream_head =
    head(200, "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked");

}  // namespace netlab::test
