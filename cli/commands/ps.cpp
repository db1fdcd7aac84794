#include "cli/inspection.hpp"
#include "common/api/processes.hpp"

namespace netlab::cli {

namespace {

using api::ProcessesRequest;
using api::ProcessRow;

Cell user_of(const ProcessRow& row) {
    return Cell(row.user ? *row.user : std::to_string(row.uid));
}

Cell ports_of(const ProcessRow& row) {
    std::vector<std::string> ports;
    for (const auto& port : row.ports) {
        const bool dual = port.address == "::" && port.v6only == false;
        const bool bracketed = !dual && port.address.find(':') != std::string::npos;
        const auto address = dual ? "*" : bracketed ? "[" + port.address + "]" : port.address;
        ports.push_back(address + ":" + std::to_string(port.port) + "/" + port.protocol);
    }
    return Cell(std::move(ports));
}

constexpr Column<ProcessRow> columns[] = {
    {"PID", [](const ProcessRow& row) { return Cell(std::to_string(row.pid)); }},
    {"HOST-PID", [](const ProcessRow& row) { return Cell(std::to_string(row.host_pid)); }},
    {"USER", user_of},
    {"NAME", [](const ProcessRow& row) { return Cell(row.name); }},
    {"LISTENING", ports_of},
    {"PARENT", [](const ProcessRow& row) { return Cell(std::to_string(row.parent_pid)); }, true},
    {"STATE", [](const ProcessRow& row) { return Cell(row.state); }, true},
    {"THREADS", [](const ProcessRow& row) { return Cell(std::to_string(row.threads)); }, true},
    {"COMMAND", [](const ProcessRow& row) { return Cell(row.command.value_or("")); }, true},
};

class Ps final : public Command {
  public:
    void arguments(CLI::App& app) override { add_targets(app, request_); }

    Result<int> run(const Session& session) override {
        if (auto checked = check_targets(request_, "ps"); !checked) return checked.error();
        return print_rows<ProcessRow>(session, request_, std::span(columns));
    }

  private:
    ProcessesRequest request_;
};

const Registration registered{"ps", "the processes in a target's network namespace", make<Ps>};

}  // namespace

}  // namespace netlab::cli
