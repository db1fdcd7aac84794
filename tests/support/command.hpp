#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <boost/json/value.hpp>
#include <sys/types.h>

namespace netlab::support {

using Words = std::vector<std::string>;

/// What a program left behind.
struct Finished {
    int status = -1;  ///< exit status; 128 + N where signal N ended it
    std::string out;
    std::string err;
    std::chrono::milliseconds took{0};

    [[nodiscard]] std::vector<std::string> lines() const;               ///< of `out`
    [[nodiscard]] boost::json::value json() const;                      ///< `out` as one value; throws
    [[nodiscard]] std::vector<boost::json::object> json_lines() const;  ///< `out` as JSON Lines; throws
};

/// A program that runs in the background, with its output kept. Its destructor ends it (SIGTERM, then
/// SIGKILL) by its PID.
class Process {
  public:
    explicit Process(const Words& words, const std::map<std::string, std::string>& environment = {});
    ~Process();
    Process(Process&& other) noexcept;
    Process& operator=(Process&&) = delete;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    void signal(int number) const;
    [[nodiscard]] bool running();
    /// Waits for its end; kills it at `patience`, and then status is 137.
    Finished wait(std::chrono::milliseconds patience = std::chrono::seconds(60));
    /// What it has written to stdout and stderr up to now.
    [[nodiscard]] std::string out_so_far() const;
    [[nodiscard]] std::string err_so_far() const;

  private:
    pid_t pid_ = -1;
    int out_ = -1;
    int err_ = -1;
    bool reaped_ = false;
    int status_ = -1;
    std::chrono::steady_clock::time_point started_;
};

/// Runs a program to its end; its stdin is empty.
Finished run(const Words& words, const std::map<std::string, std::string>& environment = {});

/// The same, and throws where it does not end with 0.
Finished run_well(const Words& words, const std::map<std::string, std::string>& environment = {});

/// Asks `condition` every 5 ms until it holds; false at the end of `patience`.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

}  // namespace netlab::support
