#include "daemon/operations/clock.hpp"
#include "daemon/operations/echo_payload.hpp"
#include "daemon/operations/echo_socket.hpp"
#include "daemon/operations/pair_neighbours.hpp"
#include "daemon/operations/parallel.hpp"
#include "daemon/operations/request_time.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <system_error>

#include <sys/random.h>
#include <unistd.h>

/// `netlab ping --all-pairs`: an ICMP echo from every namespace to every other, all at once.
namespace netlab::operations {

namespace {

using api::Context;
using api::PairOutcome;
using api::PairRow;
using api::PingPairsRequest;
using Clock = Output::Clock;
using std::chrono::nanoseconds;

/// What is open in one namespace.
struct Side : PairSide {
    std::optional<EchoSocket> v4;
    std::optional<EchoSocket> v6;  ///< absent where the kernel has no IPv6, as where it is not wanted
};

struct Handles {
    std::vector<Result<Side>> sides;
    std::uint16_t id = 0;
    EchoCookie cookie{};
    std::size_t processors = 1;  ///< to be used
};

constexpr std::size_t payload_size = 56;

Result<Side> open_side(const TargetHandle& target, std::uint16_t id, std::optional<Family> family) {
    auto common = open_pair_side(target, family);
    if (!common) return common.error();
    Side side{std::move(*common), {}, {}};
    EchoOptions options;
    options.transmit_times = false;
    options.largest = 512;
    if (family != Family::ipv6) {
        auto socket = EchoSocket::open(Family::ipv4, id, options);
        if (!socket) return socket.error();
        side.v4 = std::move(*socket);
    }
    if (family != Family::ipv4) {
        auto socket = EchoSocket::open(Family::ipv6, id, options);
        if (!socket && socket.error().code != errc::unsupported) return socket.error();
        if (socket) side.v6 = std::move(*socket);
    }
    return side;
}

Result<Handles> prepare(Namespaces& namespaces, const PingPairsRequest& request, const Context& context) {
    if (auto enough = need_two(context); !enough) return enough.error();
    Handles handles;
    handles.id = static_cast<std::uint16_t>(::getpid());
    if (::getrandom(handles.cookie.data(), handles.cookie.size(), 0) != std::ssize(handles.cookie))
        return system_error(errc::operation_failed, "get random bytes", errno);
    // More hardly help: the kernel's neighbour table and the bridge are everybody's.
    constexpr std::size_t enough = 4;
    handles.processors = ready_for_threads(enough);
    handles.sides = open_in_each(namespaces, 0, context.targets.size(), [&](std::size_t i) {
        return open_side(namespaces[i], handles.id, request.family);
    });
    return handles;
}

/// What became of echoes: one thread's findings, until they are told.
struct Findings {
    std::vector<std::pair<std::size_t, PairRow>> rows;  ///< by the pair's place
    std::vector<std::size_t> postponed;                 ///< pairs that there was no room for
};

/// The echoes of the matrix. Each belongs to the namespace that it is sent from, and each namespace to one
/// share of the work: threads that do a share each touch nothing that another one touches.
class PingMatrix {
  public:
    PingMatrix(Handles& handles, const PingPairsRequest& request, const Context& context, Output& output)
        : handles_(handles), request_(request), output_(output), matrix_(context, request.family, output) {}

    Result<void> run() {
        const auto start = Clock::now();
        neighbours_.emplace(matrix_, add_sides(matrix_, handles_.sides));
        states_.resize(matrix_.pairs().size());
        note_places();
        if (auto looked = neighbours_->look(output_); !looked) return looked;
        for (std::size_t i = 0; i < states_.size(); ++i)
            line_.push_back(i);
        while (!line_.empty()) {
            const auto batch = neighbours_->take_batch(line_, output_);
            exchange(batch);
            wait_for_replies(Clock::now() + from_ms(request_.wait_ms));
            give_up(batch);
        }
        matrix_.report(to_ms(Clock::now() - start));
        return {};
    }

  private:
    struct State {
        nanoseconds sent{};
        bool open = false;  ///< sent, and its fate is not known yet
        int postponed = 0;  ///< how often there was no room for it
    };

    [[nodiscard]] EchoSocket* socket_of(const Pair& pair) {
        auto& side = *handles_.sides[pair.from];
        auto& socket = pair.way.address.is_v4() ? side.v4 : side.v6;
        return socket ? &*socket : nullptr;
    }

    /// Which pair a reply belongs to: by the namespace it comes to, and its sequence number.
    void note_places() {
        const auto count = matrix_.size();
        place_.assign(count * count, none);
        for (std::size_t i = 0; i < matrix_.pairs().size(); ++i) {
            const auto& pair = matrix_.pairs()[i];
            place_[pair.from * count + pair.to] = i;
        }
    }

    [[nodiscard]] std::size_t place_of(std::size_t from, std::uint16_t sequence) const {
        const auto count = matrix_.size();
        const std::size_t to = sequence - 1U;
        return sequence == 0 || to >= count ? none : place_[from * count + to];
    }

    /// Makes the ends of a batch known to each other, sends its echoes and takes the replies that are there
    /// by then, with every processor: nearly all of it is the kernel's work for whoever sends.
    void exchange(std::span<const std::size_t> batch) {
        // A few echoes are sent sooner than a thread is started.
        constexpr std::size_t few = 64;
        const auto shares = batch.size() <= few ? 1 : handles_.processors;
        std::vector<std::vector<std::size_t>> places(shares);
        for (const auto place : batch)
            places[matrix_.pairs()[place].from % shares].push_back(place);
        // All are known to each other before the first echo: its reply needs the other direction's entry.
        at_once(shares, [&](std::size_t share) { neighbours_->introduce(places[share]); });
        std::vector<Findings> findings(shares);
        at_once(shares, [&](std::size_t share) {
            for (const auto place : places[share])
                send(place, findings[share]);
            for (std::size_t side = share; side < handles_.sides.size(); side += shares)
                receive(side, findings[share]);
        });
        open_ = static_cast<std::size_t>(
            std::ranges::count_if(batch, [&](std::size_t place) { return states_[place].open; }));
        for (auto& one : findings)
            tell(one);
    }

    void tell(Findings& findings) {
        for (auto& [place, row] : findings.rows) {
            const auto& pair = matrix_.pairs()[place];
            if (row.by == pair.way.address && row.message)
                refusal_.insert_or_assign(std::pair(pair.to, pair.way.address), *row.message);
            matrix_.tell(pair, std::move(row));
        }
        line_.insert(line_.end(), findings.postponed.begin(), findings.postponed.end());
    }

    // ---- sending

    void send(std::size_t place, Findings& findings) {
        const auto& pair = matrix_.pairs()[place];
        auto* socket = socket_of(pair);
        if (socket == nullptr) return fail(place, "this kernel has no IPv6", std::nullopt, findings);
        const auto payload = make_echo_payload(payload_size, pair.to + 1, handles_.cookie);
        auto& state = states_[place];
        state.open = true;
        state.sent = now_on(CLOCK_REALTIME);
        const auto failure =
            socket->send({pair.way.address, 0}, static_cast<std::uint16_t>(pair.to + 1), payload);
        if (!failure) return;
        constexpr int often_enough = 20;
        if (failure->error_number == ENOBUFS && state.postponed++ < often_enough) {
            // Somebody else has taken the room; it comes again, with the others that are left.
            state.open = false;
            findings.postponed.push_back(place);
            return;
        }
        fail(place, "cannot send: " + std::generic_category().message(failure->error_number), std::nullopt,
             findings);
    }

    void settle(std::size_t place, PairRow row, Findings& findings) {
        states_[place].open = false;
        findings.rows.emplace_back(place, std::move(row));
    }

    void fail(std::size_t place, std::string message, const std::optional<IpAddress>& by,
              Findings& findings) {
        PairRow row;
        row.outcome = PairOutcome::unreachable;
        row.message = std::move(message);
        row.by = by;
        settle(place, std::move(row), findings);
    }

    // ---- receiving

    /// Until every echo's fate is known or time is up.
    void wait_for_replies(Clock::time_point until) {
        std::vector<pollfd> descriptors;
        std::vector<std::pair<std::size_t, EchoSocket*>> sockets;
        for (std::size_t i = 0; i < handles_.sides.size(); ++i) {
            if (!handles_.sides[i]) continue;
            for (auto* socket : {&handles_.sides[i]->v4, &handles_.sides[i]->v6}) {
                if (!*socket) continue;
                descriptors.push_back({(*socket)->descriptor(), POLLIN, 0});
                sockets.emplace_back(i, &**socket);
            }
        }
        while (open_ > 0) {
            if (output_.wait(descriptors, until) == 0) return;
            Findings findings;
            for (std::size_t i = 0; i < descriptors.size(); ++i) {
                if (descriptors[i].revents != 0) receive(sockets[i].first, *sockets[i].second, findings);
            }
            open_ -= findings.rows.size();
            tell(findings);
        }
    }

    void receive(std::size_t from, Findings& findings) {
        auto& side = handles_.sides[from];
        if (!side) return;
        if (side->v4) receive(from, *side->v4, findings);
        if (side->v6) receive(from, *side->v6, findings);
    }

    void receive(std::size_t from, EchoSocket& socket, Findings& findings) {
        constexpr int most_at_once = 1024;
        for (int i = 0; i < most_at_once; ++i) {
            const auto received = socket.receive();
            if (!received || !*received) break;
            take(from, **received, findings);
        }
        for (int i = 0; i < most_at_once; ++i) {
            const auto notice = socket.notice();
            if (!notice) break;
            if (const auto* error = std::get_if<IcmpErrorNotice>(&*notice))
                take(from, socket.family(), *error, findings);
        }
    }

    void take(std::size_t from, const ReceivedEcho& received, Findings& findings) {
        const auto place = place_of(from, received.reply.sequence);
        if (place == none || !states_[place].open) return;
        const auto& pair = matrix_.pairs()[place];
        if (received.from != pair.way.address) return;
        const auto verdict = judge_echo_payload(received.reply.payload, payload_size, received.reply.sequence,
                                                received.reply.sequence, handles_.cookie);
        const bool intact =
            verdict && verdict->state == PayloadState::intact && received.reply.checksum_right;
        if (!verdict || verdict->state == PayloadState::foreign) return;
        PairRow row;
        row.outcome = intact ? PairOutcome::answered : PairOutcome::lost;
        if (!intact) row.message = "the reply is not what was sent";
        const auto arrived = received.kernel_time.value_or(now_on(CLOCK_REALTIME));
        if (intact && arrived >= states_[place].sent)
            row.rtt_us = static_cast<double>((arrived - states_[place].sent).count()) / 1000;
        settle(place, std::move(row), findings);
    }

    void take(std::size_t from, Family family, const IcmpErrorNotice& notice, Findings& findings) {
        const auto place = notice.echo.id == handles_.id ? place_of(from, notice.echo.sequence) : none;
        if (place == none || !states_[place].open) return;
        if (notice.destination != matrix_.pairs()[place].way.address) return;
        fail(place, icmp::error_text(family, notice.type, notice.code, notice.mtu), notice.from, findings);
    }

    /// Those of a batch that nobody has answered.
    void give_up(std::span<const std::size_t> batch) {
        std::vector<std::pair<std::uint32_t, std::size_t>> left;
        for (const auto place : batch) {
            if (states_[place].open) left.emplace_back(matrix_.pairs()[place].from, place);
        }
        std::ranges::sort(left);
        Findings findings;
        for (const auto& [from, place] : left) {
            PairRow row;
            row.outcome = PairOutcome::lost;
            row.message = why_lost(matrix_.pairs()[place]);
            settle(place, std::move(row), findings);
        }
        tell(findings);
    }

    /// A kernel sends so many ICMP errors a second and no more (net.ipv4.icmp_msgs_per_sec, icmp_ratelimit;
    /// net.ipv6.icmp.ratelimit): who refuses everybody lets only some know.
    [[nodiscard]] std::optional<std::string> why_lost(const Pair& pair) {
        if (auto why = neighbours_->why_silent(pair); !why.empty()) return why;
        const auto found = refusal_.find(std::pair(pair.to, pair.way.address));
        if (found == refusal_.end()) return {};
        return "perhaps " + found->second + ", as it told others: how many ICMP errors it sends is limited";
    }

    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    Handles& handles_;
    const PingPairsRequest& request_;
    Output& output_;
    PairMatrix matrix_;
    std::optional<PairNeighbours> neighbours_;
    std::vector<State> states_;       // by pair
    std::vector<std::size_t> place_;  // of a pair, by from and to
    std::map<std::pair<std::uint32_t, IpAddress>, std::string>
        refusal_;                   // the ICMP error that an end has sent somebody
    std::deque<std::size_t> line_;  // pairs that are still to be tried
    std::size_t open_ = 0;          // of the batch, when no thread is at it
};

Result<void> run(Handles& handles, const PingPairsRequest& request, const Context& context, Output& output) {
    return PingMatrix(handles, request, context, output).run();
}

const Registration<PingPairsRequest> registered{
    operation<prepare, run>({.net_raw = true,
                             .threads = true,
                             .cpu_seconds = 120,
                             .address_space = 1ULL << 30,
                             .descriptors = 4 * many_descriptors})};

}  // namespace

}  // namespace netlab::operations
