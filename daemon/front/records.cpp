#include "daemon/front/records.hpp"

#include "common/described.hpp"

namespace netlab::front {

namespace {

/// The JSON is not parsed here: its code is known, and the rest is a detail for the log, which escapes it.
Error said(const Frames::Piece& piece) {
    const auto code = static_cast<errc>(piece.code);
    const std::string_view text(reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size());
    if (boost::describe::enum_to_string(code, nullptr) == nullptr) {
        return {errc::protocol_error, "an error of an unknown code", {}, {}};
    }
    return {code,
            "netlab's own process for it failed (" + std::string(described::enumerator_name(code)) + ")",
            {},
            {std::string(text.substr(0, 512))}};
}

}  // namespace

asio::awaitable<Result<std::optional<std::span<const std::byte>>>> Records::next_bytes() {
    for (;;) {
        const auto piece = frames_.next(rest_);
        switch (piece.kind) {
            case Frames::Kind::record:
                co_return std::optional(piece.bytes);
            case Frames::Kind::end:
                worker_.said_all();
                co_return std::optional<std::span<const std::byte>>();
            case Frames::Kind::error:
                worker_.said_all();
                co_return said(piece);
            case Frames::Kind::data:
            case Frames::Kind::counts:
            case Frames::Kind::broken:
                co_return Error{errc::protocol_error, "something that is not a record", {}, {}};
            case Frames::Kind::none:
                break;
        }
        const auto [error, size] = co_await worker_.stream().async_read_some(asio::buffer(memory_), awaiting);
        if (error || worker_.stopped()) {
            auto why = co_await worker_.why_it_ended(std::chrono::seconds(1));
            co_return why;
        }
        rest_ = std::span(memory_).first(size);
    }
}

}  // namespace netlab::front
