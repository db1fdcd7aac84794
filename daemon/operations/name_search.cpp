#include "daemon/operations/name_search.hpp"

#include <algorithm>

namespace netlab::operations {

NameSearch::NameSearch(const ResolvConf& conf, std::string_view name)
    : name_(name), valid_(is_dns_name(name)) {
    const auto dots = static_cast<std::size_t>(std::ranges::count(name, '.'));
    has_dots_ = dots > 0;
    absolute_ = is_absolute_dns_name(name);
    as_is_first_ = absolute_ || dots >= conf.ndots;
    if (absolute_) name_.pop_back();
    if (!absolute_) search_ = conf.search;
}

std::optional<std::string> NameSearch::next_searched() {
    while (!stopped_ && at_ < search_.size()) {
        std::string_view domain = search_[at_++];
        if (domain.starts_with('.')) domain.remove_prefix(1);
        if (domain.empty()) root_searched_ = true;
        auto candidate = domain.empty() ? name_ : name_ + "." + std::string(domain);
        if (candidate.ends_with('.')) candidate.pop_back();
        if (is_dns_name(candidate)) return candidate;
        // glibc: NO_RECOVERY, which ends the search through the list.
        stopped_ = true;
    }
    return std::nullopt;
}

std::optional<std::string> NameSearch::next() {
    if (!valid_ || ended_) return std::nullopt;
    asking_as_is_ = false;
    if (as_is_first_ && !as_is_asked_) {
        as_is_asked_ = asking_as_is_ = true;
        return name_;
    }
    if (auto candidate = next_searched()) return candidate;
    ended_ = true;
    if (as_is_asked_ || root_searched_) return std::nullopt;
    as_is_asked_ = asking_as_is_ = true;
    return name_;
}

void NameSearch::failed(NameOutcome why) {
    last_ = why;
    if (asking_as_is_) {
        if (as_is_first_) first_as_is_ = why;
        if (absolute_) ended_ = true;
        return;
    }
    switch (why) {
        case NameOutcome::no_data:
            saw_no_data_ = true;
            break;
        case NameOutcome::no_such_name:
            break;
        case NameOutcome::server_failure:
            saw_server_failure_ = true;
            break;
        case NameOutcome::no_server:
            ended_ = true;
            break;
        default:
            stopped_ = true;
    }
}

NameOutcome NameSearch::outcome() const {
    if (!valid_) return NameOutcome::invalid_name;
    if (first_as_is_) return *first_as_is_;
    // Where nobody could be asked, glibc gives up at once and says so whatever it heard before.
    if (last_ == NameOutcome::no_server) return last_;
    if (saw_no_data_) return NameOutcome::no_data;
    if (saw_server_failure_) return NameOutcome::server_failure;
    return last_;
}

}  // namespace netlab::operations
