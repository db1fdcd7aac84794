#pragma once

#include "common/error.hpp"
#include "common/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace netlab::cli {

/// Where the blocks of a capture are written: a file, a pipe. What it holds can be read at any time, as each
/// write is of whole blocks; where one fails in the middle, a regular file is cut behind its last whole
/// block.
class BlockFile {
  public:
    BlockFile() = default;
    /// An empty file that only its owner may read, as it has other people's packets; one that exists is
    /// emptied and keeps its mode. errc::operation_failed.
    [[nodiscard]] static Result<BlockFile> create(const std::string& path);
    /// Of a descriptor that is open for writing. `name` is how errors call it.
    BlockFile(UniqueFd file, std::string name);

    enum class Written : std::uint8_t { all, unwanted };  ///< unwanted: the pipe has no reader any more
    /// `blocks` are whole. A regular file is not left in the middle of a block by a signal either, while that
    /// can wait; SIGPIPE is the caller's. errc::operation_failed.
    [[nodiscard]] Result<Written> write(std::span<const std::byte> blocks);
    /// errc::operation_failed where what was written cannot be kept (NFS, quota).
    [[nodiscard]] Result<void> close();

    [[nodiscard]] bool is_open() const { return static_cast<bool>(file_); }
    [[nodiscard]] std::uint64_t size() const { return size_; }  ///< bytes that were written to it

  private:
    Error failed(int error_number) const;

    UniqueFd file_;
    std::string name_;
    bool regular_ = false;
    std::uint64_t size_ = 0;
};

}  // namespace netlab::cli
