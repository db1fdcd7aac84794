#pragma once

#include "daemon/targets/names.hpp"
#include "daemon/targets/view.hpp"

#include <unordered_map>

namespace netlab::targets {

/// Everything that look-ups need, made once after a change: each look-up then is a hash or a binary search.
class Index {
  public:
    /// Sorts the views and tells each who shares its namespace.
    explicit Index(std::vector<View> views);

    using Matches = std::vector<const View*>;

    [[nodiscard]] const std::vector<api::Target>& listed() const { return listed_; }
    /// All of them, also what is not listed; in the order of listed().
    [[nodiscard]] std::span<const View> views() const { return views_; }

    /// What a bare name or one with a runtime means: exact names, then compose services, then ID prefixes;
    /// those of the first kind that has any. Several only where it is ambiguous.
    [[nodiscard]] Matches find(const Word& word) const;
    /// As find(), without services and short ID prefixes: the names that one target may know another by.
    [[nodiscard]] Matches find_named(const Word& word) const;
    /// The running targets that have this address.
    [[nodiscard]] Matches find_address(const IpAddress& address) const;

    /// A word that means this target and no other.
    [[nodiscard]] std::string unambiguous_word(const View& view) const;
    /// All names that could stand behind a mistyped word; of one runtime where the word has one.
    [[nodiscard]] std::vector<std::string> names(std::optional<api::Runtime> runtime) const;

  private:
    using ByText = std::unordered_map<std::string, Matches>;

    void share();
    void add(const View& view);
    [[nodiscard]] Matches named(const Word& word) const;
    [[nodiscard]] Matches by_service(const Word& word) const;
    [[nodiscard]] Matches by_id(const Word& word) const;

    std::vector<View> views_;
    std::vector<api::Target> listed_;
    ByText by_name_;
    ByText by_service_;                                            ///< "service" and "project/service"
    std::vector<std::pair<std::string_view, const View*>> by_id_;  ///< sorted
    std::map<IpAddress, Matches> by_address_;
};

}  // namespace netlab::targets
