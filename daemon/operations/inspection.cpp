#include "daemon/operations/inspection.hpp"

#include "daemon/kernel/netlink.hpp"

#include <algorithm>
#include <new>

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

/// A namespace may have more of something than this process may have memory.
Result<void> inspect_one(std::size_t i, Rows& rows,
                         const std::function<Result<void>(std::size_t, Rows&)>& inspect) {
    try {
        return inspect(i, rows);
    } catch (const std::bad_alloc&) {
        return Error{errc::limit_exceeded, "it has more than fits into the memory of one request", {}, {}};
    }
}

}  // namespace

void Rows::failure(const api::TargetFailure& failure) {
    output_.row(failure);
    ++failures_;
}

std::vector<Result<UniqueFd>> open_route_sockets(Namespaces& namespaces, const api::Context& context) {
    return open_in_each(namespaces, 0, context.targets.size(),
                        [](std::size_t) { return kernel::open_route_socket(); });
}

Result<void> inspect_each(const api::Context& context, Output& output,
                          const std::function<Result<void>(std::size_t, Rows&)>& inspect) {
    return inspect_each(context, output, inspect, [](Rows&) -> Result<void> { return {}; });
}

Result<void> inspect_each(const api::Context& context, Output& output,
                          const std::function<Result<void>(std::size_t, Rows&)>& inspect,
                          const std::function<Result<void>(Rows&)>& last) {
    Rows rows(output);
    api::InspectionReport report;
    for (std::size_t i = 0; i < context.targets.size(); ++i) {
        auto done = inspect_one(i, rows, inspect);
        if (done) continue;
        if (context.targets.size() == 1) return done.error();
        rows.failure({context.targets[i].name, done.error()});
    }
    if (auto done = last(rows); !done) return done;
    report.rows = rows.count();
    report.targets = context.targets.size();
    report.failures = rows.failures();
    report.findings = rows.findings();
    report.truncated = context.truncated;
    report.consistent = rows.consistent();
    report.shared = shared_namespaces(context);
    output.event(report);
    return {};
}

}  // namespace netlab::operations
