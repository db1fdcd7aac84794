#include "cli/pairs.hpp"

#include "cli/render/error_text.hpp"
#include "cli/render/escape.hpp"
#include "cli/render/pairs_text.hpp"
#include "cli/stream_events.hpp"

#include <chrono>

namespace netlab::cli {

namespace {

using PairsEvent =
    StreamEvent<api::PairsStart, api::PairRow, api::PairsPacing, api::TargetFailure, api::PairsReport>;

/// The stream as it comes.
class Following {
  public:
    explicit Following(const Session& session) : session_(session) {}

    Result<bool> take(const std::string& line) {
        const bool json = session_.options.format == Format::json;
        if (json) {
            if (auto printed = print((session_.screen.terminal ? escape_json(line) : line) + "\n"); !printed)
                return printed.error();
            // Ten thousand rows need not be understood to be printed.
            if (line.starts_with(R"({"type":"pair",)")) return false;
        }
        auto event = decode_stream_event<api::PairsStart, api::PairRow, api::PairsPacing, api::TargetFailure,
                                         api::PairsReport>(line);
        if (!event) return event.error();
        if (const auto* start = std::get_if<api::PairsStart>(&*event)) grid_ = PairGrid(start->targets);
        if (const auto* row = std::get_if<api::PairRow>(&*event)) grid_.add(*row);
        if (const auto* pacing = std::get_if<api::PairsPacing>(&*event); pacing && !json)
            complain({errc::busy,
                      pacing->explanation + ": they are tried in turn, which takes about " +
                          std::to_string(static_cast<std::uint64_t>(std::max(pacing->seconds, 0.0))) + " s",
                      "to have room for all, " + pacing->suggestion,
                      {}});
        if (const auto* failure = std::get_if<api::TargetFailure>(&*event)) {
            if (code_ == 0) code_ = exit_code(failure->error.code);
            if (!json)
                complain({failure->error.code,
                          failure->target + ": " + failure->error.message,
                          failure->error.hint,
                          {}});
        }
        if (const auto* report = std::get_if<api::PairsReport>(&*event)) report_ = *report;
        if (const auto* error = std::get_if<StreamError>(&*event)) return error->error;
        return report_.has_value();
    }

    /// After the report, or where the user interrupted it.
    Result<int> finish() {
        if (!report_) {
            if (session_.options.format != Format::json)
                complain({errc::operation_failed, "interrupted: pairs are missing", {}, {}});
            report_.emplace();
            report_->targets = grid_.size();
            report_->pairs = grid_.heard();
            report_->bad = 1;
            report_->elapsed_ms =
                std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_).count();
        }
        if (session_.options.format != Format::json) {
            const bool wide = session_.options.format == Format::wide;
            const auto text =
                pairs_text::matrix(grid_, session_.screen, wide) + pairs_text::summary(grid_, *report_);
            if (auto printed = print(text); !printed) return printed.error();
        }
        if (code_ != 0) return code_;
        return report_->bad == 0 ? 0 : 1;
    }

  private:
    const Session& session_;
    PairGrid grid_;
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    std::optional<api::PairsReport> report_;
    int code_ = 0;
};

}  // namespace

void PairOptions::add(CLI::App& app) {
    app.add_option("TARGET", targets_, "with --all-pairs: more targets")->type_name("")->expected(0, -1);
    app.add_flag("--all-pairs", all_pairs_, "each of these targets with each other, both ways, all at once");
    app.add_option("--network", network_, "with --all-pairs: the running members of an engine's network")
        ->type_name("NAME");
    app.add_flag("--all", all_, "with --all-pairs: every namespace that is known, each once");
}

Result<void> PairOptions::check_words(std::string_view synopsis) const {
    if (targets_.empty()) return {};
    return Error{
        errc::bad_request, "one word too many: '" + targets_.front() + "'", std::string(synopsis), {}};
}

Result<int> show_pairs(const Session& session, const Call& call) {
    auto exchange = Exchange::start(session.options, call);
    if (!exchange) return exchange.error();
    const Interrupt interrupt;
    Following following(session);
    const auto whole = follow_events(*exchange, interrupt, "matrix",
                                     [&](const std::string& line) { return following.take(line); });
    if (!whole) return whole.error();
    return following.finish();
}

}  // namespace netlab::cli
