#pragma once

#include "common/api/context.hpp"
#include "common/binary.hpp"
#include "common/frame.hpp"
#include "daemon/operations/operation.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace netlab::test {

/// One operation in a process of its own, as the launcher makes it but with all privileges: `prepare`, then
/// `run`.
class OperationProcess {
  public:
    struct Frame {
        frame::Kind kind = frame::Kind::end;
        binary::Bytes payload;
    };

    /// `namespaces` are moved into the child, which calls `between` after `prepare` and before `run`.
    template <class Request>
    OperationProcess(const Request& request, std::vector<operations::TargetHandle> namespaces,
                     const api::Context& context = {}, const std::function<void()>& between = {})
        : OperationProcess(api::operation_number<Request>(),
                           binary::encode(api::Order<Request>{context, request}), std::move(namespaces),
                           between) {}
    /// Kills and reaps it.
    ~OperationProcess();
    OperationProcess(const OperationProcess&) = delete;
    OperationProcess& operator=(const OperationProcess&) = delete;

    /// The next frame; nullopt where none comes in time, or the stream has ended.
    [[nodiscard]] std::optional<Frame> next(std::chrono::milliseconds within = std::chrono::seconds(2));

    /// The next frame, which is a record of this type; nullopt where it is something else.
    template <class Record>
    [[nodiscard]] std::optional<Record> record(std::chrono::milliseconds within = std::chrono::seconds(2)) {
        const auto got = next(within);
        if (!got || got->kind != frame::Kind::record) return std::nullopt;
        auto decoded = binary::decode<Record>(got->payload);
        return decoded ? std::optional<Record>(std::move(*decoded)) : std::nullopt;
    }

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] std::chrono::steady_clock::time_point started() const { return started_; }

    /// Says that no more is wanted, as the front does for Row::that_finishes.
    void finish() const;

  private:
    OperationProcess(std::uint16_t number, binary::Bytes order,
                     std::vector<operations::TargetHandle> namespaces, const std::function<void()>& between);
    [[nodiscard]] bool read(void* out, std::size_t size, std::chrono::steady_clock::time_point until);

    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    pid_t pid_ = -1;
    UniqueFd stream_;
};

/// Runs a command of the shell; true where it ended with 0.
[[nodiscard]] bool shell(const std::string& command);

}  // namespace netlab::test
