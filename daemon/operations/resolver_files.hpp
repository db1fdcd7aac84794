#pragma once

#include "common/api/resolv.hpp"
#include "daemon/operations/operation.hpp"
#include "daemon/operations/resolv_conf.hpp"

#include <string>
#include <utility>

/// A target's resolv.conf and hosts as rows.
namespace netlab::operations {

/// What can be said of a file that was looked for: a state, and a sentence where it is not simply read.
struct FileVerdict {
    api::ResolvFileState state = api::ResolvFileState::read;
    std::string message;
};
/// `target` as a person calls it.
[[nodiscard]] FileVerdict judge(const ResolverFile& file, const std::string& target);

/// A file that was opened in `prepare`; the descriptor is borrowed.
struct OpenedFile {
    const ResolverFile& about;
    int file = -1;
};

/// For `prepare`: a file that the launcher says nothing of is called `path`, and a descriptor without a story
/// is a regular file's: whoever hands it over has looked at it.
void complete(ResolverFile& about, const UniqueFd& file, const char* path);

struct ReadResolvConf {
    api::ResolvConfRow row;
    ResolvConfReading reading;
};
/// A file that is not there is as one that is empty. Where one cannot be read, or names no server in what was
/// read of it, nobody knows whom programs ask: the row has no server then, and says why.
[[nodiscard]] ReadResolvConf read_resolv_conf_row(const std::string& target, const OpenedFile& opened);
/// errc::operation_failed where nobody knows whom the target's programs ask; `hint` is what to do instead.
[[nodiscard]] Result<void> need_known_servers(const api::ResolvConfRow& row, std::string hint);
[[nodiscard]] api::HostsRow read_hosts_row(const std::string& target, const OpenedFile& opened);

}  // namespace netlab::operations
