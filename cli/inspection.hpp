#pragma once

#include "cli/client.hpp"
#include "cli/command.hpp"
#include "cli/render/table.hpp"
#include "common/api/inspection.hpp"

#include <functional>

#include <CLI/CLI.hpp>

/// What the commands that show rows of targets (links, addrs, …) have in common.
namespace netlab::cli {

/// `TARGET… | --all` of a request that has both members.
template <class Request>
void add_targets(CLI::App& app, Request& request) {
    app.add_option("TARGET", request.targets,
                   "co1, docker:co1, netns:blue, pid:4242, host; several may be given")
        ->type_name("")
        ->expected(0, -1);
    app.add_flag("-a,--all", request.all, "every namespace that is known, each once");
}

/// errc::bad_request where neither a target nor --all was given, or both.
template <class Request>
[[nodiscard]] Result<void> check_targets(const Request& request, std::string_view command) {
    if (request.targets.empty() == request.all) return {};
    if (request.all) return Error{errc::bad_request, "targets or --all, not both", {}, {}};
    return Error{errc::bad_request,
                 "which target?",
                 "netlab " + std::string(command) + " co1, or --all; netlab ls shows them",
                 {}};
}

/// One column of a table of rows.
template <class Row>
struct Column {
    std::string_view heading;
    Cell (*cell)(const Row&);
    bool wide = false;  ///< with `-o wide` only
};

/// "a,b,c": a set of flags in one cell.
[[nodiscard]] std::string comma_list(std::span<const std::string> words);

/// What an inspection says when it is done.
struct InspectionEnd {
    int exit_code = 0;
    api::InspectionReport report;
};

/// Takes one row; `type` is the line's.
using TakeRow = std::function<Result<void>(std::string_view type, const boost::json::value& row)>;

/// With `-o json`, too, `take` is called: for a command whose exit code depends on what the rows say.
enum class TakeJson : bool { no, yes };

/// Asks, and hands each row to `take` as it comes; with `-o json` each line is printed as it is and `take` is
/// not called. Targets that failed are told on standard error, the first one's code is the exit code; so is
/// an answer that is not of one moment (exit code 1). The error of the whole request is returned.
[[nodiscard]] Result<InspectionEnd> follow_rows(const Session& session, const Call& call, const TakeRow& take,
                                                TakeJson take_json = TakeJson::no);

/// Takes one row as the line that it is; for rows that come by the 100,000, and only of the type that it is
/// for.
using TakeLine = std::function<Result<void>(std::string_view line)>;

/// The same for rows of one type, by name, that are not parsed here but taken as lines.
[[nodiscard]] Result<InspectionEnd> follow_lines(const Session& session, const Call& call,
                                                 std::string_view type, const TakeLine& take,
                                                 const TakeRow& take_others);

/// To standard error, in table formats: who lives in a namespace that was shown under another's name.
void tell_shared(const Session& session, const api::InspectionReport& report);

/// The whole of a command whose rows are all of one kind: a table, as they come. A column TARGET comes first
/// where several were asked for.
template <class Row, class Request>
[[nodiscard]] Result<InspectionEnd> show_rows(const Session& session, const Request& request,
                                              std::span<const Column<Row>> columns) {
    const bool several = request.all || request.targets.size() > 1;
    const bool wide = session.options.format == Format::wide;
    std::vector<std::string> headings;
    if (several) headings.emplace_back("TARGET");
    for (const auto& column : columns) {
        if (wide || !column.wide) headings.emplace_back(column.heading);
    }
    TableStream table(std::move(headings), session.screen);
    const auto end = follow_rows(session, call_of(request),
                                 [&](std::string_view type, const boost::json::value& value) -> Result<void> {
                                     if (type != Row::type) return {};
                                     const auto row = decode_answer<Row>(value);
                                     if (!row) return row.error();
                                     std::vector<Cell> cells;
                                     cells.reserve(columns.size() + 1);
                                     if (several) cells.emplace_back(row->target);
                                     for (const auto& column : columns) {
                                         if (wide || !column.wide) cells.push_back(column.cell(*row));
                                     }
                                     return table.add(std::move(cells));
                                 });
    if (!end) return end.error();
    if (session.options.format != Format::json) {
        if (auto printed = table.finish(); !printed) return printed.error();
        tell_shared(session, end->report);
    }
    return end;
}

/// show_rows() where only the exit code is wanted.
template <class Row, class Request>
[[nodiscard]] Result<int> print_rows(const Session& session, const Request& request,
                                     std::span<const Column<Row>> columns) {
    const auto end = show_rows(session, request, columns);
    if (!end) return end.error();
    return end->exit_code;
}

}  // namespace netlab::cli
