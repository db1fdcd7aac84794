#pragma once

#include "common/binary.hpp"
#include "common/unique_fd.hpp"
#include "daemon/front/quotas.hpp"
#include "daemon/front/waiters.hpp"
#include "daemon/launcher/protocol.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

/// The front's side of the launcher: jobs go out, workers come back.
namespace netlab::front {

/// What the launcher is asked for.
struct Job {
    std::uint16_t operation = 0;  ///< a row of the catalogue
    std::vector<launcher::NamespaceReference> namespaces;
    binary::Bytes request;          ///< an api::Order of the operation's request
    std::uint32_t deadline_ms = 0;  ///< 0: none
};

/// How a worker ended, as far as it is known.
struct Ending {
    enum class Kind : std::uint8_t {
        unknown,        ///< its stream ended and the launcher did not say why in time
        refused,        ///< it was never started; `value` is an errno
        exited,         ///< `value` is a status as of waitpid(2)
        launcher_gone,  ///< the launcher died before it could say anything more; `value` is 1 where the
                        ///< worker had started
    };
    Kind kind = Kind::unknown;
    int value = 0;
};

/// What a client is told of a worker whose stream stopped in the middle.
[[nodiscard]] Error ending_error(Ending ending, std::uint32_t deadline_ms);
/// And of one that had no more time.
[[nodiscard]] Error overdue_error(std::uint32_t deadline_ms);

class Workers;

/// One worker, from the asking on. Who drops it has it killed: at once, or as soon as the launcher says that
/// it started.
class Worker {
  public:
    Worker(Workers& workers, std::uint64_t id, Socket stream, const Job& job, Quotas::Share share);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Frames come out of it (common/frame.hpp).
    [[nodiscard]] Socket& stream() { return stream_; }

    /// Kills it for a reason of the front's own; a read of the stream that is under way ends.
    void stop(Error why);
    [[nodiscard]] const std::optional<Error>& stopped() const { return stopped_; }

    /// Tells it that the client wants no more (Row::that_finishes): what it still says is to be read.
    void finish();

    /// Its stream has ended as it should: it is ending by itself.
    void said_all() { said_all_ = true; }

    /// After its stream ended without frame::Kind::end: why. Waits up to `patience` for the launcher's
    /// notice.
    [[nodiscard]] asio::awaitable<Error> why_it_ended(std::chrono::milliseconds patience);

  private:
    friend class Workers;
    void kill() const;
    /// Its own alarm does not end a worker that a file system holds in the kernel, or that was taken over.
    void end_when_overdue();

    Workers& workers_;
    std::uint64_t id_;
    std::uint32_t deadline_ms_;
    std::optional<launcher::NamespaceReference> named_;  ///< the named namespace that it runs in
    Socket stream_;
    Quotas::Share share_;
    UniqueFd pidfd_;  ///< from `started` on
    std::optional<Ending> ending_;
    std::optional<Error> stopped_;
    bool said_all_ = false;
    asio::steady_timer noticed_;  ///< cancelled when `ending_` is there
    asio::steady_timer overdue_;  ///< from `started` on
};

class Workers {
  public:
    /// `channel` may be empty: then the first one is awaited.
    Workers(asio::any_io_executor executor, UniqueFd channel);

    /// For a request: unlike any other of this daemon's runs, as far as a clock can tell.
    [[nodiscard]] std::uint64_t next_id() { return next_id_++; }

    /// Hands the job to the launcher; whether it starts shows on the worker's stream.
    /// `share` is given back with the Worker; of one that is killed for it when its process has ended, for
    /// until then it works. errc::launcher_unavailable after a second without a launcher, errc::too_large,
    /// errc::busy.
    [[nodiscard]] asio::awaitable<Result<std::unique_ptr<Worker>>> start(Job job, std::uint64_t id,
                                                                         Quotas::Share share = {});

    /// Whether the process that made this connection lives in the daemon's own user and PID namespaces: the
    /// launcher looks. errc::permission_denied where not, errc::target_gone where it has ended;
    /// errc::launcher_unavailable, errc::busy.
    [[nodiscard]] asio::awaitable<Result<void>> check_peer(int connection);

    /// Named namespaces may have come to their end: ends the workers that run in one which `is_there` (path,
    /// device, inode) does not know any more, with errc::target_gone. Nothing in such a namespace tells them.
    void end_of_names(const std::function<bool(const std::string&, std::uint64_t, std::uint64_t)>& is_there);

    /// The launcher was replaced. What runs goes on; what had been asked of the old one and did not start has
    /// failed.
    void replace(UniqueFd channel);

  private:
    friend class Worker;
    using Channel = asio::posix::stream_descriptor;

    /// Of a peer, until the launcher has said.
    struct PeerCheck {
        asio::steady_timer told;
        std::optional<int> errno_of_launcher;
        bool launcher_lost = false;
    };

    asio::awaitable<Result<void>> send(std::vector<std::byte> packet, int stream);
    asio::awaitable<void> listen(std::shared_ptr<Channel> channel);
    bool receive(Channel& channel);
    void take(const launcher::Notice& notice, UniqueFd descriptor);
    void take_peer(const launcher::Notice& notice);
    void lose(const Channel* channel);

    asio::any_io_executor executor_;
    std::shared_ptr<Channel> channel_;
    std::map<std::uint64_t, Worker*> workers_;
    std::map<std::uint64_t, Quotas::Share> dying_;  ///< of those whose end the launcher has not told yet
    std::map<std::uint64_t, std::shared_ptr<PeerCheck>> peers_;
    Waiters waiting_;  ///< for a channel
    std::chrono::steady_clock::time_point last_notice_;
    std::uint64_t next_id_;
};

}  // namespace netlab::front
