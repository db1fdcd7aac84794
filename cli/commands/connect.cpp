#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/connect_events.hpp"
#include "cli/connect_words.hpp"
#include "cli/pairs.hpp"
#include "cli/render/connect_text.hpp"
#include "cli/render/error_text.hpp"
#include "cli/render/escape.hpp"
#include "common/connect_tally.hpp"

#include <chrono>

namespace netlab::cli {

namespace {

class Connect final : public Command {
  public:
    void arguments(CLI::App& app) override;
    Result<int> run(const Session& session) override;

  private:
    Result<void> take_words();
    Result<int> run_pairs(const Session& session) const;
    Result<bool> take(const Session& session, const std::string& line);
    Result<void> show(const Session& session, const std::string& line, const ConnectEvent& event) const;
    Result<int> finish(const Session& session, const api::ConnectReport& report) const;
    Result<int> finish_early(const Session& session);
    void note(const ConnectEvent& event);

    api::ConnectRequest request_;
    std::string from_;
    std::string to_;
    PairOptions pairs_;
    std::optional<std::uint16_t> port_;  ///< of --all-pairs
    bool quiet_ = false;
    Interrupt interrupt_;
    std::optional<api::ConnectReport> report_;
    api::ConnectReport seen_;  ///< of what has been heard, for the summary when the user interrupts it
    ConnectTally tally_;       ///< the same of the attempts
    bool no_tls_ = false;      ///< an attempt got no ServerHello
    std::chrono::steady_clock::time_point begin_;
};

void Connect::arguments(CLI::App& app) {
    app.add_option("FROM", from_, "the target to connect from: co1, docker:co1, netns:blue, pid:4242, host");
    app.add_option("TO:PORT", to_, "what a program in FROM would type, or a target, or host; [fd00::1]:80");
    pairs_.add(app);
    add_parsed(app, "--port", port_, parse_port, "with --all-pairs: the port of every one")
        ->type_name("PORT");
    app.add_flag("-u,--udp", request_.udp, "send a datagram; that nothing comes back says nothing");
    add_parsed(app, "-c,--count", request_.count, parse_whole, "attempts, 0 for no end (default: 1)")
        ->type_name("N");
    add_parsed(app, "-i,--interval", request_.interval_ms, parse_seconds, "between two attempts (default: 1)")
        ->type_name("SECONDS");
    add_parsed(app, "-W,--wait", request_.wait_ms, parse_seconds, "for each step of one (default: 4)")
        ->type_name("SECONDS");
    add_family(app, request_.family);
    app.add_option("-I,--interface", request_.interface, "the interface of FROM to connect through")
        ->type_name("NAME");
    app.add_flag("--address", request_.address, "TO is a target: take its address, ask no resolver");
    app.add_flag("-b,--banner", request_.banner, "show what the other end says first, 256 bytes at most");
    app.add_flag("--tls", request_.tls, "say a TLS ClientHello and show whether a ServerHello comes");
    app.add_option("--data", request_.data, "what to send by UDP (default: an empty datagram)")
        ->type_name("WORDS");
    app.add_flag("-q,--quiet", quiet_, "no line for each attempt");
}

Result<void> Connect::take_words() {
    if (auto checked = pairs_.check_words("netlab connect FROM TO:PORT"); !checked) return checked;
    if (port_)
        return Error{errc::bad_request, "--port is for --all-pairs", "netlab connect FROM TO:PORT", {}};
    if (to_.empty()) {
        const std::string missing = from_.empty() ? "FROM" : "TO:PORT";
        return Error{errc::bad_request, missing + " is missing", "netlab connect FROM TO:PORT", {}};
    }
    const auto destination = parse_host_and_port(to_);
    if (!destination) return destination.error();
    request_.from = from_;
    request_.to = destination->host;
    request_.port = destination->port;
    return {};
}

void Connect::note(const ConnectEvent& event) {
    if (const auto* start = std::get_if<api::ConnectStart>(&event)) {
        begin_ = std::chrono::steady_clock::now();
        seen_.remote = start->remote;
        seen_.resolved_by = start->resolved_by;
    }
    if (const auto* attempt = std::get_if<api::ConnectAttempt>(&event)) {
        tally_.add(*attempt);
        if (attempt->tls && !attempt->tls->server_hello) no_tls_ = true;
    }
}

/// One line as it came, or in words. The report's words are finish()'s.
Result<void> Connect::show(const Session& session, const std::string& line, const ConnectEvent& event) const {
    const auto* attempt = std::get_if<api::ConnectAttempt>(&event);
    if (quiet_ && attempt) return {};
    if (session.options.format == Format::json)
        return print((session.screen.terminal ? escape_json(line) : line) + "\n");
    if (const auto* start = std::get_if<api::ConnectStart>(&event)) return print(connect_text::line(*start));
    if (attempt) return print(connect_text::line(*attempt, request_.wait_ms));
    return {};
}

Result<bool> Connect::take(const Session& session, const std::string& line) {
    const auto event = decode_connect_event(line);
    if (!event) return event.error();
    note(*event);
    if (auto shown = show(session, line, *event); !shown) return shown.error();
    if (const auto* report = std::get_if<api::ConnectReport>(&*event)) report_ = *report;
    if (const auto* error = std::get_if<StreamError>(&*event)) return error->error;
    return report_.has_value();
}

Result<int> Connect::finish(const Session& session, const api::ConnectReport& report) const {
    using api::ConnectOutcome;
    // A datagram without an answer is undecided, not bad.
    const bool fine = report.outcome == ConnectOutcome::connected ||
                      report.outcome == ConnectOutcome::answered || report.outcome == ConnectOutcome::silent;
    const int code = fine && !no_tls_ ? 0 : 1;
    if (session.options.format == Format::json) return code;
    if (report.outcome == ConnectOutcome::unresolved) {
        return unresolved(report);
    }
    const auto text = connect_text::summary(report, {session.options.format == Format::wide, quiet_});
    if (auto printed = print(text); !printed) return printed.error();
    return code;
}

/// Without the daemon's report: the user interrupted it.
Result<int> Connect::finish_early(const Session& session) {
    const bool started = seen_.remote.has_value();
    seen_.from = request_.from;
    seen_.to = request_.to;
    seen_.protocol = request_.udp ? "udp" : "tcp";
    if (started)
        seen_.elapsed_ms =
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_).count();
    tally_.fill(seen_);
    if (seen_.attempts == 0) {
        seen_.outcome = api::ConnectOutcome::timed_out;  // of its counts; it is not shown
        seen_.explanation = "interrupted before anything was known of the first attempt";
    }
    if (session.options.format == Format::json) {
        const auto line = seen_.attempts == 0 ? interrupted_report(seen_) : json::write(seen_) + "\n";
        if (auto printed = print(line); !printed) return printed.error();
    } else if (!started) {
        return 1;
    }
    return finish(session, seen_);
}

Result<int> Connect::run_pairs(const Session& session) const {
    std::vector<std::string> words;
    for (const auto& word : {from_, to_}) {
        if (!word.empty()) words.push_back(word);
    }
    api::ConnectPairsRequest request;
    if (auto filled = pairs_.fill(request, words); !filled) return filled.error();
    if (!port_) return Error{errc::bad_request, "which port?", "--port 80", {}};
    request.port = *port_;
    auto rest = request_;
    request.family = std::exchange(rest.family, std::nullopt);
    const auto usual = api::ConnectRequest{}.wait_ms;
    if (const auto wait = std::exchange(rest.wait_ms, usual); wait != usual) request.wait_ms = wait;
    if (rest != api::ConnectRequest{})
        return Error{errc::bad_request, "--all-pairs takes --port, -4, -6 and -W alone", {}, {}};
    return show_pairs(session, call_of(request));
}

Result<int> Connect::run(const Session& session) {
    if (pairs_.wanted()) return run_pairs(session);
    if (auto words = take_words(); !words) return words.error();
    auto exchange = Exchange::start(session.options, call_of(request_));
    if (!exchange) return exchange.error();
    const auto whole = follow_events(*exchange, interrupt_, "connect",
                                     [&](const std::string& line) { return take(session, line); });
    if (!whole) return whole.error();
    return *whole ? finish(session, *report_) : finish_early(session);
}

const Registration registered{"connect", "connect to a port from a target", make<Connect>};

}  // namespace

}  // namespace netlab::cli
