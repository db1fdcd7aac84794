#pragma once

#include "common/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

/// What /proc says of the machine's processes. Reading it takes CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, and
/// what is read is written by anybody; so it is read in one step and understood in another, which needs
/// nothing.
namespace netlab::kernel {

/// The fields of /proc/PID/status that are of use.
struct ProcessStatus {
    std::int32_t inner_pid = 0;  ///< the last of NSpid: in its innermost PID namespace; 0 where it is missing
    std::int32_t parent_pid = 0;  ///< as this /proc counts
    std::uint32_t effective_uid = 0;
    std::uint32_t threads = 0;
    char state = '?';  ///< R, S, D, Z, T, …
    friend bool operator==(const ProcessStatus&, const ProcessStatus&) = default;
};
[[nodiscard]] ProcessStatus parse_process_status(std::string_view text);

/// The inode of "socket:[1234]"; 0 where the link leads elsewhere.
[[nodiscard]] std::uint64_t socket_inode(std::string_view link);

/// A directory that is read with few system calls.
class DirectoryReader {
  public:
    explicit DirectoryReader(int directory);
    /// The next name, good until the next call; empty at the end and where it cannot be read on.
    [[nodiscard]] const char* next();

  private:
    int directory_;
    std::vector<std::byte> buffer_;
    std::size_t at_ = 0;
    std::size_t end_ = 0;
};

/// Calls `each(pid, directory)` for every process, whose /proc/PID is open (O_PATH): what is opened below it
/// is of that process and of no later one with its number. False where /proc cannot be read.
bool for_each_process(const std::function<void(pid_t pid, int directory)>& each);

/// At most `most` bytes of a small file (1 MiB at most); empty where it cannot be read.
void read_small_file(int directory, const char* name, std::size_t most, std::string& out);

/// /proc/PID/status without its groups, of which there may be 65,536; empty where it cannot be read.
void read_status(int directory, std::string& out);

/// Whether the process whose /proc/PID is open holds this socket. It looks for SocketHolders::patience at
/// most.
[[nodiscard]] bool holds_socket(int directory, std::uint64_t inode);

/// Which processes hold which sockets.
class SocketHolders {
  public:
    struct Process {
        std::int32_t host_pid = 0;
        std::int32_t pid = 0;  ///< inside
        std::string name;      ///< any bytes but zero, 15 at most
    };
    struct Holder {
        std::uint64_t inode = 0;
        std::uint32_t process = 0;
        std::int32_t fd = 0;
        friend auto operator<=>(const Holder&, const Holder&) = default;
    };

    /// Looks at the descriptors of all processes, for `patience` at most: a million descriptors that a
    /// thousand processes share are a thousand million.
    [[nodiscard]] static SocketHolders read();
    /// Looks at those of one more process, by its open /proc/PID.
    void add(pid_t pid, int directory);
    /// Understands what has been read. To be called before the others.
    void settle();

    [[nodiscard]] std::span<const Holder> of(std::uint64_t inode) const;
    [[nodiscard]] const Process& process(const Holder& holder) const { return processes_[holder.process]; }
    static constexpr std::chrono::seconds patience{5};

    /// False where a process' descriptors could not be looked at, or there were too many: a socket that
    /// nobody seems to hold may be that one's.
    [[nodiscard]] bool complete() const { return complete_; }

  private:
    struct Raw {
        pid_t pid = 0;
        std::string name;
        std::string status;
    };
    std::vector<Raw> raw_;
    std::vector<Process> processes_;
    std::vector<Holder> holders_;  ///< by inode, once settled
    bool complete_ = true;
    std::chrono::steady_clock::time_point until_ = std::chrono::steady_clock::now() + patience;
};

}  // namespace netlab::kernel
