#include "daemon/operations/transmit_keys.hpp"

namespace netlab::operations {

void TransmitKeys::sent(std::uint64_t seq, Nanoseconds before, Nanoseconds after) {
    last_ = seq;
    before_ = before;
    after_ = after;
}

std::optional<std::uint64_t> TransmitKeys::find(std::uint32_t key, Nanoseconds at) {
    if (last_ == 0) return std::nullopt;
    if (at >= before_ && at <= after_) {
        offset_ = static_cast<std::uint32_t>(last_) - key;
        return last_;
    }
    // It left later than it was sent: it waited for its neighbour's address.
    if (!offset_) return std::nullopt;
    const auto behind = static_cast<std::uint32_t>(last_) - (key + *offset_);
    if (behind >= last_) return std::nullopt;
    return last_ - behind;
}

}  // namespace netlab::operations
