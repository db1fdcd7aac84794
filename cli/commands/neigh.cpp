#include "cli/inspection.hpp"
#include "cli/render/error_text.hpp"
#include "common/api/neighbours.hpp"

#include <unistd.h>

namespace netlab::cli {

namespace {

using api::NeighbourRow;
using api::NeighboursRequest;

Cell state(const NeighbourRow& row) {
    const bool bad = row.state == "FAILED" || row.state == "INCOMPLETE";
    return {row.state, bad ? Hue::bad : row.state == "REACHABLE" ? Hue::good : Hue::plain};
}

Cell owner(const NeighbourRow& row) {
    return row.owner ? row.owner->target + " " + row.owner->interface : std::string("-");
}

/// Whether the MAC address is the owner's. Unknown is never fine.
Cell check(const NeighbourRow& row) {
    if (!row.matches) return {row.mac ? "unknown" : "-", Hue::faint};
    if (*row.matches) return {"yes", Hue::good};
    return {row.owner && row.owner->mac ? "NO: " + row.owner->mac->to_string() : std::string("NO"), Hue::bad};
}

std::string age(std::optional<std::uint32_t> seconds) {
    return seconds ? std::to_string(*seconds) + "s ago" : "-";
}

constexpr Column<NeighbourRow> columns[] = {
    {"ADDRESS", [](const NeighbourRow& row) { return Cell(row.address.to_string()); }},
    {"MAC", [](const NeighbourRow& row) { return Cell(row.mac ? row.mac->to_string() : "-"); }},
    {"STATE", state},
    {"INTERFACE", [](const NeighbourRow& row) { return Cell(row.interface); }},
    {"OWNER", owner},
    {"MAC IS OWNER'S", check},
    {"FLAGS", [](const NeighbourRow& row) { return Cell(comma_list(row.flags)); }},
    {"CONFIRMED", [](const NeighbourRow& row) { return Cell(age(row.confirmed_seconds)); }, true},
    {"USED", [](const NeighbourRow& row) { return Cell(age(row.used_seconds)); }, true},
    {"UPDATED", [](const NeighbourRow& row) { return Cell(age(row.updated_seconds)); }, true},
    {"PROBES", [](const NeighbourRow& row) { return Cell(std::to_string(row.probes)); }, true},
    {"PROTOCOL", [](const NeighbourRow& row) { return Cell(row.protocol.value_or("-")); }, true},
};

void tell_findings(std::uint64_t count) {
    if (count == 0) return;
    const auto line =
        error_line({errc::operation_failed,
                    std::to_string(count) + (count == 1 ? " MAC address is not" : " MAC addresses are not") +
                        " the one that the owner of the address has: what is sent there does not reach it",
                    "delete the entry (ip neigh del ADDRESS dev INTERFACE), or find who else answers for it",
                    {}});
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

class Neigh final : public Command {
  public:
    void arguments(CLI::App& app) override {
        add_targets(app, request_);
        app.add_option("-i,--interface", request_.interface, "only of this interface")->type_name("NAME");
        app.add_flag("-4,--ipv4", ipv4_, "IPv4 only");
        app.add_flag("-6,--ipv6", ipv6_, "IPv6 only");
        app.add_flag("--noarp", request_.noarp, "also what needs no resolution: multicast, loopback");
    }

    Result<int> run(const Session& session) override {
        if (ipv4_ && ipv6_) return Error{errc::bad_request, "-4 and -6 exclude each other", {}, {}};
        if (ipv4_) request_.family = Family::ipv4;
        if (ipv6_) request_.family = Family::ipv6;
        if (auto checked = check_targets(request_, "neigh"); !checked) return checked.error();
        const auto end = show_rows<NeighbourRow>(session, request_, std::span(columns));
        if (!end) return end.error();
        tell_findings(end->report.findings);
        return end->exit_code;
    }

  private:
    NeighboursRequest request_;
    bool ipv4_ = false;
    bool ipv6_ = false;
};

const Registration registered{
    "neigh", "the ARP and NDP caches of a target, and whether the MAC addresses are right", make<Neigh>};

}  // namespace

}  // namespace netlab::cli
