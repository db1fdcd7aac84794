#include "cli/inspection.hpp"

#include "cli/render/error_text.hpp"
#include "cli/render/escape.hpp"
#include "common/text.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parser.hpp>

namespace netlab::cli {

namespace {

/// Parses one line after another into the same memory.
class LineParser {
  public:
    /// Valid until the next call. errc::protocol_error.
    Result<const boost::json::value*> parse(std::string_view line) {
        memory_.release();
        parser_.reset(&memory_);
        boost::system::error_code error;
        parser_.write(line.data(), line.size(), error);
        if (error)
            return Error{
                errc::protocol_error, "netlabd's answer is not understood: " + error.message(), {}, {}};
        value_.emplace(parser_.release());
        return &*value_;
    }

  private:
    std::array<unsigned char, 16 * 1024> buffer_;
    boost::json::monotonic_resource memory_{buffer_.data(), buffer_.size()};
    boost::json::parser parser_;
    std::optional<boost::json::value> value_;
};

std::string_view type_of(const boost::json::value& value) {
    const auto* object = value.if_object();
    const auto* field = object ? object->if_contains("type") : nullptr;
    const auto* text = field ? field->if_string() : nullptr;
    return text ? std::string_view(*text) : std::string_view();
}

class Follower {
  public:
    Follower(const Session& session, const TakeRow& take, TakeJson take_json)
        : session_(session), take_(take), take_json_(take_json) {}
    /// Lines of this type go to `take_line` unparsed.
    void take_lines(std::string_view type, const TakeLine& take_line) {
        line_start_ = R"({"type":")" + std::string(type) + "\"";
        take_line_ = &take_line;
    }

    /// The end, once it is known.
    Result<std::optional<InspectionEnd>> line(const std::string& text) {
        if (take_line_ && text.starts_with(line_start_)) {
            const auto done =
                session_.options.format == Format::json ? print_json(text) : (*take_line_)(text);
            if (!done) return done.error();
            return std::optional<InspectionEnd>();
        }
        const auto value = parser_.parse(text);
        if (!value) return value.error();
        const auto type = type_of(**value);
        if (type.empty()) {
            if (auto error = error_of(**value)) return *error;
            return Error{
                errc::protocol_error, "netlabd's answer is not understood: a line without a type", {}, {}};
        }
        const bool json = session_.options.format == Format::json;
        if (json) {
            if (auto printed = print_json(text); !printed) return printed.error();
        }
        if (type == api::TargetFailure::type) {
            auto failure = decode_answer<api::TargetFailure>(**value);
            if (!failure) return failure.error();
            failures_.push_back(std::move(*failure));
        } else if (type == api::InspectionReport::type) {
            auto report = decode_answer<api::InspectionReport>(**value);
            if (!report) return report.error();
            return std::optional(end(std::move(*report)));
        } else if (!json || take_json_ == TakeJson::yes) {
            if (auto taken = take_(type, **value); !taken) return taken.error();
        }
        return std::optional<InspectionEnd>();
    }

    /// What failed, after the rows: on a terminal both go to the same place.
    void tell_failures(const InspectionEnd& end) {
        for (auto& failure : failures_) {
            failure.error.message.insert(0, failure.target + ": ");
            complain(failure.error);
        }
        if (end.report.truncated) {
            complain({errc::limit_exceeded,
                      "there are more namespaces than one request can open: who is none of those shown may "
                      "be in another",
                      {},
                      {}});
        }
        if (!end.report.consistent) {
            complain({errc::operation_failed,
                      "it changed again and again while it was read: rows may be missing or double",
                      "ask again",
                      {}});
        }
    }

    Result<void> flush() { return print(std::exchange(out_, {})); }

  private:
    Result<void> print_json(const std::string& text) {
        constexpr std::size_t enough = 64 * 1024;
        out_ += session_.screen.terminal ? escape_json(text) : text;
        out_ += '\n';
        return out_.size() < enough ? Result<void>() : flush();
    }

    InspectionEnd end(api::InspectionReport report) const {
        InspectionEnd end{report.consistent && report.findings == 0 ? 0 : 1, std::move(report)};
        if (!failures_.empty()) end.exit_code = exit_code(failures_.front().error.code);
        return end;
    }

    const Session& session_;
    const TakeRow& take_;
    TakeJson take_json_;
    std::string line_start_;
    const TakeLine* take_line_ = nullptr;
    LineParser parser_;
    std::vector<api::TargetFailure> failures_;
    std::string out_;
};

}  // namespace

std::string comma_list(std::span<const std::string> words) {
    std::string out;
    for (const auto& word : words)
        out += (out.empty() ? "" : ",") + word;
    return out;
}

namespace {

Result<InspectionEnd> follow(const Session& session, const Call& call, Follower& follower) {
    auto exchange = Exchange::start(session.options, call);
    if (!exchange) return exchange.error();
    const Interrupt interrupt;
    std::optional<InspectionEnd> end;
    for (;;) {
        const auto received = exchange->next(interrupt);
        if (end && (!received || received->event != Exchange::Event::line)) break;
        if (!received) return received.error();
        if (received->event == Exchange::Event::interrupted) {
            if (auto flushed = follower.flush(); !flushed) return flushed.error();
            return Error{errc::operation_failed, "interrupted: not all rows have been shown", {}, {}};
        }
        if (received->event == Exchange::Event::end) {
            return Error{errc::protocol_error, "netlabd ended its answer without a report", {}, {}};
        }
        auto done = follower.line(received->line);
        if (!done) {
            if (auto flushed = follower.flush(); !flushed) return flushed.error();
            return done.error();
        }
        if (*done) end = std::move(**done);
    }
    if (auto flushed = follower.flush(); !flushed) return flushed.error();
    follower.tell_failures(*end);
    return *end;
}

}  // namespace

Result<InspectionEnd> follow_rows(const Session& session, const Call& call, const TakeRow& take,
                                  TakeJson take_json) {
    Follower follower(session, take, take_json);
    return follow(session, call, follower);
}

Result<InspectionEnd> follow_lines(const Session& session, const Call& call, std::string_view type,
                                   const TakeLine& take, const TakeRow& take_others) {
    Follower follower(session, take_others, TakeJson::no);
    follower.take_lines(type, take);
    return follow(session, call, follower);
}

void tell_shared(const Session& session, const api::InspectionReport& report) {
    if (session.options.format == Format::json || report.targets < 2) return;
    for (const auto& shared : report.shared) {
        std::string names;
        for (const auto& name : shared.with)
            names += (names.empty() ? "" : ", ") + name;
        complain({errc::operation_failed,
                  "shown as " + shared.target + ", whose namespace it is too: " + names,
                  {},
                  {}});
    }
}

}  // namespace netlab::cli
