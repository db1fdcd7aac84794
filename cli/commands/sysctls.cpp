#include "common/api/sysctls.hpp"

#include "cli/inspection.hpp"

namespace netlab::cli {

namespace {

using api::SysctlRow;
using api::SysctlsRequest;

Cell default_of(const SysctlRow& row) {
    if (!row.default_) return Cell("-");
    const bool of_host = row.default_from == api::SysctlDefault::host;
    return Cell(*row.default_ + (of_host ? " (the host's)" : ""));
}

constexpr Column<SysctlRow> columns[] = {
    {"NAME", [](const SysctlRow& row) { return Cell(row.name); }},
    {"VALUE", [](const SysctlRow& row) { return Cell(row.value, row.changed ? Hue::warning : Hue::plain); }},
    {"DEFAULT", default_of},
};

class Sysctls final : public Command {
  public:
    void arguments(CLI::App& app) override {
        add_targets(app, request_);
        app.add_flag("--changed", request_.changed, "those only that differ from their default");
    }

    Result<int> run(const Session& session) override {
        if (auto checked = check_targets(request_, "sysctls"); !checked) return checked.error();
        return print_rows<SysctlRow>(session, request_, std::span(columns));
    }

  private:
    SysctlsRequest request_;
};

const Registration registered{
    "sysctls", "the net.* settings of a target, and which are not as the kernel has them", make<Sysctls>};

}  // namespace

}  // namespace netlab::cli
