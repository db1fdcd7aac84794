#include "daemon/targets/index.hpp"

#include "common/described.hpp"

#include <algorithm>
#include <tuple>

namespace netlab::targets {

namespace {

bool before(const View& a, const View& b) {
    if (a.target.runtime != b.target.runtime) return a.target.runtime < b.target.runtime;
    if (a.target.name != b.target.name) return natural_less(a.target.name, b.target.name);
    return a.target.id < b.target.id;
}

bool has_engine(const View& view) {
    return view.target.runtime == api::Runtime::docker || view.target.runtime == api::Runtime::podman;
}

bool same_namespace(const View& a, const View& b) {
    return a.target.namespace_ && b.target.namespace_ &&
           a.target.namespace_->device == b.target.namespace_->device &&
           a.target.namespace_->inode == b.target.namespace_->inode;
}

/// Podman's /run/netns/netns-UUID is named like one, and is either a container's or that of one not yet
/// identified.
void hide_engine_handles(std::vector<View>& views) {
    bool all_identified = true;
    std::set<std::pair<std::uint64_t, std::uint64_t>> of_containers;
    for (const auto& view : views) {
        if (!has_engine(view) || !view.reference) continue;
        const auto& identity = view.target.namespace_;
        all_identified = all_identified && identity;
        if (identity) of_containers.emplace(identity->device, identity->inode);
    }
    for (auto& view : views) {
        if (view.target.runtime != api::Runtime::netns || !is_engine_handle(view.target.name)) continue;
        const auto& identity = view.target.namespace_;
        view.hidden = !all_identified || of_containers.contains({identity->device, identity->inode});
    }
}

}  // namespace

Index::Index(std::vector<View> views) : views_(std::move(views)) {
    hide_engine_handles(views_);
    std::ranges::sort(views_, before);
    for (const auto& view : views_)
        add(view);
    std::ranges::sort(by_id_);
    share();
    for (const auto& view : views_) {
        if (!view.hidden) listed_.push_back(view.target);
    }
}

void Index::add(const View& view) {
    const auto& target = view.target;
    by_name_[target.name].push_back(&view);
    if (target.runtime == api::Runtime::netns) by_name_[target.id].push_back(&view);
    if (has_engine(view)) by_id_.emplace_back(target.id, &view);
    if (!view.service.empty()) {
        by_service_[view.service].push_back(&view);
        by_service_[view.project + "/" + view.service].push_back(&view);
    }
    if (!view.reference || view.borrowed || view.hidden) return;
    for (const auto& network : target.networks) {
        for (const auto& prefix : network.addresses)
            by_address_[prefix.address()].push_back(&view);
    }
}

void Index::share() {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<View*>> together;
    for (auto& view : views_) {
        const auto& identity = view.target.namespace_;
        if (identity && !view.hidden) together[{identity->device, identity->inode}].push_back(&view);
    }
    for (const auto& [identity, members] : together) {
        if (members.size() < 2) continue;
        std::vector<std::string> words;
        for (const auto* member : members)
            words.push_back(unambiguous_word(*member));
        for (std::size_t i = 0; i < members.size(); ++i) {
            auto& others = members[i]->target.namespace_->shared_with;
            others = words;
            others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
}

Index::Matches Index::named(const Word& word) const {
    const auto found = by_name_.find(std::string(word.name));
    if (found == by_name_.end()) return {};
    Matches out;
    for (const auto* view : found->second) {
        const bool meant = word.runtime ? view->target.runtime == *word.runtime : !view->hidden;
        if (meant) out.push_back(view);
    }
    // Two names of one namespace, such as a container that was given to `ip netns attach`: either will do.
    const bool one =
        std::ranges::all_of(out, [&](const View* view) { return same_namespace(*view, *out.front()); });
    if (out.size() > 1 && one && out.front()->target.runtime != out.back()->target.runtime) out.resize(1);
    return out;
}

Index::Matches Index::by_service(const Word& word) const {
    const auto found = by_service_.find(std::string(word.name));
    if (found == by_service_.end()) return {};
    Matches all;
    Matches running;
    for (const auto* view : found->second) {
        if (word.runtime && view->target.runtime != *word.runtime) continue;
        all.push_back(view);
        if (view->reference) running.push_back(view);
    }
    return running.size() == 1 ? running : all;
}

Index::Matches Index::by_id(const Word& word) const {
    if (!is_id_prefix(word.name)) return {};
    Matches out;
    const auto first =
        std::ranges::lower_bound(by_id_, word.name, {}, [](const auto& entry) { return entry.first; });
    for (auto it = first; it != by_id_.end() && it->first.starts_with(word.name); ++it) {
        if (!word.runtime || it->second->target.runtime == *word.runtime) out.push_back(it->second);
    }
    return out;
}

Index::Matches Index::find(const Word& word) const {
    if (auto found = named(word); !found.empty()) return found;
    if (auto found = by_service(word); !found.empty()) return found;
    return by_id(word);
}

Index::Matches Index::find_named(const Word& word) const {
    if (auto found = named(word); !found.empty()) return found;
    // An engine's DNS knows a container by the first 12 digits of its ID too.
    constexpr std::size_t short_id = 12;
    return word.name.size() >= short_id ? by_id(word) : Matches();
}

Index::Matches Index::find_address(const IpAddress& address) const {
    const auto found = by_address_.find(address);
    return found == by_address_.end() ? Matches() : found->second;
}

std::string Index::unambiguous_word(const View& view) const {
    const auto& target = view.target;
    if (target.runtime == api::Runtime::host) return "host";
    const auto prefix = std::string(described::enumerator_name(target.runtime)) + ":";
    const auto found = by_name_.find(target.name);
    if (found == by_name_.end()) return prefix + target.id;
    std::size_t of_runtime = 0;
    for (const auto* other : found->second)
        of_runtime += other->target.runtime == target.runtime ? 1 : 0;
    if (of_runtime > 1) return prefix + (has_engine(view) ? target.id.substr(0, 12) : target.id);
    const bool plain =
        found->second.size() == 1 && target.name != "host" && target.name.find(':') == std::string::npos;
    return plain ? target.name : prefix + target.name;
}

std::vector<std::string> Index::names(std::optional<api::Runtime> runtime) const {
    std::vector<std::string> out;
    for (const auto& view : views_) {
        if (view.hidden || (runtime && view.target.runtime != *runtime)) continue;
        out.push_back(view.target.name);
        if (!view.service.empty()) out.push_back(view.service);
    }
    return out;
}

}  // namespace netlab::targets
