#include "common/api/networks.hpp"

#include "cli/inspection.hpp"
#include "cli/render/escape.hpp"

namespace netlab::cli {

namespace {

using api::NetworkRow;
using api::NetworksRequest;

std::string engine_name(const NetworkRow& row) {
    return std::string(described::enumerator_name(row.engine));
}

Cell subnets(const NetworkRow& row) {
    std::vector<std::string> out;
    for (const auto& subnet : row.subnets)
        out.push_back(subnet.subnet.to_string());
    return {std::move(out)};
}

Cell gateways(const NetworkRow& row) {
    std::vector<std::string> out;
    for (const auto& subnet : row.subnets) {
        if (subnet.gateway) out.push_back(subnet.gateway->to_string());
    }
    return {std::move(out)};
}

Cell members(const NetworkRow& row) {
    std::vector<std::string> out;
    for (const auto& member : row.members) {
        auto text = member.name;
        for (const auto& address : member.addresses)
            text += " " + address.address().to_string();
        out.push_back(std::move(text));
    }
    return {std::move(out)};
}

Cell verdict(const NetworkRow& row) {
    if (!row.checked) return {"not checked", Hue::faint};
    if (row.findings.empty()) return {"fine", Hue::good};
    return {std::to_string(row.findings.size()) + (row.findings.size() == 1 ? " finding" : " findings"),
            Hue::bad};
}

std::string device(const NetworkRow& row) {
    if (row.bridge) return *row.bridge;
    return row.parent ? "on " + *row.parent : "";
}

std::vector<std::string> headings(bool wide) {
    std::vector<std::string> out{"NETWORK", "ENGINE", "DRIVER", "SUBNET", "GATEWAY", "BRIDGE"};
    if (wide) out.insert(out.end(), {"ID", "SCOPE", "INTERNAL", "OPTIONS"});
    out.insert(out.end(), {"KERNEL", "MEMBERS"});
    return out;
}

std::vector<Cell> line(const NetworkRow& row, bool wide) {
    std::vector<Cell> cells{row.name, engine_name(row), row.driver, subnets(row), gateways(row), device(row)};
    if (wide) {
        cells.emplace_back(row.id);
        cells.emplace_back(row.scope);
        cells.emplace_back(row.internal ? "yes" : "no");
        std::vector<std::string> options;
        for (const auto& option : row.options)
            options.push_back(option.name + "=" + option.value);
        cells.emplace_back(std::move(options));
    }
    cells.push_back(verdict(row));
    cells.push_back(members(row));
    return cells;
}

std::string findings_text(const NetworkRow& row) {
    std::string text;
    for (const auto& finding : row.findings) {
        text += escape(row.name) + ": " + escape(finding.message) + " [" +
                std::string(described::enumerator_name(finding.code)) + "]\n";
    }
    return text;
}

/// All of one network.
std::string page(const NetworkRow& row, const Screen& screen) {
    std::string text = escape(row.name) + ": " + engine_name(row) + " network, driver " + escape(row.driver) +
                       ", scope " + escape(row.scope) + (row.internal ? ", internal" : "") +
                       (row.ipv6 ? ", IPv6" : "") + "\nid       " + escape(row.id) + "\n";
    for (const auto& subnet : row.subnets) {
        text += "subnet   " + subnet.subnet.to_string();
        if (subnet.gateway) text += ", gateway " + subnet.gateway->to_string();
        if (subnet.range) text += ", range " + subnet.range->to_string();
        text += "\n";
    }
    if (row.bridge) text += "bridge   " + escape(*row.bridge) + "\n";
    if (row.parent) text += "parent   " + escape(*row.parent) + "\n";
    for (const auto& option : row.options)
        text += "option   " + escape(option.name) + "=" + escape(option.value) + "\n";
    text += "kernel   " + verdict(row).items.front() + "\n";
    if (row.members.empty()) return text + "no members\n";
    Table table{{"MEMBER", "ADDRESS", "MAC", "INTERFACE", "PORT ON HOST"}, {}};
    for (const auto& member : row.members) {
        std::vector<std::string> addresses;
        for (const auto& address : member.addresses)
            addresses.push_back(address.to_string());
        table.rows.push_back({member.name, Cell(std::move(addresses)), member.mac,
                              member.interface.value_or("?"), member.port.value_or("")});
    }
    return text + "\n" + to_text(table, screen);
}

class Networks final : public Command {
  public:
    void arguments(CLI::App& app) override {
        app.add_option("NAME", request_.name, "only this network: name, ID prefix, or docker:NAME")
            ->type_name("");
    }

    Result<int> run(const Session& session) override {
        const bool wide = session.options.format == Format::wide;
        const bool json = session.options.format == Format::json;
        Table table{headings(wide), {}};
        std::string pages;
        std::string findings;
        bool found = false;
        const auto end = follow_rows(
            session, call_of(request_),
            [&](std::string_view type, const boost::json::value& value) -> Result<void> {
                if (type != NetworkRow::type) return {};
                const auto row = decode_answer<NetworkRow>(value);
                if (!row) return row.error();
                found = found || !row->findings.empty();
                if (json) return {};
                table.rows.push_back(line(*row, wide));
                if (!request_.name.empty()) pages += (pages.empty() ? "" : "\n") + page(*row, session.screen);
                findings += findings_text(*row);
                return {};
            },
            TakeJson::yes);
        if (!end) return end.error();
        const int code = end->exit_code == 0 && found ? 1 : end->exit_code;
        if (json) return code;
        auto text = request_.name.empty() || wide ? to_text(table, session.screen) : pages;
        if (!findings.empty()) text += "\n" + findings;
        if (auto printed = print(text); !printed) return printed.error();
        return code;
    }

  private:
    NetworksRequest request_;
};

const Registration registered{"networks", "the engines' networks, held against the kernel", make<Networks>};

}  // namespace

}  // namespace netlab::cli
