#pragma once

#include "daemon/operations/dns_name.hpp"
#include "daemon/operations/resolv_conf.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/describe.hpp>

namespace netlab::operations {

/// What became of a name, or of one candidate of it.
enum class NameOutcome : std::uint8_t {
    resolved,
    no_such_name,    ///< NXDOMAIN
    no_data,         ///< the name is there, without an address of the wanted families
    server_failure,  ///< SERVFAIL
    refused,         ///< REFUSED, NOTIMP, FORMERR: a server that will not answer this
    timed_out,       ///< a server was asked and said nothing
    no_server,       ///< no server could even be asked: port unreachable, no route
    invalid_name,    ///< nothing that DNS could be asked for: an empty or overlong label
};
BOOST_DESCRIBE_ENUM(NameOutcome, resolved, no_such_name, no_data, server_failure, refused, timed_out,
                    no_server, invalid_name)

/// Which names are asked for, and when to stop: the order of glibc's resolver (resolv/res_query.c,
/// __res_context_search).
///
///     while (auto candidate = search.next()) { ask; if (answered) break; search.failed(why); }
class NameSearch {
  public:
    NameSearch(const ResolvConf& conf, std::string_view name);

    /// The next candidate, without a dot at its end; nothing when the search is over.
    [[nodiscard]] std::optional<std::string> next();
    /// How the last candidate failed.
    void failed(NameOutcome why);
    /// Whether the name as it is has still to be asked for, even if no server says anything about the
    /// candidate that next() gave.
    [[nodiscard]] bool as_is_follows() const { return valid_ && !as_is_asked_ && !root_searched_; }
    /// After the last candidate: what the whole search came to.
    [[nodiscard]] NameOutcome outcome() const;

  private:
    [[nodiscard]] std::optional<std::string> next_searched();

    std::vector<std::string> search_;
    std::string name_;
    bool valid_;
    bool has_dots_ = false;
    bool absolute_ = false;     // a dot at its end
    bool as_is_first_ = false;  // dots enough, or absolute
    bool as_is_asked_ = false;
    bool asking_as_is_ = false;
    bool root_searched_ = false;
    bool stopped_ = false;  // the search list is not gone on with
    bool ended_ = false;    // nothing more is asked
    std::size_t at_ = 0;
    bool saw_no_data_ = false;
    bool saw_server_failure_ = false;
    std::optional<NameOutcome> first_as_is_;
    NameOutcome last_ = NameOutcome::invalid_name;
};

}  // namespace netlab::operations
