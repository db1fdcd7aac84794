#include "common/api/bridges.hpp"

#include "cli/inspection.hpp"
#include "cli/other_end.hpp"

namespace netlab::cli {

namespace {

using api::BridgeRow;
using api::BridgesRequest;
using api::FdbRow;

std::string network_text(const BridgeRow& row) {
    if (!row.network) return "unknown";
    const auto engine = std::string(described::enumerator_name(row.network->engine));
    if (row.network->name) return *row.network->name + " (" + engine + ")";
    // It only looks like one of that engine's.
    return row.network->id ? engine + " " + *row.network->id + "?" : engine + "?";
}

std::string behind(const api::BridgePort& port, const std::string& target) {
    auto text = port.name;
    if (port.peer) {
        text += " = " + other_end_text(*port.peer, target);
    } else if (!port.kind.empty()) {
        text += " (" + port.kind + ")";
    }
    if (port.state != "UP" && port.state != "UNKNOWN") text += " " + port.state;
    if (port.settings.state != "forwarding") text += " " + port.settings.state;
    return text;
}

/// One line for each port, the bridge's own cells only in the first, as brctl show prints them.
class BridgeTable {
  public:
    BridgeTable(const Session& session, bool several)
        : wide_(session.options.format == Format::wide),
          several_(several),
          table_(headings(wide_, several), session.screen) {}

    Result<void> add(const BridgeRow& row) {
        std::vector<Cell> cells;
        if (several_) cells.emplace_back(row.target);
        cells.emplace_back(row.name);
        cells.push_back(row.network ? Cell(network_text(row)) : Cell(network_text(row), Hue::faint));
        cells.emplace_back(row.state, row.state == "UP" ? Hue::good : Hue::warning);
        std::vector<std::string> addresses;
        for (const auto& address : row.addresses) {
            if (wide_ || !address.address().is_link_local()) addresses.push_back(address.to_string());
        }
        cells.emplace_back(std::move(addresses));
        cells.emplace_back(row.settings.stp ? "on" : "off");
        cells.emplace_back(row.settings.vlan_filtering ? "on" : "off");
        if (wide_) {
            cells.emplace_back(row.settings.id);
            cells.emplace_back(std::to_string(row.mtu));
            cells.emplace_back(row.mac);
        }
        std::vector<std::string> ports;
        for (const auto& port : row.ports)
            ports.push_back(behind(port, row.target));
        cells.emplace_back(std::move(ports));
        return table_.add(std::move(cells));
    }
    Result<void> finish() { return table_.finish(); }

  private:
    static std::vector<std::string> headings(bool wide, bool several) {
        std::vector<std::string> out;
        if (several) out.emplace_back("TARGET");
        out.insert(out.end(), {"BRIDGE", "NETWORK", "STATE", "ADDRESS", "STP", "VLANS"});
        if (wide) out.insert(out.end(), {"BRIDGE ID", "MTU", "MAC"});
        out.emplace_back("PORTS");
        return out;
    }

    bool wide_;
    bool several_;
    TableStream table_;
};

constexpr Column<FdbRow> fdb_columns[] = {
    {"BRIDGE", [](const FdbRow& row) { return Cell(row.bridge); }},
    {"PORT", [](const FdbRow& row) { return Cell(row.port); }},
    {"MAC", [](const FdbRow& row) { return Cell(row.mac); }},
    {"VLAN", [](const FdbRow& row) { return Cell(row.vlan ? std::to_string(*row.vlan) : ""); }},
    {"STATE", [](const FdbRow& row) { return Cell(row.state.empty() ? "learned" : row.state); }},
    {"FLAGS", [](const FdbRow& row) { return Cell(comma_list(row.flags)); }},
    {"REMOTE", [](const FdbRow& row) { return Cell(row.remote ? row.remote->to_string() : ""); }, true},
    {"WHOSE",
     [](const FdbRow& row) {
         return Cell(row.owner ? row.owner->interface + " in " + row.owner->target : "");
     }},
};

class Bridges final : public Command {
  public:
    void arguments(CLI::App& app) override {
        add_targets(app, request_);
        app.add_flag("--fdb", request_.fdb,
                     "the forwarding databases: which MAC address is behind which port");
    }

    Result<int> run(const Session& session) override {
        if (request_.targets.empty() && !request_.all) request_.targets = {"host"};
        if (auto checked = check_targets(request_, "bridges"); !checked) return checked.error();
        if (request_.fdb) return print_rows<FdbRow>(session, request_, std::span(fdb_columns));
        const bool several = request_.all || request_.targets.size() > 1;
        BridgeTable table(session, several);
        const auto end =
            follow_rows(session, call_of(request_),
                        [&](std::string_view type, const boost::json::value& value) -> Result<void> {
                            if (type != BridgeRow::type) return {};
                            const auto row = decode_answer<BridgeRow>(value);
                            return row ? table.add(*row) : Result<void>(row.error());
                        });
        if (!end) return end.error();
        if (session.options.format != Format::json) {
            if (auto printed = table.finish(); !printed) return printed.error();
            tell_shared(session, end->report);
        }
        return end->exit_code;
    }

  private:
    BridgesRequest request_;
};

const Registration registered{"bridges", "bridges, whose they are and what is behind their ports",
                              make<Bridges>};

}  // namespace

}  // namespace netlab::cli
