#include "daemon/kernel/netlink_channel.hpp"

#include <cerrno>
#include <optional>

namespace netlab::kernel {

using namespace channel;

namespace {

/// How one attempt ended. `busy`: the dump before it has not been read to its end.
enum class Attempt { complete, interrupted, overrun, late, busy };

/// Where something flaps all the time, each dump would be tried again for two seconds, and a request is many
/// dumps: after one in vain they are tried again for a fifth of the time that has gone by since.
class Patience {
  public:
    [[nodiscard]] Clock::duration now() const {
        return in_vain_ ? (Clock::now() - *in_vain_) / 5 : Clock::duration::max();
    }
    void lost() { in_vain_ = Clock::now(); }

  private:
    std::optional<Clock::time_point> in_vain_;
};

Error read_too_slowly() {
    return {errc::timed_out, "the kernel's network tables could not be read in time", {}, {}};
}

/// NLMSG_DONE and NLMSG_ERROR both begin with a negative errno, 0 for none.
Result<void> check_status(std::uint16_t type, std::span<const std::byte> payload, std::uint16_t flags) {
    int status = 0;
    if (!read(payload, status) || status >= 0) return {};
    std::span<const std::byte> attributes;
    const std::size_t skipped = type == NLMSG_ERROR ? sizeof(nlmsgerr) : sizeof status;
    if ((flags & NLM_F_ACK_TLVS) != 0 && payload.size() > skipped) attributes = payload.subspan(skipped);
    return refused(-status, attributes);
}

/// What nfnetlink says of a subsystem that it has not, and of a request that is wrong
/// (nfnetlink_rcv_msg() in net/netfilter/nfnetlink.c); no other family that is asked here has message types
/// beyond a byte.
bool is_of_no_subsystem(std::uint16_t type, std::span<const std::byte> payload) {
    nlmsgerr error;
    return type == NLMSG_ERROR && read(payload, error) && error.error == -EINVAL &&
           error.msg.nlmsg_type >> 8 != 0;
}

/// Takes one datagram apart: rows of the dump `sequence` are appended to `out`.
class Gathering {
  public:
    Gathering(std::uint32_t sequence, Dump<std::byte>& out) : sequence_(sequence), out_(out) {}

    [[nodiscard]] bool done() const { return done_; }
    [[nodiscard]] bool interrupted() const { return interrupted_; }
    /// The kernel has no such table.
    [[nodiscard]] bool unknown() const { return status_ == -ENOENT || no_subsystem_; }
    /// Another dump is under way on this socket.
    [[nodiscard]] bool busy() const { return status_ == -EBUSY; }

    Result<void> take(std::span<const std::byte> datagram) {
        nlmsghdr header;
        while (!done_ && read(datagram, header)) {
            if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) break;
            const auto length =
                std::min(datagram.size(), static_cast<std::size_t>(NLMSG_ALIGN(header.nlmsg_len)));
            if (auto result = take_message(header, datagram.first(length)); !result) return result;
            datagram = datagram.subspan(length);
        }
        return {};
    }

  private:
    Result<void> take_message(const nlmsghdr& header, std::span<const std::byte> message) {
        const bool final = header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR;
        const bool multi = (header.nlmsg_flags & NLM_F_MULTI) != 0;
        if (header.nlmsg_seq != sequence_ || !(final || multi)) {
            // An answer to an earlier, abandoned attempt has NLM_F_MULTI too, but says nothing new.
            out_.notified = out_.notified || !(final || multi);
            return {};
        }
        interrupted_ = interrupted_ || (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (final) {
            done_ = true;
            const auto payload = message.subspan(sizeof header, header.nlmsg_len - sizeof header);
            static_cast<void>(read(payload, status_));
            no_subsystem_ = is_of_no_subsystem(header.nlmsg_type, payload);
            return check_status(header.nlmsg_type, payload, header.nlmsg_flags);
        }
        if (header.nlmsg_type != NLMSG_NOOP)
            out_.rows.insert(out_.rows.end(), message.begin(), message.end());
        return {};
    }

    std::uint32_t sequence_;
    Dump<std::byte>& out_;
    bool done_ = false;
    bool interrupted_ = false;
    int status_ = 0;  ///< that it ended with: a negative errno
    bool no_subsystem_ = false;
};

/// Reads what is left of a dump that nobody wants any more: until then the kernel refuses the next one on
/// that socket (EBUSY). Half a second at most.
void abandon(int socket) {
    const auto until = Clock::now() + std::chrono::milliseconds(500);
    while (Clock::now() < until) {
        const auto received = receive(socket, receive_buffer());
        // A dump has its next part ready as soon as the last one is read.
        if (!received || received->nothing) return;
    }
}

Result<Attempt> attempt(int socket, std::span<std::byte> message, Clock::time_point until,
                        Dump<std::byte>& out) {
    const auto buffer = receive_buffer();
    const auto sequence = complete_header(message, NLM_F_REQUEST | NLM_F_DUMP);
    if (auto sent = send(socket, message); !sent) return sent.error();
    Gathering gathering(sequence, out);
    bool overrun = false;
    bool truncated = false;
    while (!gathering.done()) {
        auto received = receive(socket, buffer);
        if (!received) return received.error();
        if (received->nothing) {
            // After an overrun the dump's own end may be what was lost.
            if (overrun) return Attempt::overrun;
            if (!wait_readable(socket, until)) return Attempt::late;
            continue;
        }
        overrun = overrun || received->overrun;
        truncated = truncated || received->truncated;
        if (auto taken = gathering.take(buffer.first(received->size)); !taken)
            return gathering.busy() ? Result<Attempt>(Attempt::busy) : taken.error();
        if (!gathering.done() && Clock::now() >= until) {
            abandon(socket);
            return Attempt::late;
        }
    }
    out.notified = out.notified || overrun;
    return gathering.interrupted() || truncated ? Attempt::interrupted : Attempt::complete;
}

/// Reads one attempt of stream_dump(); nullopt: `busy`.
Result<std::optional<DumpEnd>> stream(int socket, std::uint32_t sequence,
                                      const std::function<void(std::span<const std::byte>)>& take) {
    const auto buffer = receive_buffer();
    DumpEnd end;
    bool any = false;
    Dump<std::byte> piece;
    Gathering gathering(sequence, piece);
    for (auto until = Clock::now() + dump_deadline; !gathering.done();) {
        const auto received = receive(socket, buffer);
        if (!received) return received.error();
        if (received->nothing) {
            // After an overrun the dump's own end may be what was lost.
            if (end.consistent && wait_readable(socket, until)) continue;
            return any ? Result<std::optional<DumpEnd>>(DumpEnd{false}) : read_too_slowly();
        }
        if (received->overrun || received->truncated) end.consistent = false;
        piece.rows.clear();
        if (auto taken = gathering.take(buffer.first(received->size)); !taken) {
            if (gathering.unknown()) return std::optional(DumpEnd{end.consistent, false});
            if (gathering.busy()) return std::optional<DumpEnd>();
            return taken.error();
        }
        if (piece.rows.empty()) {
            // What others send must not keep it from ending.
            if (Clock::now() >= until) return std::optional(DumpEnd{false});
            continue;
        }
        any = true;
        take(piece.rows);
        until = Clock::now() + dump_deadline;
    }
    end.consistent = end.consistent && !gathering.interrupted();
    return std::optional(end);
}

}  // namespace

Result<Dump<std::byte>> dump(int socket, std::span<std::byte> message, std::chrono::milliseconds deadline) {
    static Patience patience;
    const auto until = Clock::now() + deadline;
    const auto again_until = Clock::now() + std::min<Clock::duration>(deadline, patience.now());
    Dump<std::byte> last;
    last.consistent = false;
    bool any = false;
    bool notified = false;
    do {
        Dump<std::byte> fresh;
        const auto how = attempt(socket, message, until, fresh);
        if (!how) return how.error();
        if (*how == Attempt::busy) {
            abandon(socket);
            continue;
        }
        notified = notified || fresh.notified;
        fresh.consistent = *how == Attempt::complete;
        if (*how == Attempt::late && any) break;
        any = any || *how == Attempt::interrupted || *how == Attempt::complete;
        last = std::move(fresh);
    } while (!last.consistent && Clock::now() < (any ? again_until : until));
    if (!last.consistent) patience.lost();
    if (!any) return read_too_slowly();
    last.notified = notified;
    return last;
}

Result<DumpEnd> stream_dump(int socket, std::span<std::byte> message,
                            const std::function<void(std::span<const std::byte>)>& take) {
    for (const auto until = Clock::now() + dump_deadline; Clock::now() < until; abandon(socket)) {
        const auto sequence = send_dump(socket, message);
        if (!sequence) return sequence.error();
        const auto end = stream(socket, *sequence, take);
        if (!end) return end.error();
        if (*end) return **end;
    }
    return read_too_slowly();
}

Result<std::uint32_t> send_dump(int socket, std::span<std::byte> message) {
    const auto sequence = complete_header(message, NLM_F_REQUEST | NLM_F_DUMP);
    if (auto sent = send(socket, message); !sent) return sent.error();
    return sequence;
}

Result<DumpEnd> read_dump(int socket, std::uint32_t sequence,
                          const std::function<void(std::span<const std::byte>)>& take) {
    const auto end = stream(socket, sequence, take);
    if (!end) return end.error();
    return *end ? **end : DumpEnd{false, true};
}

}  // namespace netlab::kernel
