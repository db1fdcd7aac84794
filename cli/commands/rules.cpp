#include "common/api/rules.hpp"

#include "cli/inspection.hpp"

namespace netlab::cli {

namespace {

using api::RuleRow;
using api::RulesRequest;

/// What a packet must be for the rule to fit, beyond its addresses.
Cell conditions(const RuleRow& row) {
    std::vector<std::string> items;
    const auto add = [&](const char* name, const auto& value) {
        if (value) items.push_back(std::string(name) + " " + *value);
    };
    if (row.iif) items.push_back("iif " + *row.iif + (row.iif_detached ? " (not there)" : ""));
    if (row.oif) items.push_back("oif " + *row.oif + (row.oif_detached ? " (not there)" : ""));
    if (row.fwmark) items.push_back("fwmark " + *row.fwmark + (row.fwmask ? "/" + *row.fwmask : ""));
    add("tos", row.tos);
    add("ipproto", row.ipproto);
    add("sport", row.sport);
    add("dport", row.dport);
    add("uidrange", row.uidrange);
    if (row.tun_id) items.push_back("tun_id " + std::to_string(*row.tun_id));
    return items;
}

Cell action(const RuleRow& row) {
    std::string text = row.action;
    if (row.table) text += " " + *row.table;
    if (row.goto_) text += " " + std::to_string(*row.goto_);
    if (row.unresolved) text += " (no such rule)";
    if (row.suppress_prefixlength)
        text += " suppress_prefixlength " + std::to_string(*row.suppress_prefixlength);
    if (row.suppress_ifgroup) text += " suppress_ifgroup " + std::to_string(*row.suppress_ifgroup);
    if (row.realms) text += " realms " + *row.realms;
    const bool drops = row.action == "blackhole" || row.action == "unreachable" || row.action == "prohibit";
    return {std::move(text), drops || row.unresolved ? Hue::bad : Hue::plain};
}

constexpr Column<RuleRow> columns[] = {
    {"PRIORITY", [](const RuleRow& row) { return Cell(std::to_string(row.priority)); }},
    {"FAMILY", [](const RuleRow& row) { return Cell(std::string(described::enumerator_name(row.family))); }},
    {"FROM", [](const RuleRow& row) { return Cell((row.invert ? "not " : "") + row.from); }},
    {"TO", [](const RuleRow& row) { return Cell(row.to.value_or("all")); }},
    {"ACTION", [](const RuleRow& row) { return action(row); }},
    {"PROTOCOL", [](const RuleRow& row) { return Cell(row.protocol); }},
    {"CONDITIONS", [](const RuleRow& row) { return conditions(row); }},
};

class Rules final : public Command {
  public:
    void arguments(CLI::App& app) override {
        add_targets(app, request_);
        app.add_flag("-4,--ipv4", ipv4_, "IPv4 only");
        app.add_flag("-6,--ipv6", ipv6_, "IPv6 only");
    }

    Result<int> run(const Session& session) override {
        if (ipv4_ && ipv6_) return Error{errc::bad_request, "-4 and -6 exclude each other", {}, {}};
        if (ipv4_) request_.family = Family::ipv4;
        if (ipv6_) request_.family = Family::ipv6;
        if (auto checked = check_targets(request_, "rules"); !checked) return checked.error();
        return print_rows<RuleRow>(session, request_, std::span(columns));
    }

  private:
    RulesRequest request_;
    bool ipv4_ = false;
    bool ipv6_ = false;
};

const Registration registered{"rules", "the policy rules of a target, as ip rule has them", make<Rules>};

}  // namespace

}  // namespace netlab::cli
