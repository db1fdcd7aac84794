#pragma once

#include "cli/block_file.hpp"
#include "cli/capture_ledger.hpp"
#include "cli/capture_words.hpp"

#include <deque>
#include <optional>

namespace netlab::cli {

/// The name of a ring's file, counted from 1, as dumpcap(1) has it: "dir/a_00001.pcapng" of "dir/a.pcapng".
[[nodiscard]] std::string ring_name(const std::string& path, std::uint64_t number);

/// A capture's bytes on their way into a file, into a ring of files, or into a pipe: whole blocks only, as
/// few writes as may be, each of which ends with a block.
class CaptureFile {
  public:
    /// The file is opened when there is something to write: a mistake in a filter does not empty it.
    explicit CaptureFile(std::string path) : path_(std::move(path)) {}
    /// Each file of the ring begins with all that was said before the first packet. At most `ring.files` are
    /// kept, the oldest is removed. None has more than `ring.bytes` unless it has one packet only.
    CaptureFile(std::string path, Ring ring) : path_(std::move(path)), ring_(ring) {}
    /// What is open already.
    explicit CaptureFile(BlockFile file) : file_(std::move(file)) {}

    struct Taken {
        std::size_t bytes = 0;
        bool unwanted = false;  ///< the pipe has no reader any more
    };
    /// Writes the whole blocks that `bytes` begin with; what is behind them is to come again, with more.
    /// errc::protocol_error where it is no capture: what was whole before it is written; errc::bad_request
    /// where a file of the ring is too small for its beginning; errc::operation_failed.
    [[nodiscard]] Result<Taken> take(std::span<const std::byte> bytes);
    /// At the end, also where the capture broke. errc::operation_failed.
    [[nodiscard]] Result<void> finish();

    [[nodiscard]] const CaptureLedger& ledger() const { return ledger_; }
    /// Those that are there, oldest first; empty where nothing was opened by a name.
    [[nodiscard]] const std::deque<std::string>& files() const { return files_; }
    [[nodiscard]] std::uint64_t created() const { return created_; }  ///< files, with those removed again
    [[nodiscard]] std::uint64_t size() const { return closed_size_ + file_.size(); }  ///< bytes written

  private:
    Result<void> walk(std::span<const std::byte> bytes, Taken& taken);
    Result<void> place(const pcapng::Block& block, std::span<const std::byte> bytes, Taken& taken);
    Result<void> write(std::span<const std::byte> blocks, Taken& taken);
    Result<void> open();
    Result<void> open_next(Taken& taken);

    std::string path_;
    std::optional<Ring> ring_;
    BlockFile file_;
    CaptureLedger ledger_;
    pcapng::ByteOrder order_ = pcapng::ByteOrder::unknown;
    pcapng::Bytes beginning_;    ///< of each file of a ring
    std::size_t unwritten_ = 0;  ///< where in the bytes that are walked begins what is not written
    bool has_more_ = false;      ///< than its beginning: the ring's current file
    std::deque<std::string> files_;
    std::uint64_t created_ = 0;
    std::uint64_t closed_size_ = 0;
};

}  // namespace netlab::cli
