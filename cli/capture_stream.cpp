#include "cli/capture_stream.hpp"

#include "cli/render/capture_text.hpp"

namespace netlab::cli {

namespace {

using Clock = Exchange::Clock;

/// When the user is to be told again.
class Beat {
  public:
    explicit Beat(const ShowProgress& show) : show_(show) {}

    [[nodiscard]] std::optional<Clock::time_point> next() const {
        return show_ ? std::optional(next_) : std::nullopt;
    }
    void look(const CaptureFile& file) {
        if (!show_ || Clock::now() < next_) return;
        show_(file);
        next_ = Clock::now() + period;
    }

  private:
    static constexpr std::chrono::milliseconds period{500};
    const ShowProgress& show_;
    Clock::time_point next_ = Clock::now() + period;
};

Result<CaptureFate> follow(Exchange& exchange, const Interrupt& interrupt, CaptureFile& file,
                           const ShowProgress& progress) {
    Beat beat(progress);
    for (;;) {
        const auto piece = exchange.next_piece(interrupt, beat.next());
        if (!piece) return piece.error();
        if (piece->event == Exchange::PieceEvent::unwanted) return CaptureFate::unwanted;
        if (piece->event == Exchange::PieceEvent::interrupted) exchange.finish();
        const auto taken = file.take(std::as_bytes(std::span(piece->bytes)));
        if (!taken) return taken.error();
        if (taken->unwanted) return CaptureFate::unwanted;
        exchange.take(taken->bytes);
        beat.look(file);
        if (piece->event != Exchange::PieceEvent::end) continue;
        if (taken->bytes != piece->bytes.size() || !file.ledger().complete())
            return Error{errc::protocol_error, "netlabd's capture ended without its counts", {}, {}};
        return CaptureFate::complete;
    }
}

}  // namespace

Result<CaptureFate> write_capture(Exchange& exchange, const Interrupt& interrupt, CaptureFile& file,
                                  const ShowProgress& progress) {
    auto fate = follow(exchange, interrupt, file, progress);
    if (!fate && file.size() > 0 && fate.error().code == errc::protocol_error) {
        auto error = fate.error();
        error.message = "the capture broke off: " + error.message;
        error.hint = "the " + capture_text::packets(file.ledger().packets()) + " that came before " +
                     (file.ledger().packets() == 1 ? "is" : "are") + " whole";
        fate = error;
    }
    const auto finished = file.finish();
    if (fate && !finished) return finished.error();
    return fate;
}

}  // namespace netlab::cli
