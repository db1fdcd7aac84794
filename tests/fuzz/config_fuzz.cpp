#include "daemon/config.hpp"
#include "tests/fuzz/check.hpp"

#include <algorithm>

#include <sys/mman.h>
#include <unistd.h>

/// netlabd.toml. Only root writes it, but what is wrong in it is to be told, not to be a crash at the start.

using namespace netlab;
using namespace netlab::fuzz;

namespace {

bool all_begin(const std::vector<std::string>& texts, std::string_view prefix) {
    return std::ranges::all_of(texts, [&](const auto& text) { return text.starts_with(prefix); });
}

void check_config(const Config& config) {
    check(config.listen.socket.starts_with('/') && config.listen.mode <= 0777);
    check(all_begin(config.engines.docker, "unix:///") && all_begin(config.engines.podman, "unix:///"));
    check(all_begin(config.engines.netns_dirs, "/"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    const auto config = parse_config(text, "netlabd.toml");
    if (config) check_config(*config);
    // The same through a file, which is read in pieces.
    static const int file = ::memfd_create("netlabd.toml", MFD_CLOEXEC);
    check(::ftruncate(file, 0) == 0 && ::pwrite(file, data, size, 0) == static_cast<ssize_t>(size));
    const auto read = read_config("/proc/self/fd/" + std::to_string(file));
    check(read.has_value() == config.has_value());
    if (size == 0) check(!read_config("/proc/self/none") && !read_config("/proc/self"));
    return 0;
}
