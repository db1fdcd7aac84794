#include "daemon/front/journal.hpp"

#include <vector>

#include <sys/stat.h>
#include <sys/uio.h>
// Otherwise its functions are macros that add the line of this file to each entry.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

namespace netlab::front {

bool open_journal() {
    // Without journald the library says that all went well.
    struct stat status {};
    if (::stat("/run/systemd/journal/socket", &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
    const std::string first[] = {"MESSAGE=serving; requests are audited here", "PRIORITY=6",
                                 "SYSLOG_IDENTIFIER=netlabd"};
    return write_journal(first);
}

bool write_journal(std::span<const std::string> fields) {
    std::vector<iovec> parts;
    parts.reserve(fields.size());
    for (const auto& field : fields)
        parts.push_back({const_cast<char*>(field.data()), field.size()});
    return ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace netlab::front
