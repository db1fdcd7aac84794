#include "common/api/route.hpp"

#include "cli/inspection.hpp"
#include "cli/render/route_cells.hpp"
#include "cli/render/words.hpp"

#include <algorithm>
#include <charconv>

namespace netlab::cli {

namespace {

using api::RouteAnswer;
using api::RouteHop;
using api::RouteRequest;
using api::RouteStep;

/// "br-1a2b (port veth3)", "eth0", "-".
std::string through(const std::optional<std::string>& interface, const std::optional<std::string>& port) {
    if (!interface) return port ? "port " + *port : "-";
    return *interface + (port ? " (port " + *port + ")" : "");
}

Cell step_cell(RouteStep step) {
    switch (step) {
        case RouteStep::delivered:
            return {words_of(step), Hue::good};
        case RouteStep::routed:
        case RouteStep::switched:
            return {words_of(step)};
        case RouteStep::leaves:
        case RouteStep::unknown:
            return {words_of(step), Hue::warning};
        default:
            return {words_of(step), Hue::bad};
    }
}

/// What of the kernel's answer the other columns do not say.
Cell details(const RouteHop& hop) {
    std::vector<std::string> items;
    if (hop.route) {
        if (hop.route->source) items.push_back("source " + hop.route->source->to_string());
        items.push_back("table " + hop.route->table);
        auto route = *hop.route;
        route.from.reset();  // every hop's is the first one's source
        const auto rest = details_cell(route);
        items.insert(items.end(), rest.items.begin(), rest.items.end());
    }
    if (!hop.note.empty()) items.push_back(hop.note);
    return items;
}

Table table_of(const RouteAnswer& answer) {
    Table table{{"TARGET", "IN", "STEP", "OUT", "NEXT HOP", "DETAILS"}, {}};
    for (const auto& hop : answer.hops) {
        table.rows.push_back({hop.target.empty() ? "-" : hop.target, through(hop.input, hop.port),
                              step_cell(hop.step), through(hop.output, hop.output_port),
                              hop.next_hop ? hop.next_hop->to_string() : "-", details(hop)});
    }
    return table;
}

/// The line above the table: what was asked, and which entry decided.
std::string headline(const RouteAnswer& answer, const Screen& screen) {
    Table line{{}, {}};
    std::string text = answer.destination;
    if (answer.named) text += " (" + *answer.named + ": " + answer.explanation + ")";
    text += " from " + answer.target + ": ";
    text += words_of(answer.outcome);
    if (answer.matched)
        text +=
            *answer.matched == "default" ? ", by the default route" : ", by the route to " + *answer.matched;
    line.headings.push_back({});
    line.rows.push_back({Cell(text)});
    auto shown = to_text(line, screen);
    // Escaped as every cell is; the empty heading is a line of its own.
    return shown.substr(shown.find('\n') + 1);
}

constexpr const char* netfilter_note =
    "(netfilter is not looked at: where it is routed behind the target, a rule may drop it or change its "
    "addresses)\n";

/// Somebody other than the target sends it on.
bool is_forwarded(const RouteAnswer& answer) {
    return std::ranges::any_of(answer.hops.begin() + (answer.hops.empty() ? 0 : 1), answer.hops.end(),
                               [](const RouteHop& hop) { return hop.step == RouteStep::routed; });
}

Result<std::uint32_t> parse_mark(const std::string& word) {
    std::uint32_t mark = 0;
    const bool hex = word.starts_with("0x") || word.starts_with("0X");
    const auto* begin = word.data() + (hex ? 2 : 0);
    const auto* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(begin, end, mark, hex ? 16 : 10);
    if (error == std::errc{} && stop == end) return mark;
    return Error{errc::bad_request, "'" + word + "' is no mark", "a number from 0 to 4294967295, or 0x…", {}};
}

class Route final : public Command {
  public:
    void arguments(CLI::App& app) override {
        app.add_option("TARGET", request_.target, "co1, docker:co1, netns:blue, pid:4242, host")
            ->type_name("")
            ->required();
        app.add_option("DESTINATION", request_.destination,
                       "an address (fe80::1%eth0), or another target's name")
            ->type_name("")
            ->required();
        app.add_option("--from", from_, "the packet's source address")->type_name("ADDRESS");
        app.add_option("--mark", mark_, "the packet's mark, as rules look at it")->type_name("N");
        app.add_option("--iif", request_.iif, "as if it came in by this interface")->type_name("NAME");
    }

    Result<int> run(const Session& session) override {
        if (!from_.empty()) {
            const auto from = IpAddress::parse(from_);
            if (!from) return from.error();
            request_.from = *from;
        }
        if (!mark_.empty()) {
            const auto mark = parse_mark(mark_);
            if (!mark) return mark.error();
            request_.mark = *mark;
        }
        const auto end = follow_rows(
            session, call_of(request_),
            [&](std::string_view type, const boost::json::value& value) -> Result<void> {
                if (type != RouteAnswer::type) return {};
                const auto answer = decode_answer<RouteAnswer>(value);
                if (!answer) return answer.error();
                return print(headline(*answer, session.screen) + to_text(table_of(*answer), session.screen) +
                             (is_forwarded(*answer) ? netfilter_note : ""));
            });
        if (!end) return end.error();
        return end->exit_code;
    }

  private:
    RouteRequest request_;
    std::string from_;
    std::string mark_;
};

const Registration registered{"route", "which way a target sends a packet, and what becomes of it behind it",
                              make<Route>};

}  // namespace

}  // namespace netlab::cli
