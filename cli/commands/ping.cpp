#include "cli/arguments.hpp"
#include "cli/client.hpp"
#include "cli/command.hpp"
#include "cli/pairs.hpp"
#include "cli/ping_tally.hpp"
#include "cli/render/error_text.hpp"
#include "cli/render/escape.hpp"
#include "cli/render/ping_text.hpp"

#include <chrono>

namespace netlab::cli {

namespace {

class Ping final : public Command {
  public:
    void arguments(CLI::App& app) override;
    Result<int> run(const Session& session) override;

  private:
    Result<int> run_pairs(const Session& session) const;
    Result<std::optional<api::PingReport>> follow(const Session& session, Exchange& exchange);
    Result<void> show(const Session& session, const std::string& line, const PingEvent& event);
    Result<int> finish(const Session& session, const api::PingReport& report);
    Result<int> finish_early(const Session& session);
    double elapsed_ms() const;

    api::PingRequest request_;
    PairOptions pairs_;
    bool quiet_ = false;
    Interrupt interrupt_;
    PingTally tally_;
    std::chrono::steady_clock::time_point begin_;
};

void Ping::arguments(CLI::App& app) {
    app.add_option("FROM", request_.from,
                   "the target to ping from: co1, docker:co1, netns:blue, pid:4242, host");
    app.add_option("TO", request_.to, "what a program in FROM would type, or a target, or host");
    pairs_.add(app);
    add_parsed(app, "-c,--count", request_.count, parse_whole, "echoes to send, 0 for no end (default: 4)")
        ->type_name("N");
    add_parsed(app, "-i,--interval", request_.interval_ms, parse_seconds, "between two echoes (default: 1)")
        ->type_name("SECONDS");
    add_parsed(app, "-W,--wait", request_.wait_ms, parse_seconds, "for each reply (default: 1)")
        ->type_name("SECONDS");
    add_parsed(app, "-s,--size", request_.payload, parse_whole, "bytes of payload (default: 56)")
        ->type_name("BYTES");
    add_family(app, request_.family);
    app.add_option("-I,--interface", request_.interface, "the interface of FROM to send through")
        ->type_name("NAME");
    app.add_flag("--df", request_.dont_fragment, "forbid fragmentation");
    app.add_flag("--flood", request_.flood, "as fast as replies come back (needs the host role)");
    app.add_flag("--address", request_.address, "TO is a target: take its address, ask no resolver");
    app.add_flag("-q,--quiet", quiet_, "the first line and the summary only");
}

double Ping::elapsed_ms() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_).count();
}

/// One line as it came, or in words. The report's words are finish()'s.
Result<void> Ping::show(const Session& session, const std::string& line, const PingEvent& event) {
    if (session.options.format == Format::json) {
        const bool detail = !std::holds_alternative<api::PingStart>(event) &&
                            !std::holds_alternative<api::PingReport>(event) &&
                            !std::holds_alternative<StreamError>(event);
        if (quiet_ && detail) return {};
        return print((session.screen.terminal ? escape_json(line) : line) + "\n");
    }
    if (const auto* start = std::get_if<api::PingStart>(&event)) return print(ping_text::line(*start));
    if (quiet_) return {};
    if (const auto* reply = std::get_if<api::PingReply>(&event)) return print(ping_text::line(*reply));
    if (const auto* lost = std::get_if<api::PingLost>(&event))
        return print(ping_text::line(*lost, request_.wait_ms));
    if (const auto* error = std::get_if<api::PingError>(&event)) return print(ping_text::line(*error));
    return {};
}

Result<int> Ping::finish(const Session& session, const api::PingReport& report) {
    const int code = report.outcome == api::PingOutcome::answered ? 0 : 1;
    if (session.options.format == Format::json) return code;
    if (report.outcome == api::PingOutcome::unresolved) {
        return unresolved(report);
    }
    const auto text = ping_text::summary(report, session.options.format == Format::wide);
    if (auto printed = print(text); !printed) return printed.error();
    return code;
}

/// Without the daemon's report: the user interrupted it, or it broke.
Result<int> Ping::finish_early(const Session& session) {
    auto report = tally_.report(tally_.started() ? elapsed_ms() : 0);
    if (report.transmitted == 0)
        report.explanation = "interrupted before anything was known of the first echo";
    if (session.options.format == Format::json) {
        if (auto printed = print(json::write(report) + "\n"); !printed) return printed.error();
    } else if (!tally_.started()) {
        return 1;
    }
    return finish(session, report);
}

/// Shows the stream until its report; none where the user interrupted it.
Result<std::optional<api::PingReport>> Ping::follow(const Session& session, Exchange& exchange) {
    std::optional<api::PingReport> last;
    const auto take = [&](const std::string& line) -> Result<bool> {
        const auto event = decode_ping_event(line);
        if (!event) return event.error();
        if (std::holds_alternative<api::PingStart>(*event)) begin_ = std::chrono::steady_clock::now();
        tally_.add(*event);
        if (auto shown = show(session, line, *event); !shown) return shown.error();
        if (const auto* report = std::get_if<api::PingReport>(&*event)) last = *report;
        if (const auto* error = std::get_if<StreamError>(&*event)) return error->error;
        return last.has_value();
    };
    const auto whole = follow_events(exchange, interrupt_, "ping", take);
    if (!whole) return whole.error();
    return last;
}

Result<int> Ping::run_pairs(const Session& session) const {
    std::vector<std::string> words;
    for (const auto& word : {request_.from, request_.to}) {
        if (!word.empty()) words.push_back(word);
    }
    api::PingPairsRequest request;
    if (auto filled = pairs_.fill(request, words); !filled) return filled.error();
    // What else can be said to a ping is of one destination, or of several echoes.
    auto rest = request_;
    rest.from.clear();
    rest.to.clear();
    request.family = std::exchange(rest.family, std::nullopt);
    request.wait_ms = std::exchange(rest.wait_ms, api::PingRequest{}.wait_ms);
    if (rest != api::PingRequest{})
        return Error{errc::bad_request, "--all-pairs takes -4, -6 and -W alone", {}, {}};
    return show_pairs(session, call_of(request));
}

Result<int> Ping::run(const Session& session) {
    if (pairs_.wanted()) return run_pairs(session);
    if (auto checked = pairs_.check_words("netlab ping FROM TO"); !checked) return checked.error();
    const auto missing = request_.from.empty() ? "FROM" : "TO";
    if (request_.to.empty())
        return Error{errc::bad_request, std::string(missing) + " is missing", "netlab ping FROM TO", {}};
    auto exchange = Exchange::start(session.options, call_of(request_));
    if (!exchange) return exchange.error();
    const auto report = follow(session, *exchange);
    if (report && *report) return finish(session, **report);
    if (report) return finish_early(session);
    // What was measured before it broke is not thrown away.
    if (session.options.format != Format::json && tally_.report(0).transmitted > 0) {
        if (auto finished = finish_early(session); !finished) return finished.error();
    }
    return report.error();
}

const Registration registered{"ping", "send ICMP echoes from a target", make<Ping>};

}  // namespace

}  // namespace netlab::cli
