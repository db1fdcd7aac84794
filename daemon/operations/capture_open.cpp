#include "daemon/operations/capture_loop.hpp"
#include "daemon/operations/clock.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>

#include <fcntl.h>

/// The begin of a capture: what is opened with privileges, and what is admitted without.
namespace netlab::operations {

namespace {

constexpr std::uint64_t most_memory_kib = 1024 * 1024;  ///< of all rings; the worker's address space has room

/// All rings together take 64 MiB where nothing is said, one 16 MiB at most.
Result<std::uint32_t> buffer_of(const api::CaptureRequest& request, std::size_t sources) {
    constexpr std::size_t largest = 16 * 1024;
    if (request.buffer_kib == 0) {
        return static_cast<std::uint32_t>(std::clamp<std::size_t>(
            api::CaptureLimits::together_kib / sources, api::CaptureLimits::smallest_buffer_kib, largest));
    }
    if (std::uint64_t{request.buffer_kib} * sources <= most_memory_kib) return request.buffer_kib;
    return Error{errc::limit_exceeded,
                 std::to_string(sources) + " buffers of " + std::to_string(request.buffer_kib) +
                     " KiB are more than a GiB",
                 "-B " + std::to_string(most_memory_kib / sources) + " at most",
                 {}};
}

/// The user's quota counted what the registry knows; a target may have more interfaces. Without a size of the
/// caller's own they share what was counted, down to the smallest.
Result<void> check_admitted(const api::CaptureRequest& request, const api::Context& context,
                            std::uint64_t bytes, std::size_t sources) {
    if (request.buffer_kib == 0 || api::is_uncapped(context) ||
        bytes <= api::cost(request, context).capture_bytes)
        return {};
    return Error{errc::limit_exceeded,
                 std::to_string(sources) + " interfaces with a buffer of " +
                     std::to_string(request.buffer_kib) +
                     " KiB each are more than was counted for this capture",
                 "name the interfaces, or leave out -B",
                 {}};
}

/// KnownNamespaces takes the descriptors over, and they are wanted for entering.
Result<KnownNamespaces> know(Namespaces& namespaces, const api::Context& context) {
    std::vector<UniqueFd> copies(namespaces.size());
    for (std::size_t i = 0; i < namespaces.size(); ++i) {
        if (!namespaces[i].net) continue;
        copies[i].reset(::fcntl(namespaces[i].net.get(), F_DUPFD_CLOEXEC, 3));
        if (!copies[i])
            return system_error(errc::operation_failed, "duplicate a namespace's descriptor", errno);
    }
    KnownNamespaces known(namespaces, context);
    for (std::size_t i = 0; i < namespaces.size(); ++i)
        namespaces[i].net = std::move(copies[i]);
    return known;
}

/// The host's services(5), which its administrator wrote. Not by getservbyname(3): that loads modules, and
/// asks whomever nsswitch.conf names.
std::map<std::string, std::uint16_t> services_of(const std::string& filter) {
    std::map<std::string, std::uint16_t> out;
    const auto wanted = possible_services(filter);
    if (wanted.empty()) return out;
    std::ifstream file("/etc/services");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line.substr(0, line.find('#')));
        std::string name;
        std::uint16_t port = 0;
        std::string protocol;
        if (!(words >> name >> port >> protocol)) continue;
        do {
            if (std::ranges::find(wanted, name) != wanted.end()) out.emplace(name, port);
        } while (words >> name);
    }
    return out;
}

Result<CaptureRing> open_ring(const CapturePlace& place, const api::CaptureRequest& request,
                              std::uint32_t buffer_kib, std::chrono::milliseconds batch) {
    RingSetting setting;
    setting.interface = place.index;
    setting.link_type = place.link_type;
    setting.promiscuous = request.promiscuous && !place.loopback;
    setting.buffer_kib = buffer_kib;
    setting.batch_ms = static_cast<std::uint32_t>(batch.count());
    auto ring = CaptureRing::open(setting);
    if (ring) return ring;
    auto error = ring.error();
    error.message = place.point + ": " + error.message;
    return error;
}

/// One namespace after another, whatever the order of the sources.
Result<void> open_sources(CaptureHandles& handles, Namespaces& namespaces, std::vector<CapturePlace> places,
                          const api::CaptureRequest& request, const api::Context& context) {
    const auto buffer = buffer_of(request, places.size());
    if (!buffer) return buffer.error();
    if (auto admitted =
            check_admitted(request, context, std::uint64_t{*buffer} * 1024 * places.size(), places.size());
        !admitted)
        return admitted;
    handles.sources.resize(places.size());
    std::set<std::size_t> spaces;
    for (const auto& place : places)
        spaces.insert(place.place);
    for (const auto space : spaces) {
        if (auto entered = namespaces.enter(space); !entered) return entered;
        for (std::size_t i = 0; i < places.size(); ++i) {
            if (places[i].place != space) continue;
            auto ring = open_ring(places[i], request, *buffer, handles.batch);
            if (!ring) return ring.error();
            if (!request.filter.empty()) {
                if (auto opened = handles.compilers.open(places[i].link_type); !opened) return opened;
            }
            if (ring->began_down()) handles.sources[i].down_ns = 0;
            handles.sources[i].ring = std::move(*ring);
        }
    }
    for (std::size_t i = 0; i < places.size(); ++i)
        handles.sources[i].place = std::move(places[i]);
    return {};
}

}  // namespace

Result<CaptureHandles> open_capture(Namespaces& namespaces, const api::CaptureRequest& request,
                                    const api::Context& context, std::chrono::milliseconds batch) {
    CaptureHandles handles;
    handles.batch = batch;
    handles.services = services_of(request.filter);
    auto known = know(namespaces, context);
    if (!known) return known.error();
    auto places = find_places(*known, context);
    if (!places) return places.error();
    // Several are merged by their times, which takes as long as the slowest batch.
    constexpr std::chrono::milliseconds merged_batch{20};
    if (places->size() > 1) handles.batch = std::min(batch, merged_batch);
    handles.watches.resize(context.targets.size());
    for (std::size_t i = 0; i < context.targets.size(); ++i) {
        handles.homes.push_back(known->home(i));
        if (!namespaces[i].net) continue;
        auto watch = TargetWatch::open(context.targets[i], namespaces[i]);
        // Of several, one that has just ended shows by its interfaces.
        if (!watch && context.targets.size() == 1) return watch.error();
        if (watch) handles.watches[i] = std::move(*watch);
    }
    if (auto opened = open_sources(handles, namespaces, std::move(*places), request, context); !opened)
        return opened.error();
    return handles;
}

Result<std::string> admit_packets(CaptureHandles& handles, const api::CaptureRequest& request,
                                  const api::Context& context) {
    const auto port_of = [&](const std::string& service) -> std::optional<std::uint16_t> {
        const auto found = handles.services.find(service);
        return found == handles.services.end() ? std::nullopt : std::optional(found->second);
    };
    const auto words = read_filter(request.filter, context.names, port_of);
    if (!words) return words.error();
    const auto snap = request.snap_length == 0 ? api::CaptureLimits::snap : request.snap_length;
    // Compiling may take a second: once for each link type.
    std::map<pcapng::LinkType, std::vector<sock_filter>> programs;
    for (auto& source : handles.sources) {
        const auto type = source.place.link_type;
        auto known = programs.find(type);
        if (known == programs.end()) {
            auto program = handles.compilers.compile(*words, type, snap);
            if (!program) return program.error();
            known = programs.emplace(type, std::move(*program)).first;
        }
        const auto program = with_rules({request.direction, source.place.loopback}, known->second);
        if (!program) {
            return Error{errc::bad_request,
                         "the filter compiles to more than the kernel takes (4,096 instructions)",
                         "a shorter one",
                         {}};
        }
        if (auto admitted = source.ring->admit(*program); !admitted) return admitted.error();
        source.started_ns = static_cast<std::uint64_t>(now_on(CLOCK_REALTIME).count());
    }
    handles.compilers = {};
    return words->text();
}

}  // namespace netlab::operations
