#pragma once

#include "common/error.hpp"
#include "common/unique_fd.hpp"

#include <string>
#include <vector>

namespace netlab::operations {

/// Waits for names to come and go without looking: inotify(7), set up in `prepare`, read in `run` without a
/// file system.
class DirectoryWatch {
  public:
    /// errc::operation_failed, e.g. where the user's inotify instances are used up.
    [[nodiscard]] static Result<DirectoryWatch> open();

    /// Watches `name` in `directory`, or every name where it is empty. Where the directory does not exist,
    /// the nearest one above that does is watched for the next part of the path. To be called before looking:
    /// what changes in between is then seen.
    [[nodiscard]] Result<void> add(const std::string& directory, const std::string& name = {});

    /// To be polled for POLLIN.
    [[nodiscard]] int descriptor() const { return inotify_.get(); }

    /// Reads what has happened. True where a watched name came, went or was replaced, or where that cannot be
    /// told any more.
    [[nodiscard]] bool changed();

  private:
    struct Watched {
        int descriptor = -1;
        std::string name;
    };

    [[nodiscard]] bool concerns(int descriptor, std::string_view name) const;

    UniqueFd inotify_;
    std::vector<Watched> watched_;
};

}  // namespace netlab::operations
