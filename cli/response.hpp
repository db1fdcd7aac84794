#pragma once

#include "common/error.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace netlab::cli {

/// An HTTP/1.1 response, read from whatever pieces it comes in: bytes in, head, lines and body out. No I/O.
class ResponseReader {
  public:
    ResponseReader();
    ResponseReader(ResponseReader&&) noexcept;
    ResponseReader& operator=(ResponseReader&&) noexcept;
    ~ResponseReader();

    /// Takes what came. errc::protocol_error where it is no HTTP response, or its head or a line is longer
    /// than netlabd's ever are.
    [[nodiscard]] Result<void> feed(std::string_view bytes);
    /// The server has closed its end. errc::protocol_error where the response was not whole.
    [[nodiscard]] Result<void> feed_end();

    [[nodiscard]] bool has_head() const;
    [[nodiscard]] bool done() const;
    [[nodiscard]] unsigned status() const;           ///< once has_head()
    [[nodiscard]] std::string content_type() const;  ///< once has_head(); lower case, without parameters
    /// The next whole line of the body without its newline; once done(), also a last one that has none.
    [[nodiscard]] std::optional<std::string> take_line();
    /// All of the body that has not been taken.
    [[nodiscard]] std::string take_body();
    /// The same without taking it: borrowed until the next call that feeds or takes.
    [[nodiscard]] std::string_view body() const { return std::string_view(body_).substr(taken_); }
    /// Of body(), from its begin.
    void take(std::size_t bytes);

  private:
    [[nodiscard]] Result<std::size_t> parse(std::string_view bytes);

    struct Parser;
    std::unique_ptr<Parser> parser_;
    std::string unparsed_;  ///< the begin of a head, or of a chunk's
    std::string body_;
    std::size_t taken_ = 0;     ///< of body_: a long dump is not moved for each of its lines
    std::size_t searched_ = 0;  ///< no newline in body_ from taken_ up to it
};

}  // namespace netlab::cli
