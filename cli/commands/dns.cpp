#include "common/api/dns.hpp"

#include "cli/arguments.hpp"
#include "cli/client.hpp"
#include "cli/command.hpp"
#include "cli/render/dns_text.hpp"
#include "cli/render/escape.hpp"

#include <unistd.h>

namespace netlab::cli {

namespace {

class Dns final : public Command {
  public:
    void arguments(CLI::App& app) override;
    Result<int> run(const Session& session) override;

  private:
    Result<void> show(const Session& session, std::string_view type, const boost::json::value& value);
    Result<void> show_report(const Session& session, const api::DnsReport& report) const;
    Result<std::optional<api::DnsReport>> take(const Session& session, const std::string& line);

    api::DnsRequest request_;
    bool short_ = false;
    bool shown_ = false;  ///< a block, so that the next is set apart
};

void Dns::arguments(CLI::App& app) {
    app.add_option("FROM", request_.from,
                   "the target to ask from: co1, docker:co1, netns:blue, pid:4242, host")
        ->required();
    app.add_option("NAME", request_.name, "a name, or an address: its PTR record is meant")->required();
    app.add_option("TYPE", request_.type,
                   "A, AAAA, PTR, CNAME, MX, NS, SOA, SRV, TXT, ANY or CAA (default: A and AAAA)");
    app.add_option("--server", request_.servers,
                   "ask this server in place of those of FROM's resolv.conf; may be given again")
        ->type_name("IP[:PORT]")
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_flag("--all-servers", request_.all_servers,
                 "ask every server, those behind Docker's 127.0.0.11 too, and compare");
    app.add_flag("--tcp", request_.tcp, "over TCP from the start");
    app.add_flag("--search", request_.search, "go through the search list of resolv.conf (default)");
    app.add_flag_callback(
        "--no-search", [this] { request_.search = false; }, "ask for the name as it is");
    app.add_flag("--trace", request_.trace, "follow the delegations from the root");
    app.add_option("--root", request_.root, "with --trace: the root server to begin at")
        ->type_name("IP[:PORT]");
    add_parsed(app, "-W,--wait", request_.wait_ms, parse_seconds, "for all of it (default: 5)")
        ->type_name("SECONDS");
    app.add_flag("--short", short_, "the data of the answers only");
}

Result<void> Dns::show(const Session& session, std::string_view type, const boost::json::value& value) {
    const bool wide = session.options.format == Format::wide;
    std::string text;
    if (type == api::DnsAnswer::type) {
        const auto answer = decode_answer<api::DnsAnswer>(value);
        if (!answer) return answer.error();
        if (short_) return print(dns_text::data(*answer));
        text = dns_text::block(*answer, wide);
        if (shown_ && wide) text.insert(0, "\n");
        shown_ = true;
    } else if (type == api::DnsReferral::type && !short_) {
        const auto referral = decode_answer<api::DnsReferral>(value);
        if (!referral) return referral.error();
        text = dns_text::block(*referral);
    }
    return print(text);
}

Result<void> Dns::show_report(const Session& session, const api::DnsReport& report) const {
    if (session.options.format == Format::json) return {};
    if (!short_) return print(dns_text::explanations(report, ";; "));
    // A script reads the data.
    const auto text = dns_text::explanations(report, "netlab: ");
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    return {};
}

/// The report, once it is there.
Result<std::optional<api::DnsReport>> Dns::take(const Session& session, const std::string& line) {
    const auto value = json::parse(line);
    if (!value)
        return Error{
            errc::protocol_error, "netlabd's answer is not understood: " + value.error().message, {}, {}};
    if (auto error = error_of(*value)) return *error;
    const auto* object = value->if_object();
    const auto* field = object ? object->if_contains("type") : nullptr;
    if (!field || !field->is_string())
        return Error{
            errc::protocol_error, "netlabd's answer is not understood: a line without a type", {}, {}};
    const std::string_view type = field->get_string();
    if (session.options.format == Format::json) {
        auto printed = print((session.screen.terminal ? escape_json(line) : line) + "\n");
        if (!printed) return printed.error();
    } else if (auto shown = show(session, type, *value); !shown) {
        return shown.error();
    }
    if (type != api::DnsReport::type) return std::optional<api::DnsReport>();
    auto report = decode_answer<api::DnsReport>(*value);
    if (!report) return report.error();
    return std::optional(std::move(*report));
}

Result<int> Dns::run(const Session& session) {
    auto exchange = Exchange::start(session.options, call_of(request_));
    if (!exchange) return exchange.error();
    const Interrupt interrupt;
    std::optional<api::DnsReport> report;
    for (;;) {
        const auto received = exchange->next(interrupt);
        if (report && (!received || received->event != Exchange::Event::line)) break;
        if (!received) return received.error();
        if (received->event == Exchange::Event::interrupted)
            return Error{errc::operation_failed, "interrupted before an answer came", {}, {}};
        if (received->event == Exchange::Event::end)
            return Error{errc::protocol_error, "netlabd ended its answer without a report", {}, {}};
        auto taken = take(session, received->line);
        if (!taken) return taken.error();
        if (*taken) report = std::move(**taken);
    }
    if (auto shown = show_report(session, *report); !shown) return shown.error();
    const bool good = report->outcome == api::DnsOutcome::answered && report->agreed.value_or(true) &&
                      report->silent.value_or(0) == 0;
    return good ? 0 : 1;
}

const Registration registered{"dns", "ask DNS as a target sees it", make<Dns>};

}  // namespace

}  // namespace netlab::cli
