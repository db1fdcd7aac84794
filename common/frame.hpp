#pragma once

#include <cstddef>
#include <cstdint>

/// The framing of a worker's stream on its way to the front: an 8-byte header, then `size` bytes. The front
/// looks at the header only (and decodes the records of the daemon's own watchers); a client never sees a
/// frame.
namespace netlab::frame {

enum class Kind : std::uint32_t {
    data = 1,    ///< bytes of the response body: whole NDJSON lines, or a piece of a capture
    record = 2,  ///< one struct in the form of common/binary, from a watcher to the front
    error = 3,   ///< an errc (two bytes), then {"error":{…}}; the last frame but `end`
    end = 4,  ///< no payload: the operation has said all. A stream without it ended because its worker died
    counts = 5,  ///< a Counts: how far a capture has come, for the audit
};

struct Header {
    Kind kind = Kind::end;
    std::uint32_t size = 0;
};
static_assert(sizeof(Header) == 8);

struct Counts {
    std::uint64_t packets = 0;  ///< that were delivered
    std::uint64_t dropped = 0;
    friend bool operator==(const Counts&, const Counts&) = default;
};
static_assert(sizeof(Counts) == 16);

/// A longer frame is a broken worker.
inline constexpr std::size_t largest = 256 * 1024;

}  // namespace netlab::frame
