#pragma once

#include "common/api/catalogue.hpp"
#include "common/api/context.hpp"
#include "common/unique_fd.hpp"
#include "daemon/kernel/container_file.hpp"
#include "daemon/operations/output.hpp"

#include <functional>
#include <memory>
#include <span>
#include <vector>

/// An operation is two functions in a process of its own:
///
///     Result<Handles> prepare(Namespaces&, const Request&, const api::Context&);
///     Result<void>    run(Handles&, const Request&, const api::Context&, Output&);
///
/// `prepare` is privileged: it enters namespaces, opens sockets and files, and reads nothing hostile.
/// `run` has no capability and no file system: it sends, receives, parses and reports.
/// One line at the end of ping.cpp joins them to their row in the catalogue:
///
///     const Registration<api::PingRequest> registered{operation<prepare, run>({.net_raw = true})};
namespace netlab::operations {

/// Where a file of the target's resolver was looked for, and what was there.
struct ResolverFile {
    std::string path;  ///< as the target has it; as the host has it where ip-netns(8) would show that one
    kernel::FileLook look;
};

/// One namespace of a request, opened and checked by the launcher before `prepare`.
struct TargetHandle {
    UniqueFd net;  ///< empty only for a peer, one of several targets, another, and where
                   ///< Needs::namespaces_may_fail
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t start_time =
        0;  ///< of the process it was reached by, 0 where there is none; where it was reached
            ///< by a path, of its process with Needs::resolver_files or start_times
    UniqueFd
        resolv_conf;  ///< /etc/resolv.conf as a program in the target sees it; empty where there is none,
    UniqueFd hosts;   ///< where it is no regular file, or where Needs::resolver_files is not set
    ResolverFile resolv_conf_file;  ///< with Needs::resolver_files, as hosts_file
    ResolverFile hosts_file;
};

/// The namespaces of a request: those of Context::targets, the peer's where there is one, those of
/// Context::others.
class Namespaces {
  public:
    explicit Namespaces(std::vector<TargetHandle> handles) : handles_(std::move(handles)) {}

    [[nodiscard]] std::size_t size() const { return handles_.size(); }
    [[nodiscard]] TargetHandle& operator[](std::size_t index) { return handles_.at(index); }
    /// Moves this process into the network namespace; sockets opened from now on are in it.
    /// errc::target_gone, errc::operation_failed.
    [[nodiscard]] Result<void> enter(std::size_t index);

    /// What a BesideProcess does first: closes what is the operation's alone (its stream), and gives up all
    /// but CAP_NET_ADMIN and the system calls of netfilter's libraries. The launcher sets it.
    using Confine = std::function<Result<void>()>;
    void confine_beside(Confine confine) { confine_beside_ = std::move(confine); }
    [[nodiscard]] const Confine& confine_beside() const { return confine_beside_; }
    /// What the relay to an engine does first: gives up all that `run` does. The launcher sets it.
    void confine_relay(Confine confine) { confine_relay_ = std::move(confine); }
    [[nodiscard]] const Confine& confine_relay() const { return confine_relay_; }

  private:
    std::vector<TargetHandle> handles_;
    Confine confine_beside_;
    Confine confine_relay_;
};

/// What an operation may have. All else is taken away before `prepare` (capabilities) or before `run` (the
/// rest).
struct Needs {
    bool net_raw = false;         ///< `prepare` opens raw or packet sockets
    bool net_admin = false;       ///< `prepare` asks netfilter, or starts a BesideProcess
    bool processes = false;       ///< `prepare` looks at the descriptors and namespaces of all processes
    bool engines = false;         ///< `prepare` connects to the engines' sockets
    bool resolver_files = false;  ///< resolv.conf and hosts of the targets are opened for it
    bool start_times = false;     ///< TargetHandle::start_time of those too that are reached by a path
    bool ip_sockets =
        false;  ///< `run` opens UDP and TCP sockets: DNS. They can only be in the namespace it is left in
    bool namespaces_may_fail =
        false;                       ///< it starts although a namespace could not be opened, and tells which
    bool threads = false;            ///< `run` starts threads; not together with ip_sockets
    std::uint32_t cpu_seconds = 10;  ///< 0: it may run for weeks
    std::uint64_t address_space = 256ULL << 20;  ///< bytes
    std::uint32_t descriptors = 64;              ///< open at once in `run`; `prepare` may have more
};

/// What `prepare` leaves for `run`, whatever its type. The worker never destroys it: the kernel closes what
/// is open after the last frame has been sent, when nobody waits for it any more.
class Prepared {
  public:
    virtual ~Prepared() = default;
    [[nodiscard]] virtual Result<void> run(Output& output) = 0;
};

struct Operation {
    Needs needs;
    /// Decodes the request, which begins with the api::Context, and prepares.
    Result<std::unique_ptr<Prepared>> (*prepare)(Namespaces&, std::span<const std::byte> request) = nullptr;
};

namespace detail {

template <auto function, class Handles, class Request>
class PreparedOf final : public Prepared {
  public:
    PreparedOf(Handles handles, Request request, api::Context context)
        : handles_(std::move(handles)), request_(std::move(request)), context_(std::move(context)) {}
    Result<void> run(Output& output) override { return function(handles_, request_, context_, output); }

  private:
    Handles handles_;
    Request request_;
    api::Context context_;
};

template <auto prepare, auto run, class Handles, class Request>
Result<std::unique_ptr<Prepared>> prepare_erased(Namespaces& namespaces, std::span<const std::byte> bytes) {
    auto order = binary::decode<api::Order<Request>>(bytes);
    if (!order) return order.error();
    Result<Handles> handles = prepare(namespaces, order->request, order->context);
    if (!handles) return handles.error();
    return std::unique_ptr<Prepared>(std::make_unique<PreparedOf<run, Handles, Request>>(
        std::move(*handles), std::move(order->request), std::move(order->context)));
}

template <auto prepare, auto run, class Handles, class Request>
Operation deduce(Needs needs, Result<Handles> (*)(Namespaces&, const Request&, const api::Context&)) {
    return {needs, &prepare_erased<prepare, run, Handles, Request>};
}

}  // namespace detail

template <auto prepare, auto run>
Operation operation(Needs needs) {
    return detail::deduce<prepare, run>(needs, prepare);
}

/// The operation of a catalogue row by its number, nullptr where it has none (Kind::registry).
[[nodiscard]] const Operation* find(std::uint16_t number);
void add(std::uint16_t number, const Operation& operation);

template <class Request>
struct Registration {
    explicit Registration(const Operation& operation) { add(api::operation_number<Request>(), operation); }
};

}  // namespace netlab::operations
