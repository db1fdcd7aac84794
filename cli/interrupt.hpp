#pragma once

#include "common/unique_fd.hpp"

namespace netlab::cli {

/// Turns the first SIGINT or SIGTERM into a readable descriptor, so that a command can print its summary; a
/// second one ends the process as ever. As with ping(8), also where it was ignored at the start (a script's
/// job in the background): who sends it means it. One at a time in a process.
class Interrupt {
  public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    /// Readable once the signal has come; borrowed.
    [[nodiscard]] int descriptor() const { return event_.get(); }

  private:
    UniqueFd event_;
};

}  // namespace netlab::cli
