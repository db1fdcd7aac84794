#include "cli/arguments.hpp"
#include "cli/capture_words.hpp"
#include "cli/conntrack_line.hpp"
#include "cli/inspection.hpp"
#include "cli/render/conntrack_text.hpp"
#include "cli/render/error_text.hpp"
#include "cli/render/escape.hpp"
#include "cli/stream_events.hpp"

#include <charconv>

#include <sys/stat.h>
#include <unistd.h>

namespace netlab::cli {

namespace {

using api::ConntrackRow;
using conntrack_text::Names;

/// Rows straight into the table; the texts of one row are kept for the next.
class EntryTable {
  public:
    EntryTable(const Session& session, Names names)
        : wide_(session.options.format == Format::wide), names_(names), table_(headings(), session.screen) {}

    Result<void> add(const ConntrackRow& row) {
        ++count_;
        if (row.stale) {
            ++stale_;
            if (told_.size() < most_told) told_.push_back(row);
        }
        texts_.clear();
        texts_.push_back(conntrack_text::protocol(row));
        texts_.push_back(conntrack_text::state(row));
        texts_.push_back(row.timeout ? std::to_string(*row.timeout) + "s" : "-");
        texts_.push_back(conntrack_text::end(row.original.source, names_));
        texts_.push_back(conntrack_text::end(row.original.destination, names_));
        texts_.push_back(conntrack_text::translation(row, names_));
        if (wide_) add_wide(row);
        cells_.assign(texts_.begin(), texts_.end());
        return table_.add_plain(cells_);
    }
    Result<void> finish() { return table_.finish(); }
    [[nodiscard]] std::uint64_t count() const { return count_; }

    void tell_stale() const {
        for (const auto& row : told_) {
            complain({errc::operation_failed,
                      row.protocol + " " + conntrack_text::end(row.original.source, names_) + " > " +
                          conntrack_text::end(row.original.destination, names_) +
                          ": stale: " + row.stale->explanation,
                      row.stale->suggestion,
                      {}});
        }
        if (stale_ > told_.size()) {
            complain({errc::operation_failed,
                      std::to_string(stale_ - told_.size()) + " more entries are stale",
                      "-o json has the command for each",
                      {}});
        }
    }

  private:
    static constexpr std::size_t most_told = 10;

    [[nodiscard]] std::vector<std::string> headings() const {
        std::vector<std::string> words{"PROTO", "STATE", "TIMEOUT", "SOURCE", "DESTINATION", "TRANSLATED"};
        if (wide_)
            words.insert(words.end(), {"REPLY FROM", "REPLY TO", "SENT", "REPLIED", "STATUS", "MARK", "ZONE",
                                       "ID", "USE", "HELPER"});
        return words;
    }
    void add_wide(const ConntrackRow& row) {
        const auto number = [&](const auto& value) {
            texts_.push_back(value ? std::to_string(*value) : std::string("-"));
        };
        texts_.push_back(conntrack_text::end(row.reply.source, names_));
        texts_.push_back(conntrack_text::end(row.reply.destination, names_));
        texts_.push_back(conntrack_text::counters(row.original));
        texts_.push_back(conntrack_text::counters(row.reply));
        texts_.push_back(comma_list(row.status));
        number(row.mark);
        number(row.zone);
        texts_.push_back(std::to_string(row.id));
        number(row.use);
        texts_.push_back(row.helper.value_or("-"));
    }

    bool wide_;
    Names names_;
    std::uint64_t count_ = 0;
    std::uint64_t stale_ = 0;
    std::vector<ConntrackRow> told_;
    std::vector<std::string> texts_;
    std::vector<std::string_view> cells_;
    TableStream table_;
};

Result<std::optional<std::uint16_t>> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0)
        return Error{
            errc::bad_request, "'" + std::string(text) + "' is no port: 1 to 65535, numbers only", {}, {}};
    return std::optional(port);
}

Result<std::optional<IpPrefix>> parse_prefix(std::string_view text) {
    auto prefix = IpPrefix::parse(text);
    if (!prefix) return prefix.error();
    return std::optional(*prefix);
}

bool is_pipe(int descriptor) {
    struct stat status {};
    return ::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
}

class Conntrack final : public Command {
  public:
    void arguments(CLI::App& app) override;
    Result<int> run(const Session& session) override;

  private:
    Result<int> show(const Session& session);
    Result<int> watch(const Session& session);
    Result<void> take(const Session& session, const std::string& line);

    api::ConntrackEventsRequest request_;
    std::string protocol_;
    bool watch_ = false;
    bool numeric_ = false;
    Names names_ = Names::yes;
    std::string out_;
    std::optional<api::ConntrackReport> report_;
};

void Conntrack::arguments(CLI::App& app) {
    app.add_option("TARGET", request_.target,
                   "co1, docker:co1, netns:blue, pid:4242: the host's entries that it is part of.\n"
                   "Without it, or host: all of the host's")
        ->type_name("");
    app.add_flag("--inside", request_.inside, "the table of TARGET's own namespace in place of the host's");
    app.add_flag("--nat", request_.nat, "only what is translated");
    add_parsed(app, "--src", request_.source, parse_prefix, "only from there, before or after translation")
        ->type_name("ADDRESS[/LENGTH]");
    add_parsed(app, "--dst", request_.destination, parse_prefix, "only to there, before or after translation")
        ->type_name("ADDRESS[/LENGTH]");
    add_parsed(app, "--port", request_.port, parse_port, "any of its ports, by number")->type_name("PORT");
    add_parsed(app, "--sport", request_.source_port, parse_port, "as --src")->type_name("PORT");
    add_parsed(app, "--dport", request_.destination_port, parse_port, "as --dst")->type_name("PORT");
    app.add_option("-p,--protocol", protocol_, "tcp, udp, icmp, icmpv6, sctp, …, or a number")
        ->type_name("PROTOCOL");
    app.add_option("--state", request_.states,
                   "these only: ESTABLISHED, TIME_WAIT, …; UNREPLIED, REPLIED, ASSURED, OFFLOAD")
        ->type_name("STATE")
        ->expected(1)
        ->delimiter(',')
        ->take_all();
    add_family(app, request_.family);
    app.add_flag("--watch", watch_, "not what is there, but what happens from now on; Ctrl-C ends it");
    add_parsed(app, "-c,--count", request_.count, parse_whole, "with --watch: end after so many events")
        ->type_name("N");
    add_parsed(app, "--for", request_.duration_ms, parse_seconds, "with --watch: end after this time")
        ->type_name("SECONDS");
    add_parsed(app, "-B,--buffer-size", request_.buffer_kib, parse_buffer,
               "with --watch: the kernel's, for events that wait (default: 8 MiB)")
        ->type_name("KIB");
    app.add_flag("-n,--numeric", numeric_, "addresses, not the names of targets beside them");
}

Result<int> Conntrack::run(const Session& session) {
    if (!protocol_.empty()) request_.protocol = protocol_;
    if (numeric_) names_ = Names::no;
    if (auto checked = api::check(request_, api::Roles::all()); !checked) return checked.error();
    if (watch_) return watch(session);
    if (request_.count != 0 || request_.duration_ms != 0 || request_.buffer_kib != 0)
        return Error{errc::bad_request, "--count, --for and --buffer-size are for --watch", {}, {}};
    return show(session);
}

Result<int> Conntrack::show(const Session& session) {
    EntryTable table(session, names_);
    ConntrackLineReader reader;
    std::optional<api::ConntrackTableRow> whole;
    const auto end = follow_lines(
        session, call_of(static_cast<const api::ConntrackRequest&>(request_)), ConntrackRow::type,
        [&](std::string_view line) -> Result<void> {
            const auto row = reader.read(line);
            if (!row) return row.error();
            return table.add(**row);
        },
        [&](std::string_view type, const boost::json::value& value) -> Result<void> {
            if (type != api::ConntrackTableRow::type) return {};
            auto row = decode_answer<api::ConntrackTableRow>(value);
            if (!row) return row.error();
            whole = std::move(*row);
            return {};
        });
    if (!end) return end.error();
    if (session.options.format == Format::json) return end->exit_code;
    if (auto printed = table.finish(); !printed) return printed.error();
    table.tell_stale();
    if (!whole) return end->exit_code;
    if (whole->finding) {
        complain({errc::operation_failed,
                  "the table of " + whole->target + " is nearly full: " + *whole->finding,
                  whole->suggestion.value_or(""),
                  {}});
    }
    tell(conntrack_text::table(*whole, table.count()));
    return end->exit_code;
}

Result<void> Conntrack::take(const Session& session, const std::string& line) {
    const auto event =
        decode_stream_event<api::ConntrackStart, ConntrackRow, api::ConntrackLost, api::ConntrackReport>(
            line);
    if (!event) return event.error();
    const bool json = session.options.format == Format::json;
    if (json) out_.append(session.screen.terminal ? escape_json(line) : line).append("\n");
    if (const auto* error = std::get_if<StreamError>(&*event)) return error->error;
    if (const auto* report = std::get_if<api::ConntrackReport>(&*event)) report_ = *report;
    if (json) {
        // The line is all.
    } else if (const auto* row = std::get_if<ConntrackRow>(&*event)) {
        out_ += conntrack_text::line(*row, names_);
    } else if (const auto* lost = std::get_if<api::ConntrackLost>(&*event)) {
        out_ += conntrack_text::line(*lost);
    } else if (const auto* start = std::get_if<api::ConntrackStart>(&*event)) {
        if (start->warning) complain({errc::operation_failed, *start->warning, {}, {}});
    }
    constexpr std::size_t enough = 64 * 1024;
    return out_.size() < enough ? Result<void>() : print(std::exchange(out_, {}));
}

Result<int> Conntrack::watch(const Session& session) {
    auto exchange = Exchange::start(session.options, call_of(request_));
    if (!exchange) return exchange.error();
    const Interrupt interrupt;
    // While nothing happens nobody else would notice that the reader has gone.
    if (is_pipe(STDOUT_FILENO)) exchange->watch(STDOUT_FILENO);
    for (;;) {
        // Lines that are there together are written together; nothing waits for more.
        auto line = exchange->ready_line();
        if (!line) {
            if (auto printed = print(std::exchange(out_, {})); !printed) return printed.error();
            auto received = exchange->next(interrupt);
            if (!received && report_) break;
            if (!received) return received.error();
            if (received->event == Exchange::Event::unwanted) return 0;
            if (received->event == Exchange::Event::interrupted) exchange->finish();
            if (received->event == Exchange::Event::end) break;
            if (received->event != Exchange::Event::line) continue;
            line = std::move(received->line);
        }
        if (auto taken = take(session, *line); !taken) {
            // What came before it is still told.
            if (auto printed = print(out_); !printed) return printed.error();
            return taken.error();
        }
    }
    if (!report_) return Error{errc::protocol_error, "netlabd ended the events without a report", {}, {}};
    if (session.options.format != Format::json) tell(conntrack_text::counts(*report_));
    // What is not known to be whole is not fine.
    return report_->overruns == 0 ? 0 : 1;
}

const Registration registered{"conntrack", "what connection tracking has, and what it translates",
                              make<Conntrack>};

}  // namespace

}  // namespace netlab::cli
