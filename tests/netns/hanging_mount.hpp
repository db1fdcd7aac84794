#pragma once

#include "common/unique_fd.hpp"

#include <string>
#include <thread>

namespace netlab::test {

/// Something mounted as long as this lives.
struct Mount {
    Mount(const char* source, std::string at, const char* type, const std::string& options = "");
    ~Mount();
    Mount(const Mount&) = delete;
    Mount& operator=(const Mount&) = delete;

    std::string path;
};

/// A FUSE file system whose server answers no question about a file. Of one that has not read the question
/// whoever waits can be killed; of one that has, he cannot (request_wait_answer() in fs/fuse/dev.c).
class HangingMount {
  public:
    enum class Server : std::uint8_t { reads_nothing, reads_and_is_silent };
    HangingMount(const std::string& path, Server server);
    ~HangingMount();
    HangingMount(const HangingMount&) = delete;
    HangingMount& operator=(const HangingMount&) = delete;

  private:
    void read_on() const;

    UniqueFd fuse_;  ///< closed after the mount is gone, so that nothing waits for ever
    Mount mount_;
    UniqueFd stop_;  ///< an eventfd
    std::thread reader_;
};

}  // namespace netlab::test
