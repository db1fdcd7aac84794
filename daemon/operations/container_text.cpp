#include "daemon/operations/container_text.hpp"

#include <cerrno>

#include <unistd.h>

namespace netlab::operations {

Result<ContainerText> read_container_text(int file) {
    ContainerText out;
    if (file < 0) return out;
    constexpr auto most = ContainerText::most;
    auto& text = out.text;
    text.resize(most + 1);
    std::size_t size = 0;
    while (size < text.size()) {
        const auto got = ::pread(file, text.data() + size, text.size() - size, static_cast<off_t>(size));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error(errc::operation_failed, "read the target's resolver files", errno);
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    out.truncated = size > most;
    text.resize(std::min(size, most));
    // A line that was cut could say something else than the whole one.
    if (out.truncated) text.resize(text.rfind('\n') == text.npos ? 0 : text.rfind('\n') + 1);
    return out;
}

}  // namespace netlab::operations
