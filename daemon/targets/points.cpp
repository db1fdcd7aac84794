#include "daemon/targets/points.hpp"

#include "common/text.hpp"
#include "daemon/targets/names.hpp"

#include <algorithm>

namespace netlab::targets {

namespace {

constexpr std::string_view network_prefix = "net:";
constexpr std::string_view other_end_suffix = "@veth";

/// The word is a point of its own kind, or a target and an interface with a colon in between.
class Finder {
  public:
    explicit Finder(const Registry& registry) : registry_(registry) {}

    Result<void> add(const std::string& word) {
        if (word.starts_with(network_prefix)) return add_network(word);
        api::CapturePoint point;
        point.word = word;
        std::string_view rest = word;
        if (const auto at = rest.rfind('@'); at != rest.npos) {
            if (rest.substr(at) != other_end_suffix) return no_such_suffix(rest.substr(at));
            rest.remove_suffix(other_end_suffix.size());
            point.other_end = true;
        }
        auto target = registry_.resolve(rest);
        if (!target && may_have_interface(rest, target.error())) {
            const auto colon = rest.rfind(':');
            point.interface = std::string(rest.substr(colon + 1));
            if (point.interface.empty())
                return Error{
                    errc::bad_request, quoted(word) + " names no interface", "co1:eth0, co1:any", {}};
            target = registry_.resolve(rest.substr(0, colon));
        }
        if (!target) return target.error();
        if (point.other_end && point.interface == "any")
            return Error{errc::bad_request, "'any' has no other end", "co1@veth: those of all veths", {}};
        needs_host_ = needs_host_ || point.other_end;
        point.target = place_of(std::move(*target));
        points_.points.push_back(std::move(point));
        return {};
    }

    Result<Points> finish() {
        if (needs_host_) {
            auto host = registry_.resolve("host");
            if (!host) return host.error();
            place_of(std::move(*host));
        }
        return std::move(points_);
    }

  private:
    /// A word that is no target may be one with an interface behind it, but `docker:co1` is not `docker`.
    [[nodiscard]] bool may_have_interface(std::string_view word, const Error& error) const {
        if (error.code != errc::no_such_target && error.code != errc::bad_request) return false;
        const auto colon = word.rfind(':');
        if (colon == word.npos) return false;
        const auto parsed = split(word.substr(0, colon));
        const auto whole = split(word);
        const bool only_prefix = whole.runtime && !parsed.runtime && whole.name == word.substr(colon + 1);
        return !only_prefix;
    }

    static Error no_such_suffix(std::string_view suffix) {
        return {errc::bad_request,
                quoted(suffix) + " is nothing that a point can end with",
                "co1:eth0@veth is the other end of co1's eth0",
                {}};
    }

    Result<void> add_network(const std::string& word) {
        const auto network = word.substr(network_prefix.size());
        auto members = registry_.members(network);
        if (!members) return members.error();
        needs_host_ = true;
        for (auto& member : *members) {
            for (const auto& membership : member.target.networks) {
                if (membership.name != network || membership.interface.empty()) continue;
                api::CapturePoint point;
                point.word = word;
                point.interface = membership.interface;
                point.network = network;
                point.bridge = true;
                point.target = place_of(member);
                points_.points.push_back(std::move(point));
            }
        }
        if (points_.points.empty() || points_.points.back().word != word) {
            return Error{errc::no_such_interface,
                         "the interfaces of the containers on " + quoted(network) + " are not known yet",
                         "try again",
                         {}};
        }
        return {};
    }

    std::uint32_t place_of(Resolution target) {
        auto& all = points_.targets;
        const auto found = std::ranges::find_if(all, [&](const Resolution& other) {
            return other.target.id == target.target.id && other.target.runtime == target.target.runtime;
        });
        if (found != all.end()) return static_cast<std::uint32_t>(found - all.begin());
        all.push_back(std::move(target));
        return static_cast<std::uint32_t>(all.size() - 1);
    }

    const Registry& registry_;
    Points points_;
    bool needs_host_ = false;
};

}  // namespace

Result<Points> find_points(const Registry& registry, std::span<const std::string> words) {
    Finder finder(registry);
    for (const auto& word : words) {
        if (auto added = finder.add(word); !added) return added.error();
    }
    return finder.finish();
}

}  // namespace netlab::targets
