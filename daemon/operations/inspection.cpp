#include "daemon/operations/inspection.hpp"

#include "daemon/kernel/netlink.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

/// Those that live in a target's namespace and are not asked by their own name.
std::vector<api::SharedNamespace> shared_namespaces(const api::Context& context) {
    std::vector<api::SharedNamespace> out;
    const auto is_asked = [&](const std::string& name) {
        return std::ranges::find(context.targets, name, &api::Target::name) != context.targets.end();
    };
    for (const auto& target : context.targets) {
        if (!target.namespace_) continue;
        api::SharedNamespace shared{target.name, {}};
        std::ranges::remove_copy_if(target.namespace_->shared_with, std::back_inserter(shared.with),
                                    is_asked);
        if (!shared.with.empty()) out.push_back(std::move(shared));
    }
    return out;
}

}  // namespace

std::vector<Result<UniqueFd>> open_route_sockets(Namespaces& namespaces, const api::Context& context) {
    return open_in_each(namespaces, 0, context.targets.size(),
                        [](std::size_t) { return kernel::open_route_socket(); });
}

Result<void> inspect_each(const api::Context& context, Output& output,
                          const std::function<Result<void>(std::size_t, Rows&)>& inspect) {
    return inspect_each(context, output, inspect, [](Rows&) {});
}

Result<void> inspect_each(const api::Context& context, Output& output,
                          const std::function<Result<void>(std::size_t, Rows&)>& inspect,
                          const std::function<void(Rows&)>& last) {
    Rows rows(output);
    api::InspectionReport report;
    for (std::size_t i = 0; i < context.targets.size(); ++i) {
        auto done = inspect(i, rows);
        if (done) continue;
        if (context.targets.size() == 1) return done.error();
        ++report.failures;
        output.row(api::TargetFailure{context.targets[i].name, done.error()});
    }
    last(rows);
    report.rows = rows.count();
    report.targets = context.targets.size();
    report.findings = rows.findings();
    report.consistent = rows.consistent();
    report.shared = shared_namespaces(context);
    output.event(report);
    return {};
}

}  // namespace netlab::operations
