#include "daemon/front/frames.hpp"

#include <algorithm>
#include <cstring>

namespace netlab::front {

Frames::Piece Frames::next(std::span<const std::byte>& input) {
    if (broken_) return {Kind::broken, {}, 0};
    // A frame without bytes says nothing, so it is passed over; a loop, because a worker may send any number
    // of them.
    while (!in_frame_) {
        held_ = {};  // was handed out by the call before
        if (!read_header(input)) return {};
        if (!header_allowed()) {
            broken_ = true;
            return {Kind::broken, {}, 0};
        }
        if (header_.kind == frame::Kind::end) {
            ended_ = true;
            return {Kind::end, {}, 0};
        }
        left_ = header_.size;
        in_frame_ = header_.kind != frame::Kind::data || left_ > 0;
    }
    if (header_.kind == frame::Kind::data) {
        if (input.empty()) return {};
        const auto piece = input.first(std::min(left_, input.size()));
        input = input.subspan(piece.size());
        left_ -= piece.size();
        in_frame_ = left_ > 0;
        return {Kind::data, piece, 0};
    }
    if (held_.empty() && input.size() >= header_.size) {
        const auto payload = input.first(header_.size);
        input = input.subspan(header_.size);
        return whole(payload);
    }
    const auto piece = input.first(std::min(header_.size - held_.size(), input.size()));
    held_.insert(held_.end(), piece.begin(), piece.end());
    input = input.subspan(piece.size());
    return held_.size() == header_.size ? whole(held_) : Piece{};
}

bool Frames::read_header(std::span<const std::byte>& input) {
    const auto piece = input.first(std::min(sizeof header_ - have_, input.size()));
    std::ranges::copy(piece, partial_.begin() + static_cast<std::ptrdiff_t>(have_));
    have_ += piece.size();
    input = input.subspan(piece.size());
    if (have_ < sizeof header_) return false;
    have_ = 0;
    std::memcpy(&header_, partial_.data(), sizeof header_);
    return true;
}

bool Frames::header_allowed() const {
    if (ended_ || header_.size > frame::largest) return false;
    switch (header_.kind) {
        case frame::Kind::data:
        case frame::Kind::record:
            return !said_error_;
        case frame::Kind::error:
            return !said_error_ && header_.size >= sizeof(std::uint16_t);
        case frame::Kind::end:
            return header_.size == 0;
        case frame::Kind::counts:
            return !said_error_ && header_.size == sizeof(frame::Counts);
    }
    return false;
}

Frames::Piece Frames::whole(std::span<const std::byte> payload) {
    in_frame_ = false;
    if (header_.kind == frame::Kind::record) return {Kind::record, payload, 0};
    if (header_.kind == frame::Kind::counts) {
        Piece piece{Kind::counts, {}, 0};
        std::memcpy(&piece.counts, payload.data(), sizeof piece.counts);
        return piece;
    }
    said_error_ = true;
    Piece piece{Kind::error, payload.subspan(sizeof piece.code), 0};
    std::memcpy(&piece.code, payload.data(), sizeof piece.code);
    return piece;
}

}  // namespace netlab::front
