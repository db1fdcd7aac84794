#include "cli/capture_file.hpp"

#include <cstdio>

namespace netlab::cli {

std::string ring_name(const std::string& path, std::uint64_t number) {
    const auto slash = path.rfind('/');
    const auto name = slash == std::string::npos ? 0 : slash + 1;
    auto dot = path.rfind('.');
    if (dot == std::string::npos || dot <= name) dot = path.size();
    auto digits = std::to_string(number);
    if (digits.size() < 5) digits.insert(0, 5 - digits.size(), '0');
    return path.substr(0, dot) + "_" + digits + path.substr(dot);
}

Result<CaptureFile::Taken> CaptureFile::take(std::span<const std::byte> bytes) {
    Taken taken;
    unwritten_ = 0;
    const auto walked = walk(bytes, taken);
    // What came whole is kept also where something else is behind it.
    auto written = write(bytes.subspan(unwritten_, taken.bytes - unwritten_), taken);
    if (!walked) return walked.error();
    if (!written) return written.error();
    return taken;
}

Result<void> CaptureFile::walk(std::span<const std::byte> bytes, Taken& taken) {
    while (!taken.unwanted) {
        const auto block = pcapng::first_block(bytes.subspan(taken.bytes), order_);
        if (!block) return block.error();
        if (!*block) break;
        if (auto noted = ledger_.note(**block); !noted) return noted.error();
        if (ring_) {
            if (auto placed = place(**block, bytes, taken); !placed) return placed.error();
        }
        taken.bytes += (*block)->bytes.size();
    }
    return {};
}

/// Which file of the ring it goes to.
Result<void> CaptureFile::place(const pcapng::Block& block, std::span<const std::byte> bytes, Taken& taken) {
    if (belongs_to_beginning(block.type)) {
        beginning_.insert(beginning_.end(), block.bytes.begin(), block.bytes.end());
        if (beginning_.size() >= ring_->bytes) {
            return Error{errc::bad_request,
                         "--ring: a file of " + std::to_string(ring_->bytes) +
                             " bytes has no room for packets: what each begins with takes " +
                             std::to_string(beginning_.size()),
                         "a greater SIZE, or fewer points",
                         {}};
        }
        // The first file gets it when it is opened.
        if (!file_.is_open()) unwritten_ = taken.bytes + block.bytes.size();
        return {};
    }
    const auto size = file_.size() + (taken.bytes - unwritten_) + block.bytes.size();
    if (!file_.is_open() || (has_more_ && size > ring_->bytes)) {
        if (auto written = write(bytes.subspan(unwritten_, taken.bytes - unwritten_), taken); !written)
            return written;
        unwritten_ = taken.bytes;
        if (auto opened = open_next(taken); !opened) return opened;
    }
    has_more_ = true;
    return {};
}

Result<void> CaptureFile::write(std::span<const std::byte> blocks, Taken& taken) {
    if (blocks.empty()) return {};
    if (!file_.is_open()) {
        if (auto opened = open(); !opened) return opened;
    }
    const auto written = file_.write(blocks);
    if (!written) return written.error();
    taken.unwanted = taken.unwanted || *written == BlockFile::Written::unwanted;
    return {};
}

Result<void> CaptureFile::open() {
    const auto name = ring_ ? ring_name(path_, created_ + 1) : path_;
    auto file = BlockFile::create(name);
    if (!file) return file.error();
    file_ = std::move(*file);
    files_.push_back(name);
    ++created_;
    return {};
}

Result<void> CaptureFile::open_next(Taken& taken) {
    closed_size_ += file_.size();
    if (auto closed = file_.close(); !closed) return closed;
    file_ = {};
    // Before the next one is made: the disk may be small.
    if (files_.size() >= ring_->files) {
        if (std::remove(files_.front().c_str()) != 0 && errno != ENOENT)
            return system_error(errc::operation_failed, "remove " + files_.front(), errno);
        files_.pop_front();
    }
    has_more_ = false;
    if (auto opened = open(); !opened) return opened;
    return write(beginning_, taken);
}

Result<void> CaptureFile::finish() {
    // A ring without a packet still has a file.
    if (Taken taken; ring_ && !file_.is_open() && created_ == 0 && !beginning_.empty()) {
        if (auto opened = open_next(taken); !opened) return opened;
    }
    return file_.close();
}

}  // namespace netlab::cli
