#pragma once

#include "common/api/inspection.hpp"
#include "daemon/operations/operation.hpp"

#include <functional>
#include <vector>

/// What the inspections have in common: a socket for each namespace, and one target after another.
namespace netlab::operations {

/// Needs::descriptors of an operation that holds one or two for each of launcher::most_targets namespaces.
inline constexpr std::uint32_t many_descriptors = 1024;

/// Needs::address_space of an operation that keeps a table which may have a million rows.
inline constexpr std::uint64_t large_tables = 1ULL << 30;

/// Enters the namespaces `first` up to `first + count` one after another and opens something in each: `open`
/// is called with the index. Where a namespace is not there or cannot be entered, and where `open` fails, the
/// error is kept in its place.
template <class Open>
auto open_in_each(Namespaces& namespaces, std::size_t first, std::size_t count, Open open) {
    std::vector<decltype(open(std::size_t{}))> opened;
    opened.reserve(count);
    for (std::size_t i = first; i < first + count; ++i) {
        if (!namespaces[i].net) {
            opened.emplace_back(Error{errc::target_gone,
                                      "its network namespace is gone",
                                      "see `netlab ls`: it may have stopped",
                                      {}});
        } else if (auto entered = namespaces.enter(i); !entered) {
            opened.emplace_back(entered.error());
        } else {
            opened.push_back(open(i));
        }
    }
    return opened;
}

/// A route socket in each namespace of Context::targets.
[[nodiscard]] std::vector<Result<UniqueFd>> open_route_sockets(Namespaces& namespaces,
                                                               const api::Context& context);

/// Writes rows and counts them.
class Rows {
  public:
    explicit Rows(Output& output) : output_(output) {}

    template <class Row>
    void add(const Row& row) {
        output_.row(row);
        ++count_;
    }
    /// What was read was not of one moment: the report says so.
    void note(bool consistent) { consistent_ = consistent_ && consistent; }
    /// The row that was added last says that something is wrong.
    void finding() { ++findings_; }
    /// Somebody's rows are missing from here on.
    void failure(const api::TargetFailure& failure);

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] std::uint64_t findings() const { return findings_; }
    [[nodiscard]] std::uint64_t failures() const { return failures_; }
    [[nodiscard]] bool consistent() const { return consistent_; }

  private:
    Output& output_;
    std::uint64_t count_ = 0;
    std::uint64_t findings_ = 0;
    std::uint64_t failures_ = 0;
    bool consistent_ = true;
};

/// Calls `inspect(i, rows)` for each target and ends with the report. The error of a single target is the
/// operation's; one of several becomes an api::TargetFailure, and the others go on. So does memory that is
/// not enough for one: what was read of it has been given back by then.
[[nodiscard]] Result<void> inspect_each(const api::Context& context, Output& output,
                                        const std::function<Result<void>(std::size_t, Rows&)>& inspect);

/// The same, with something of the operation's own to say after the last target and before the report; its
/// error is the operation's.
[[nodiscard]] Result<void> inspect_each(const api::Context& context, Output& output,
                                        const std::function<Result<void>(std::size_t, Rows&)>& inspect,
                                        const std::function<Result<void>(Rows&)>& last);

}  // namespace netlab::operations
