#include "cli/arguments.hpp"
#include "cli/capture_stream.hpp"
#include "cli/capture_words.hpp"
#include "cli/command.hpp"
#include "cli/render/capture_text.hpp"
#include "cli/render/error_text.hpp"
#include "cli/render/escape.hpp"
#include "cli/stream_events.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>

#include <fcntl.h>
#include <sys/stat.h>

namespace netlab::cli {

namespace {

/// What `-o json` says of a capture in a file.
struct CaptureSummary {
    static constexpr std::string_view type = "report";
    std::vector<std::string> files;  ///< those that are kept; none where it went to standard output
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  ///< written
    std::uint64_t dropped = 0;
    double elapsed_ms = 0;
    std::vector<api::CaptureCounts> points;
};
BOOST_DESCRIBE_STRUCT(CaptureSummary, (), (files, packets, bytes, dropped, elapsed_ms, points))

/// As SIGPIPE would have ended it.
[[noreturn]] void leave_without_reader() {
    ::_exit(128 + SIGPIPE);
}

bool is_pipe(int descriptor) {
    struct stat status {};
    return ::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
}

/// One line on a terminal that is written over again and again.
class ProgressLine {
  public:
    void show(const CaptureFile& file) {
        const auto now = std::chrono::steady_clock::now();
        const double seconds = std::chrono::duration<double>(now - last_).count();
        const auto packets = file.ledger().packets();
        const auto rate = seconds > 0 ? static_cast<double>(packets - packets_) / seconds : 0;
        last_ = now;
        packets_ = packets;
        write(capture_text::line({packets, file.size(), file.ledger().dropped(), rate}));
    }
    void clear() {
        if (width_ == 0) return;
        write({});
        tell("\r");
    }

  private:
    void write(const std::string& text) {
        const auto blank = width_ > text.size() ? width_ - text.size() : 0;
        tell("\r" + text + std::string(blank, ' '));
        width_ = text.size();
    }

    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
    std::uint64_t packets_ = 0;
    std::size_t width_ = 0;
};

class Capture final : public Command {
  public:
    void before_options(std::vector<std::string>& words) override;
    void arguments(CLI::App& app) override;
    Result<int> run(const Session& session) override;

  private:
    Result<void> take_words();
    Result<void> check_options(const Session& session) const;
    Result<CaptureFile> file() const;
    Result<int> write_file(const Session& session);
    Result<void> tell_summary(const Session& session, const CaptureFile& file) const;
    Result<int> show_packets(const Session& session);
    Result<void> take(const Session& session, const std::string& line);
    Result<void> show(const Session& session, const std::string& line);

    api::PacketsRequest request_;
    std::vector<std::string> words_;
    std::optional<std::vector<std::string>> behind_dashes_;
    std::string path_;
    std::optional<Ring> ring_;
    bool quiet_ = false;
    bool numeric_ = false;
    bool not_promiscuous_ = false;
    Interrupt interrupt_;
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    std::string out_;
    std::optional<api::PacketsReport> report_;
};

Result<api::CaptureDirection> parse_direction(std::string_view word) {
    if (word == "in") return api::CaptureDirection::in;
    if (word == "out") return api::CaptureDirection::out;
    if (word == "inout") return api::CaptureDirection::inout;
    return Error{errc::bad_request, "'" + std::string(word) + "' is not in, out or inout", {}, {}};
}

/// What is behind "--" is the filter, and what is before it points, whatever they look like.
void Capture::before_options(std::vector<std::string>& words) {
    const auto dashes = std::ranges::find(words, "--");
    if (dashes == words.end()) return;
    behind_dashes_.emplace(dashes + 1, words.end());
    words.erase(dashes, words.end());
}

void Capture::arguments(CLI::App& app) {
    app.add_option("POINT", words_,
                   "co1, co1:eth0, co1:any, co1:eth0@veth, host:docker0, net:NAME; several may be given.\n"
                   "Behind them a filter, as of pcap-filter(7)")
        ->type_name("")
        ->expected(0, -1);
    app.add_option("-w,--write", path_, "write a pcapng file; - is standard output")->type_name("FILE");
    add_parsed(app, "-c,--count", request_.count, parse_whole, "end after so many packets")->type_name("N");
    add_parsed(app, "--for", request_.duration_ms, parse_seconds, "end after this time")
        ->type_name("SECONDS");
    add_parsed(app, "-s,--snaplen", request_.snap_length, parse_whole,
               "bytes to keep of each packet (default: all)")
        ->type_name("BYTES");
    app.add_flag("-p,--no-promiscuous-mode", not_promiscuous_, "what is for the interface only");
    add_parsed(app, "-Q,--direction", request_.direction, parse_direction, "in, out or inout (default)")
        ->type_name("WAY");
    add_parsed(app, "-B,--buffer-size", request_.buffer_kib, parse_buffer,
               "the kernel's, for each interface (default: by their number)")
        ->type_name("KIB");
    add_parsed(app, "--ring", ring_, parse_ring, "with -w: so many files, each of this size at most")
        ->type_name("FILES:SIZE");
    app.add_flag("-n,--numeric", numeric_, "addresses, not the names of targets");
    app.add_flag("-q,--quiet", quiet_, "no progress and no summary");
}

Result<void> Capture::take_words() {
    if (behind_dashes_) {
        if (words_.empty()) return split_points(words_).error();
        if (std::ranges::any_of(*behind_dashes_, &std::string::empty))
            return Error{errc::bad_request, "the filter has an empty word", {}, {}};
        request_.points = words_;
        for (const auto& word : *behind_dashes_)
            request_.filter += (request_.filter.empty() ? "" : " ") + word;
    } else {
        auto split = split_points(words_);
        if (!split) return split.error();
        request_.points = std::move(split->points);
        request_.filter = std::move(split->filter);
    }
    request_.promiscuous = !not_promiscuous_;
    return {};
}

Result<void> Capture::check_options(const Session& session) const {
    if (ring_ && (path_.empty() || path_ == "-"))
        return Error{
            errc::bad_request, "--ring needs -w FILE", "netlab capture co1 -w a.pcapng --ring 10:100M", {}};
    if (path_ != "-") return {};
    if (session.screen.terminal)
        return Error{errc::bad_request, "-w -: standard output is a terminal", "-w FILE, or a pipe", {}};
    if (session.options.format == Format::json)
        return Error{errc::bad_request, "-w - and -o json both want standard output", {}, {}};
    return {};
}

Result<CaptureFile> Capture::file() const {
    if (ring_) return CaptureFile(path_, *ring_);
    if (path_ != "-") return CaptureFile(path_);
    UniqueFd output(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!output) return system_error(errc::operation_failed, "write to standard output", errno);
    return CaptureFile(BlockFile(std::move(output), "to standard output"));
}

Result<void> Capture::tell_summary(const Session& session, const CaptureFile& file) const {
    const auto points = file.ledger().points();
    const auto& files = file.files();
    if (session.options.format == Format::json) {
        CaptureSummary summary;
        summary.files.assign(files.begin(), files.end());
        summary.packets = file.ledger().packets();
        summary.bytes = file.size();
        summary.dropped = file.ledger().dropped().value_or(0);
        summary.elapsed_ms =
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_).count();
        summary.points = points;
        const auto text = json::write(summary);
        return print((session.screen.terminal ? escape_json(text) : text) + "\n");
    }
    std::string text = capture_text::counts(points);
    if (!files.empty()) {
        text += capture_text::size(file.size()) + " written to " + escape(files.front());
        if (files.size() > 1) text += " … " + escape(files.back());
        if (file.created() > files.size())
            text += "; older files were removed: " + std::to_string(file.created() - files.size());
        text += "\n";
    }
    tell(text);
    return {};
}

Result<int> Capture::write_file(const Session& session) {
    auto file = this->file();
    if (!file) return file.error();
    auto exchange =
        Exchange::start(session.options, call_of(static_cast<const api::CaptureRequest&>(request_)));
    if (!exchange) return exchange.error();
    if (path_ == "-" && is_pipe(STDOUT_FILENO)) exchange->watch(STDOUT_FILENO);
    ProgressLine line;
    ShowProgress progress;
    if (!quiet_ && ::isatty(STDERR_FILENO) == 1) progress = [&](const CaptureFile& now) { line.show(now); };
    const auto fate = write_capture(*exchange, interrupt_, *file, progress);
    line.clear();
    if (!fate) return fate.error();
    if (*fate == CaptureFate::unwanted) leave_without_reader();
    if (quiet_) return 0;
    if (auto told = tell_summary(session, *file); !told) return told.error();
    return 0;
}

Result<void> Capture::show(const Session& session, const std::string& line) {
    const auto event =
        decode_stream_event<api::PacketsStart, api::PacketRow, api::TargetFailure, api::PacketsReport>(line);
    if (!event) return event.error();
    if (const auto* report = std::get_if<api::PacketsReport>(&*event)) report_ = *report;
    if (const auto* error = std::get_if<StreamError>(&*event)) return error->error;
    if (session.options.format == Format::json) return {};
    if (const auto* packet = std::get_if<api::PacketRow>(&*event)) {
        out_ += capture_text::line(*packet, numeric_ ? capture_text::Names::no : capture_text::Names::yes);
    } else if (const auto* failure = std::get_if<api::TargetFailure>(&*event)) {
        auto error = failure->error;
        error.message.insert(0, failure->target + ": ");
        complain(error);
    }
    return {};
}

Result<void> Capture::take(const Session& session, const std::string& line) {
    constexpr std::size_t enough = 64 * 1024;
    const bool packet = line.starts_with(R"({"type":"packet")");
    if (session.options.format == Format::json && (packet || !quiet_))
        out_.append(session.screen.terminal ? escape_json(line) : line).append("\n");
    // By the thousand: what is printed as it is need not be understood.
    if (session.options.format != Format::json || !packet) {
        if (auto shown = show(session, line); !shown) return shown;
    }
    return out_.size() < enough ? Result<void>() : print(std::exchange(out_, {}));
}

Result<int> Capture::show_packets(const Session& session) {
    auto exchange = Exchange::start(session.options, call_of(request_));
    if (!exchange) return exchange.error();
    if (is_pipe(STDOUT_FILENO)) exchange->watch(STDOUT_FILENO);
    for (;;) {
        // Lines that are there together are written together; nothing waits for more.
        auto line = exchange->ready_line();
        if (!line) {
            if (auto printed = print(std::exchange(out_, {})); !printed) return printed.error();
            auto received = exchange->next(interrupt_);
            if (!received && report_) break;
            if (!received) return received.error();
            if (received->event == Exchange::Event::unwanted) leave_without_reader();
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
    if (!report_) return Error{errc::protocol_error, "netlabd ended the capture without a report", {}, {}};
    if (!quiet_ && session.options.format != Format::json) tell(capture_text::counts(report_->points));
    return 0;
}

Result<int> Capture::run(const Session& session) {
    if (auto taken = take_words(); !taken) return taken.error();
    if (auto checked = check_options(session); !checked) return checked.error();
    return path_.empty() ? show_packets(session) : write_file(session);
}

const Registration registered{"capture", "capture packets at interfaces of targets", make<Capture>};

}  // namespace

}  // namespace netlab::cli
