#include "common/api/why.hpp"

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/render/escape.hpp"
#include "cli/render/why_text.hpp"
#include "cli/stream_events.hpp"

namespace netlab::cli {

namespace {

using WhyEvent = StreamEvent<api::WhyReport>;

class Why final : public Command {
  public:
    void arguments(CLI::App& app) override {
        app.add_option("FROM", request_.from, "the target that the packet leaves: co1, netns:blue, host")
            ->type_name("")
            ->required();
        app.add_option("TO[:PORT[/PROTOCOL]]", to_,
                       "where it goes: a target, a name, an address; without a port an echo, else tcp or udp")
            ->type_name("")
            ->required();
        app.add_flag("--no-probe", no_probe_, "send nothing: what the kernels' tables say");
        app.add_flag("--no-trace", no_trace_, "add no table to nftables: see the packet, not its rules");
        add_parsed(app, "-s,--size", request_.size, parse_whole,
                   "bytes of the packet, not to be fragmented (icmp, udp)")
            ->type_name("BYTES");
        add_parsed(app, "-W,--wait", request_.wait_ms, parse_seconds, "for an answer (default: 1)")
            ->type_name("SECONDS");
        app.add_flag("--address", request_.address, "TO is a target: take its address, ask no resolver");
        add_family(app, request_.family);
    }

    Result<int> run(const Session& session) override {
        const auto to = why_text::parse_destination(to_);
        if (!to) return to.error();
        request_.to = to->host;
        request_.port = to->port;
        request_.protocol = to->protocol;
        request_.probe = !no_probe_;
        request_.trace = !no_trace_;
        auto exchange = Exchange::start(session.options, call_of(request_));
        if (!exchange) return exchange.error();
        const auto whole = follow_events(*exchange, interrupt_, "why",
                                         [&](const std::string& line) { return take(session, line); });
        if (!whole) return whole.error();
        return report_ && report_->verdict == api::WhyVerdict::delivered ? 0 : 1;
    }

  private:
    Result<bool> take(const Session& session, const std::string& line) {
        auto event = decode_stream_event<api::WhyReport>(line);
        if (!event) return event.error();
        if (const auto* error = std::get_if<StreamError>(&*event)) return error->error;
        auto* report = std::get_if<api::WhyReport>(&*event);
        if (report == nullptr) return false;
        report_ = std::move(*report);
        const auto& [options, screen] = session;
        const auto printed = options.format == Format::json
                                 ? print((screen.terminal ? escape_json(line) : line) + "\n")
                                 : print(why_text::report(*report_, screen, options.format == Format::wide));
        if (!printed) return printed.error();
        return true;
    }

    api::WhyRequest request_;
    std::string to_;
    bool no_probe_ = false;
    bool no_trace_ = false;
    Interrupt interrupt_;
    std::optional<api::WhyReport> report_;
};

const Registration registered{"why", "whether a target reaches another, and what stops the packet",
                              make<Why>};

}  // namespace

}  // namespace netlab::cli
