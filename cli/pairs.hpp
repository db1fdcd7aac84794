#pragma once

#include "cli/client.hpp"
#include "cli/command.hpp"
#include "common/api/pairs.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

/// `--all-pairs`, which `ping` and `connect` have in common.
namespace netlab::cli {

/// `--all-pairs TARGET…|--network NAME|--all`.
class PairOptions {
  public:
    void add(CLI::App& app);
    /// One of them was given.
    [[nodiscard]] bool wanted() const { return all_pairs_ || all_ || !network_.empty(); }
    /// errc::bad_request where there is a third word, which is for --all-pairs alone. `synopsis` is the
    /// command's.
    [[nodiscard]] Result<void> check_words(std::string_view synopsis) const;

    /// Into a request with `targets`, `network` and `all`. `words` are the command's own words, which are
    /// targets then. errc::bad_request where --network or --all comes without --all-pairs.
    template <class Request>
    [[nodiscard]] Result<void> fill(Request& request, const std::vector<std::string>& words) const {
        if (!all_pairs_)
            return Error{errc::bad_request, "--network and --all are for --all-pairs", "add --all-pairs", {}};
        request.targets = words;
        request.targets.insert(request.targets.end(), targets_.begin(), targets_.end());
        request.network = network_;
        request.all = all_;
        return {};
    }

  private:
    bool all_pairs_ = false;
    std::vector<std::string> targets_;
    std::string network_;
    bool all_ = false;
};

/// Asks, and shows the matrix or, with `-o json`, each line as it comes. 1 where a pair does not reach, the
/// first failed target's code where one could not take part.
[[nodiscard]] Result<int> show_pairs(const Session& session, const Call& call);

}  // namespace netlab::cli
