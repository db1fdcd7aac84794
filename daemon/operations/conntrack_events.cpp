#include "common/api/conntrack.hpp"
#include "daemon/operations/clock.hpp"
#include "daemon/operations/conntrack_place.hpp"
#include "daemon/operations/target_watch.hpp"

#include <array>

#include <fcntl.h>
#include <unistd.h>

/// `netlab conntrack --watch`: the kernel's events, of the groups that `prepare` has joined.
namespace netlab::operations::conntrack_events {

namespace {

using Clock = Output::Clock;

constexpr std::size_t usual_buffer = 8UL << 20;

struct Handles {
    ConntrackPlace place;
    kernel::ConntrackEvents events;
    std::string setting;  ///< net.netfilter.nf_conntrack_events of that namespace; empty where there is none
    TargetWatch watch;
};

std::string read_setting() {
    const UniqueFd file(::open("/proc/sys/net/netfilter/nf_conntrack_events", O_RDONLY | O_CLOEXEC));
    std::array<char, 16> text{};
    const auto size = file ? ::read(file.get(), text.data(), text.size()) : -1;
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

Result<Handles> prepare(Namespaces& namespaces, const api::ConntrackEventsRequest& request,
                        const api::Context& context) {
    auto watch = TargetWatch::open(context.targets.front(), namespaces[0]);
    if (!watch) return watch.error();
    auto place = enter_conntrack_place(namespaces, request, context);
    if (!place) return place.error();
    ::tzset();  // for TimeText
    constexpr std::size_t kib = 1024;
    auto events =
        kernel::ConntrackEvents::open(request.buffer_kib == 0 ? usual_buffer : request.buffer_kib * kib);
    if (!events) return events.error();
    return Handles{std::move(*place), std::move(*events), read_setting(), std::move(*watch)};
}

class Watch {
  public:
    Watch(Handles& handles, const api::ConntrackEventsRequest& request, const ConntrackFilter& filter,
          const AddressNames& names, Output& output)
        : handles_(handles), request_(request), filter_(filter), to_row_(names), output_(output) {}

    Result<void> run() {
        const auto begin = Clock::now();
        std::optional<Clock::time_point> until;
        if (request_.duration_ms > 0) {
            until = begin + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double, std::milli>(request_.duration_ms));
        }
        while (!ended(until)) {
            const auto reading = handles_.events.read(
                [&](kernel::ConntrackChange change, const kernel::Conntrack& entry) { take(change, entry); });
            if (!reading) return reading.error();
            // Of what was not understood it is not known what it was.
            if (reading->overrun || reading->left_out > 0) lost();
            if (!reading->nothing) {
                // There may always be something to read, of others.
                if (auto there = handles_.watch.check(); !there) return there;
                continue;
            }
            output_.flush();
            std::array<pollfd, 1> ready{pollfd{handles_.events.descriptor(), POLLIN, 0}};
            if (auto waited = handles_.watch.wait(output_, ready, until); !waited) return waited.error();
        }
        report_.elapsed_ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
        output_.event(report_);
        return {};
    }

  private:
    bool ended(const std::optional<Clock::time_point>& until) {
        if (request_.count > 0 && report_.events >= request_.count) {
            report_.end = api::ConntrackEnding::count;
        } else if (until && Clock::now() >= *until) {
            report_.end = api::ConntrackEnding::duration;
        } else if (output_.wants_no_more()) {
            report_.end = api::ConntrackEnding::finished;
        } else {
            return false;
        }
        return true;
    }

    [[nodiscard]] std::string now() {
        return time_(static_cast<std::uint64_t>(now_on(CLOCK_REALTIME).count()));
    }

    void lost() {
        ++report_.overruns;
        output_.row(api::ConntrackLost{now()});
    }

    void take(kernel::ConntrackChange change, const kernel::Conntrack& entry) {
        if (!filter_.admits(entry) || (request_.count > 0 && report_.events >= request_.count)) return;
        auto& row = to_row_.row_of(entry);
        row.time = now();
        switch (change) {
            case kernel::ConntrackChange::created:
                row.event = api::ConntrackEvent::new_;
                ++report_.new_;
                break;
            case kernel::ConntrackChange::updated:
                row.event = api::ConntrackEvent::update;
                ++report_.updates;
                break;
            case kernel::ConntrackChange::destroyed:
                row.event = api::ConntrackEvent::destroy;
                ++report_.destroyed;
                break;
        }
        ++report_.events;
        output_.row(row);
    }

    Handles& handles_;
    const api::ConntrackEventsRequest& request_;
    const ConntrackFilter& filter_;
    ConntrackRows to_row_;
    Output& output_;
    TimeText time_;
    api::ConntrackReport report_;
};

Result<void> run(Handles& handles, const api::ConntrackEventsRequest& request, const api::Context& context,
                 Output& output) {
    output.finish_on_hangup();
    ConntrackFilter filter(request);
    if (auto limited = limit_to_target(handles.place, context, filter); !limited) return limited;
    const AddressNames names(context.names);
    api::ConntrackStart start{handles.place.target, {}};
    if (handles.setting.starts_with('0')) {
        start.warning = "net.netfilter.nf_conntrack_events is 0 in the namespace of " + handles.place.target +
                        ": the kernel tells of nothing that happens there";
    }
    output.event(start);
    return Watch(handles, request, filter, names, output).run();
}

const Registration<api::ConntrackEventsRequest> registered{
    operation<prepare, run>({.net_admin = true, .start_times = true, .cpu_seconds = 0})};

}  // namespace

}  // namespace netlab::operations::conntrack_events
