#include "common/api/links.hpp"

#include "cli/inspection.hpp"
#include "cli/other_end.hpp"

namespace netlab::cli {

namespace {

using api::LinkRow;
using api::LinksRequest;

Cell state(const LinkRow& row) {
    // A loopback or a tunnel that works says UNKNOWN.
    const auto hue = row.state == "UP"        ? Hue::good
                     : row.state == "UNKNOWN" ? Hue::plain
                     : row.state == "DOWN"    ? Hue::bad
                                              : Hue::warning;
    return {row.state, hue};
}

Cell other_end(const LinkRow& row) {
    if (row.peer) return {other_end_text(*row.peer, row.target), row.peer->name ? Hue::plain : Hue::warning};
    if (row.parent) return {"on " + other_end_text(*row.parent, row.target)};
    return {""};
}

/// What is special about its kind.
Cell detail(const LinkRow& row) {
    std::vector<std::string> words;
    if (row.mode) words.push_back("mode " + *row.mode);
    if (row.vlan) words.push_back("VLAN " + std::to_string(row.vlan->id) + " " + row.vlan->protocol);
    if (row.vxlan) {
        words.push_back("VNI " + std::to_string(row.vxlan->id) + " port " + std::to_string(row.vxlan->port));
        if (row.vxlan->remote) words.push_back("remote " + row.vxlan->remote->to_string());
        if (row.vxlan->group) words.push_back("group " + row.vxlan->group->to_string());
        if (row.vxlan->local) words.push_back("local " + row.vxlan->local->to_string());
    }
    if (row.bridge) words.emplace_back(row.bridge->stp ? "STP" : "no STP");
    if (row.bridge && row.bridge->vlan_filtering) words.emplace_back("VLAN filtering");
    if (row.bridge_port) words.push_back("port " + row.bridge_port->state);
    if (row.bridge_port && row.bridge_port->isolated) words.emplace_back("isolated");
    if (row.bridge_port && row.bridge_port->hairpin) words.emplace_back("hairpin");
    if (row.alias) words.push_back("alias " + *row.alias);
    for (const auto& name : row.alternative_names)
        words.push_back("also " + name);
    return {std::move(words)};
}

Cell kind(const LinkRow& row) {
    return {row.kind.empty() ? row.link_type : row.kind};
}

Cell count(std::uint64_t value) {
    return {std::to_string(value)};
}

/// Nothing should be lost: what is stands out.
Cell loss(std::uint64_t value) {
    return {std::to_string(value), value == 0 ? Hue::plain : Hue::warning};
}

constexpr Column<LinkRow> columns[] = {
    {"INDEX", [](const LinkRow& row) { return Cell(std::to_string(row.index)); }},
    {"NAME", [](const LinkRow& row) { return Cell(row.name); }},
    {"KIND", kind},
    {"STATE", state},
    {"MTU", [](const LinkRow& row) { return Cell(std::to_string(row.mtu)); }},
    {"MAC", [](const LinkRow& row) { return Cell(row.mac); }},
    {"MASTER", [](const LinkRow& row) { return Cell(row.master.value_or("")); }},
    {"OTHER END", other_end},
    {"DETAIL", detail},
    {"FLAGS", [](const LinkRow& row) { return Cell(comma_list(row.flags)); }, true},
    {"QDISC", [](const LinkRow& row) { return Cell(row.qdisc); }, true},
    {"QLEN", [](const LinkRow& row) { return Cell(std::to_string(row.tx_queue_length)); }, true},
    {"GROUP", [](const LinkRow& row) { return Cell(row.group); }, true},
};

constexpr Column<LinkRow> counters[] = {
    {"NAME", [](const LinkRow& row) { return Cell(row.name); }},
    {"KIND", kind},
    {"STATE", state},
    {"RX BYTES", [](const LinkRow& row) { return count(row.statistics.rx_bytes); }},
    {"RX PACKETS", [](const LinkRow& row) { return count(row.statistics.rx_packets); }},
    {"RX ERRORS", [](const LinkRow& row) { return loss(row.statistics.rx_errors); }},
    {"RX DROPPED", [](const LinkRow& row) { return loss(row.statistics.rx_dropped); }},
    {"RX OVERRUN", [](const LinkRow& row) { return loss(row.statistics.rx_over_errors); }, true},
    {"RX MULTICAST", [](const LinkRow& row) { return count(row.statistics.rx_multicast); }, true},
    {"TX BYTES", [](const LinkRow& row) { return count(row.statistics.tx_bytes); }},
    {"TX PACKETS", [](const LinkRow& row) { return count(row.statistics.tx_packets); }},
    {"TX ERRORS", [](const LinkRow& row) { return loss(row.statistics.tx_errors); }},
    {"TX DROPPED", [](const LinkRow& row) { return loss(row.statistics.tx_dropped); }},
    {"TX CARRIER", [](const LinkRow& row) { return loss(row.statistics.tx_carrier_errors); }, true},
    {"COLLISIONS", [](const LinkRow& row) { return loss(row.statistics.tx_collisions); }, true},
};

class Links final : public Command {
  public:
    void arguments(CLI::App& app) override {
        add_targets(app, request_);
        app.add_option("-i,--interface", request_.interface, "only this interface")->type_name("NAME");
        app.add_flag("-s,--statistics", statistics_, "the counters in place of the settings");
    }

    Result<int> run(const Session& session) override {
        if (auto checked = check_targets(request_, "links"); !checked) return checked.error();
        if (statistics_) return print_rows<LinkRow>(session, request_, std::span(counters));
        return print_rows<LinkRow>(session, request_, std::span(columns));
    }

  private:
    LinksRequest request_;
    bool statistics_ = false;
};

const Registration registered{"links", "the interfaces of a target, and where their other ends are",
                              make<Links>};

}  // namespace

}  // namespace netlab::cli
