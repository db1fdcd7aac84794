#include "common/api/routes.hpp"

#include "cli/inspection.hpp"
#include "cli/render/error_text.hpp"
#include "cli/render/route_cells.hpp"

#include <unistd.h>

namespace netlab::cli {

namespace {

using api::RouteRow;
using api::RoutesRequest;

std::vector<Column<RouteRow>> columns(bool one_table) {
    return {
        {"DESTINATION", [](const RouteRow& row) { return Cell(row.destination); }},
        {"GATEWAY", [](const RouteRow& row) { return gateway_cell(row); }},
        {"INTERFACE", [](const RouteRow& row) { return interface_cell(row); }},
        {"SOURCE", [](const RouteRow& row) { return Cell(row.source ? row.source->to_string() : "-"); }},
        {"METRIC", [](const RouteRow& row) { return Cell(row.metric ? std::to_string(*row.metric) : "-"); }},
        {"PROTOCOL", [](const RouteRow& row) { return Cell(row.protocol); }},
        {"SCOPE", [](const RouteRow& row) { return Cell(row.scope); }},
        {"TABLE", [](const RouteRow& row) { return Cell(row.table); }, one_table},
        {"TYPE", [](const RouteRow& row) { return kind_cell(row); }},
        {"DETAILS", [](const RouteRow& row) { return details_cell(row); }},
    };
}

class Routes final : public Command {
  public:
    void arguments(CLI::App& app) override {
        add_targets(app, request_);
        app.add_option("-t,--table", request_.table, "main (default), local, default, all, or a number")
            ->type_name("TABLE");
        app.add_flag("-4,--ipv4", ipv4_, "IPv4 only");
        app.add_flag("-6,--ipv6", ipv6_, "IPv6 only");
    }

    Result<int> run(const Session& session) override {
        if (ipv4_ && ipv6_) return Error{errc::bad_request, "-4 and -6 exclude each other", {}, {}};
        if (ipv4_) request_.family = Family::ipv4;
        if (ipv6_) request_.family = Family::ipv6;
        const auto table = api::parse_table(request_.table);
        if (!table) return table.error();
        if (auto checked = check_targets(request_, "routes"); !checked) return checked.error();
        const auto columns_shown = columns(*table != 0);
        const auto end = show_rows<RouteRow>(session, request_, std::span(columns_shown));
        if (!end) return end.error();
        if (end->report.rows == 0 && end->report.failures < end->report.targets) tell_empty();
        return end->exit_code;
    }

  private:
    /// Nothing is an answer too, but not one to be taken for a lost one.
    void tell_empty() const {
        const std::string family = ipv4_ ? "IPv4 " : ipv6_ ? "IPv6 " : "";
        const std::string where = request_.table == "all"
                                      ? "any table"
                                      : "table " + (request_.table.empty() ? "main" : request_.table);
        const auto line = error_line({errc::operation_failed,
                                      "no " + family + "routes in " + where,
                                      request_.table == "all" ? "" : "--table all shows those of every table",
                                      {}});
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    }

    RoutesRequest request_;
    bool ipv4_ = false;
    bool ipv6_ = false;
};

const Registration registered{"routes", "the routing tables of a target, as ip route has them", make<Routes>};

}  // namespace

}  // namespace netlab::cli
