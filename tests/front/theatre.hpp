#pragma once

#include "common/api/watch.hpp"
#include "daemon/front/quotas.hpp"
#include "tests/front/fake_launcher.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>
#include <sys/types.h>

namespace netlab::front_test {

/// One answer taken apart.
struct Answer {
    unsigned status = 0;
    std::string head;
    std::string body;    ///< with its chunks put together
    bool whole = false;  ///< its Content-Length or its last chunk was there

    [[nodiscard]] std::string error_code() const;  ///< of the body's last line, "" where that is no error
    [[nodiscard]] boost::json::value json() const;
};

/// A client's connection.
class Client {
  public:
    explicit Client(const std::string& path);
    void send(std::string_view bytes) const;
    /// What comes until `needle` has come, the other side closes, or `patience` is over.
    std::string read_until(std::string_view needle,
                           std::chrono::milliseconds patience = std::chrono::seconds(5));
    /// One whole answer.
    Answer answer(std::chrono::milliseconds patience = std::chrono::seconds(5));
    /// True where the other side closes within `patience`; what it still says is dropped.
    [[nodiscard]] bool closed(std::chrono::milliseconds patience = std::chrono::seconds(3));
    void close() { socket_.reset(); }
    [[nodiscard]] int get() const { return socket_.get(); }

  private:
    bool read_some(std::chrono::steady_clock::time_point until);

    UniqueFd socket_;
    std::string unread_;
};

/// The real front in a process of its own, sandboxed, with a fake launcher and this test as its supervisor.
class Theatre {
  public:
    struct Settings {
        std::chrono::milliseconds drain{10'000};
        std::string containers = "co1 a 4001\nco2 b 4002\nstopped c 0\n";
        bool engine = true;
        bool hanging_engine = false;
        front::QuotaLimits quota{};
        std::size_t descriptors = 0;  ///< RLIMIT_NOFILE, 0: this test's
    };
    Theatre() : Theatre(Settings{}) {}
    explicit Theatre(const Settings& settings);
    ~Theatre();
    Theatre(const Theatre&) = delete;
    Theatre& operator=(const Theatre&) = delete;

    [[nodiscard]] Stage& stage() { return *stage_; }
    [[nodiscard]] Client connect() const { return Client(path_); }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] pid_t front() const { return front_; }
    /// What the front has written to standard error; with FRONT_LOG in the environment it goes to the test's.
    [[nodiscard]] std::string log() const;

    /// On a connection of its own.
    [[nodiscard]] Answer get(std::string_view path) const;
    [[nodiscard]] Answer post(std::string_view path, std::string_view body) const;
    [[nodiscard]] static std::string post_text(std::string_view path, std::string_view body);
    [[nodiscard]] static std::string ping_text(std::string_view script, unsigned count = 3);

    void set_containers(std::string_view lines);
    void say(const api::EngineRecord& record) const;
    [[nodiscard]] std::vector<std::string> names() const;  ///< of GET /v1/targets

    void kill_launcher();
    void new_launcher();
    void drop_supervisor() { supervisor_.reset(); }
    /// The front's exit status, 128 + N for a signal; -1 where it lives on.
    int wait_for_front(std::chrono::milliseconds patience = std::chrono::seconds(5));

  private:
    UniqueFd start_launcher();
    void start_front(const Settings& settings, UniqueFd listener, UniqueFd channel);

    std::string folder_;
    std::string path_;
    Stage* stage_ = nullptr;
    UniqueFd supervisor_;
    UniqueFd events_;          ///< the test's end
    UniqueFd watcher_events_;  ///< the watchers' end
    pid_t launcher_ = -1;
    pid_t front_ = -1;
};

}  // namespace netlab::front_test
