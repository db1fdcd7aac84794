#include "daemon/operations/directory_watch.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace netlab::operations {

namespace {

// IN_ATTRIB: an engine changes its socket's owner once it listens on it.
constexpr std::uint32_t name_events = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ATTRIB;
constexpr std::uint32_t directory_events = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t always_concerns =
    IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT | IN_Q_OVERFLOW;

struct Place {
    std::string directory;
    std::string name;
};

/// One step up: what is waited for in /run/netns becomes the name netns in /run.
Place above(const Place& place) {
    auto path = place.directory;
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    const auto slash = path.rfind('/');
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

/// Not a file in a directory's place, nor a link to nowhere: those are waited for to be replaced.
bool is_directory(const Place& place) {
    struct stat status {};
    return ::stat((place.directory + "/" + place.name).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

Result<DirectoryWatch> DirectoryWatch::open() {
    DirectoryWatch watch;
    watch.inotify_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch.inotify_) return system_error(errc::operation_failed, "start watching directories", errno);
    return watch;
}

Result<void> DirectoryWatch::add(const std::string& directory, const std::string& name) {
    if (!directory.starts_with('/')) {
        return Error{errc::bad_request, "cannot watch " + directory + ": it is no absolute path", {}, {}};
    }
    // Each further try follows on a directory that was made between two steps.
    constexpr int most_tries = 16;
    for (int i = 0; i < most_tries; ++i) {
        Place place{directory, name};
        int descriptor = -1;
        bool found = true;
        while ((descriptor = ::inotify_add_watch(inotify_.get(), place.directory.c_str(),
                                                 name_events | directory_events)) < 0) {
            if ((errno != ENOENT && errno != ENOTDIR && errno != ELOOP) || place.directory == "/") {
                return system_error(errc::operation_failed, "watch " + place.directory, errno);
            }
            place = above(place);
            found = false;
        }
        watched_.push_back({descriptor, place.name});
        if (found || !is_directory(place)) return {};
    }
    return Error{errc::operation_failed, "cannot watch " + directory + ": it keeps changing", {}, {}};
}

bool DirectoryWatch::concerns(int descriptor, std::string_view name) const {
    return std::ranges::any_of(watched_, [&](const Watched& watched) {
        return watched.descriptor == descriptor && (watched.name.empty() || watched.name == name);
    });
}

bool DirectoryWatch::changed() {
    bool changed = false;
    alignas(inotify_event) std::array<char, 4096> buffer;
    for (;;) {
        const auto got = ::read(inotify_.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return changed;
        if (got <= 0) return true;
        const char* at = buffer.data();
        const char* end = at + got;
        while (static_cast<std::size_t>(end - at) >= sizeof(inotify_event)) {
            inotify_event event;
            std::memcpy(&event, at, sizeof event);
            const char* name = at + sizeof event;
            const std::string_view text(name, event.len == 0 ? 0 : ::strnlen(name, event.len));
            changed = changed || (event.mask & always_concerns) != 0 || concerns(event.wd, text);
            at = name + event.len;
        }
    }
}

}  // namespace netlab::operations
