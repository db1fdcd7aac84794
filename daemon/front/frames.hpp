#pragma once

#include "common/frame.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace netlab::front {

/// Takes a worker's stream apart, however the reads have cut it. Pure; it trusts nothing.
class Frames {
  public:
    enum class Kind {
        none,    ///< nothing more in the input
        data,    ///< `bytes` is a piece of the response's body, not always a whole frame
        record,  ///< `bytes` is one whole record
        counts,  ///< `counts` is what the worker has counted
        error,   ///< `code` and the JSON of it in `bytes`; nothing but the end may follow
        end,     ///< the operation has said all
        broken,  ///< not a stream of frames: an unknown kind, a frame over frame::largest, a frame after the
                 ///< last
    };
    struct Piece {
        Kind kind = Kind::none;
        std::span<const std::byte> bytes;  ///< into `input` or into this object, until the next call
        std::uint16_t code = 0;            ///< of an error: an errc, unchecked
        frame::Counts counts{};
    };

    /// The next piece of `input`, which is shortened by what was taken. Once broken it stays so.
    [[nodiscard]] Piece next(std::span<const std::byte>& input);

  private:
    [[nodiscard]] bool read_header(std::span<const std::byte>& input);
    [[nodiscard]] bool header_allowed() const;
    [[nodiscard]] Piece whole(std::span<const std::byte> payload);

    frame::Header header_;
    std::array<std::byte, sizeof(frame::Header)> partial_{};
    std::size_t have_ = 0;         ///< bytes of the header in `partial_`
    std::size_t left_ = 0;         ///< bytes of a data frame that have not come yet
    std::vector<std::byte> held_;  ///< a record or an error that came in several reads
    bool in_frame_ = false;
    bool said_error_ = false;
    bool ended_ = false;
    bool broken_ = false;
};

}  // namespace netlab::front
