#include "cli/render/ports_text.hpp"

#include "cli/render/escape.hpp"
#include "cli/render/rule_text.hpp"
#include "cli/render/words.hpp"
#include "common/endpoint.hpp"

#include <algorithm>

namespace netlab::cli::ports_text {

namespace {

using api::CarrierClients;
using api::CarrierKind;
using api::PortCarrier;
using api::PortRow;
using api::PortVerdict;

/// "0.0.0.0:8080/tcp"; of one that is exposed only "8081/tcp".
std::string published(const PortRow& row) {
    const auto protocol = "/" + row.protocol;
    if (!row.host_address) return std::to_string(row.container_port) + protocol + " (exposed)";
    return endpoint_text(*row.host_address, row.host_port.value_or(0)) + protocol;
}

std::string leads_to(const PortRow& row) {
    if (row.to) return endpoint_text(row.to->address, row.to->port);
    return "port " + std::to_string(row.container_port);
}

std::string process_of(const std::optional<std::string>& name, std::optional<std::int32_t> pid) {
    auto text = name.value_or("a process");
    if (pid) text += " " + std::to_string(*pid);
    return text;
}

std::string clients_of(const PortCarrier& carrier) {
    switch (carrier.clients) {
        case CarrierClients::localhost:
            return " (localhost)";
        case CarrierClients::outside:
        case CarrierClients::all:
            break;
    }
    return {};
}

std::string text_of(const PortCarrier& carrier, bool wide) {
    std::string text;
    switch (carrier.kind) {
        case CarrierKind::dnat:
            text = "DNAT";
            if (!carrier.rule) break;
            if (!wide && carrier.rule->handle) text += " handle " + std::to_string(*carrier.rule->handle);
            if (!wide && !carrier.rule->handle) text += " " + rule_place(*carrier.rule);
            if (wide) {
                text += " " + rule_place(*carrier.rule) + ": " + carrier.rule->text;
                if (const auto counter = rule_counter(*carrier.rule); !counter.empty())
                    text += " (" + counter + ")";
            }
            break;
        case CarrierKind::proxy:
        case CarrierKind::process:
            text = process_of(carrier.process, carrier.pid);
            break;
        case CarrierKind::host_network:
            text = "host network";
            break;
    }
    return text + clients_of(carrier);
}

Cell carried_by(const PortRow& row, bool wide) {
    if (row.carried_by.empty())
        return {row.verdict == PortVerdict::not_published ? "-" : "nothing", Hue::faint};
    std::vector<std::string> out;
    for (const auto& carrier : row.carried_by)
        out.push_back(text_of(carrier, wide));
    return {std::move(out)};
}

std::string listens(const PortRow& row) {
    if (!row.listener) return "-";
    const auto& listener = *row.listener;
    const bool both =
        listener.address.is_v6() && listener.address.is_unspecified() && listener.v6only == false;
    auto text = both ? "*:" + std::to_string(listener.port) : endpoint_text(listener.address, listener.port);
    if (listener.process) text += " " + process_of(listener.process, listener.pid);
    return text;
}

Cell verdict(const PortRow& row) {
    const auto text = words_of(row.verdict);
    switch (row.verdict) {
        case PortVerdict::works:
            return {text, Hue::good};
        case PortVerdict::not_published:
            return {text, Hue::faint};
        case PortVerdict::unknown:
            return {text, Hue::warning};
        default:
            return {text, Hue::bad};
    }
}

}  // namespace

std::vector<std::string> headings(bool) {
    return {"CONTAINER", "PUBLISHED", "LEADS TO", "CARRIED BY", "LISTENS", "VERDICT"};
}

std::vector<Cell> line(const PortRow& row, bool wide) {
    return {row.target, published(row), leads_to(row), carried_by(row, wide), listens(row), verdict(row)};
}

std::string sharing(const api::InspectionReport& report) {
    std::string out;
    for (const auto& shared : report.shared) {
        // On the host's network nothing is published.
        if (shared.target == "host" || std::ranges::count(shared.with, "host") > 0) continue;
        out += escape(shared.target) + " shares its network namespace with ";
        for (const auto& name : shared.with)
            out += (&name == &shared.with.front() ? "" : ", ") + escape(name);
        out += ": what one of them published would lead to all\n";
    }
    return out;
}

void Remarks::add(const PortRow& row, std::string text) {
    for (auto& remark : remarks_) {
        if (remark.target == row.target && remark.text == text) return remark.ports.push_back(published(row));
    }
    remarks_.push_back({row.target, {published(row)}, std::move(text)});
}

void Remarks::add(const PortRow& row, bool notes) {
    auto text = escape(row.explanation) + "\n";
    if (!row.suggestion.empty()) text += "  try: " + escape(row.suggestion) + "\n";
    if (!row.explanation.empty()) add(row, std::move(text));
    if (!notes) return;
    for (const auto& note : row.notes)
        add(row, escape(note) + "\n");
}

std::string Remarks::text() const {
    std::string out;
    for (const auto& remark : remarks_) {
        out += escape(remark.target);
        for (std::size_t i = 0; i < remark.ports.size(); ++i)
            out += (i == 0 ? " " : ", ") + escape(remark.ports[i]);
        out += ": " + remark.text;
    }
    return out;
}

}  // namespace netlab::cli::ports_text
