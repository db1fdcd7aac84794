#include "daemon/targets/registry.hpp"

#include "common/described.hpp"
#include "daemon/targets/index.hpp"

#include <algorithm>
#include <charconv>

namespace netlab::targets {

namespace {

bool same_process(const api::ContainerRecord& a, const api::ContainerRecord& b) {
    return a.target.pid == b.target.pid && a.sandbox_path == b.sandbox_path &&
           is_running(a.target) == is_running(b.target);
}

bool same_interfaces(const api::ContainerRecord& a, const api::ContainerRecord& b) {
    return a.target.network_mode == b.target.network_mode && a.target.networks == b.target.networks;
}

std::string key_of(const std::string& id, std::uint64_t generation) {
    return id + "@" + std::to_string(generation);
}

struct Key {
    std::string id;
    std::optional<std::uint64_t> generation;
};

Key parse_key(std::string_view key) {
    const auto at = key.rfind('@');
    if (at == key.npos) return {std::string(key), std::nullopt};
    std::uint64_t generation = 0;
    std::from_chars(key.data() + at + 1, key.data() + key.size(), generation);
    return {std::string(key.substr(0, at)), generation};
}

}  // namespace

Registry::Registry() = default;
Registry::~Registry() = default;

void Registry::changed() {
    ++version_;
    index_.reset();
}

void Registry::keep(const Engine& engine, const api::ContainerRecord& record) {
    auto [place, fresh] = containers_.try_emplace(record.target.id);
    auto& container = place->second;
    if (!fresh && container.record == record && container.engine == engine) return;
    const bool same = !fresh && same_process(container.record, record);
    if (!same) container.facts.reset();
    if (!same || !same_interfaces(container.record, record)) {
        container.generation = ++generation_;
        container.asked = false;
    }
    container.engine = engine;
    container.record = record;
    changed();
}

void Registry::apply(const Engine& engine, const api::ContainerRecord& record) {
    if (record.gone) return remove(record.target.id);
    keep(engine, record);
}

void Registry::replace(const Engine& engine, std::span<const api::ContainerRecord> records) {
    std::set<std::string> present;
    for (const auto& record : records) {
        if (record.gone) continue;
        present.insert(record.target.id);
        keep(engine, record);
    }
    const auto gone = std::erase_if(containers_, [&](const auto& entry) {
        return entry.second.engine == engine && !present.contains(entry.first);
    });
    if (gone > 0) changed();
}

void Registry::remove(const std::string& container_id) {
    if (containers_.erase(container_id) > 0) changed();
}

void Registry::set_state(const Engine& engine, EngineState state) {
    engines_[engine] = std::move(state);
}

void Registry::begin_namespaces() {
    said_.clear();
}

void Registry::apply(const api::NamespaceRecord& record) {
    if (record.complete) {
        if (std::erase_if(named_, [&](const auto& entry) { return !said_.contains(entry.first); }) > 0)
            changed();
    } else if (record.id.empty()) {
        if (host_ == record) return;
        host_ = record;
        changed();
    } else if (!record.id.starts_with('/')) {
        apply_identified(record);
    } else if (record.removed || record.inode == 0) {
        if (named_.erase(record.id) > 0) changed();
    } else {
        said_.insert(record.id);
        auto& known = named_[record.id];
        if (known == record) return;
        known = record;
        changed();
    }
}

void Registry::apply_identified(const api::NamespaceRecord& record) {
    const auto key = parse_key(record.id);
    const auto found = containers_.find(key.id);
    if (found == containers_.end()) return;
    auto& container = found->second;
    if (key.generation && *key.generation != container.generation) return;
    if (record.inode == 0 || !is_running(container.record.target) || container.facts == record) return;
    container.facts = record;
    changed();
}

std::vector<Unidentified> Registry::take_unidentified(std::size_t most) {
    std::vector<Unidentified> out;
    for (auto& [id, container] : containers_) {
        if (out.size() == most) break;
        if (container.asked || !is_running(container.record.target)) continue;
        container.asked = true;
        // What is known of it may be what has changed: the reference asks for no identity.
        out.push_back({key_of(id, container.generation), reference_of(container.record, nullptr)});
    }
    return out;
}

bool Registry::has_named(const std::string& path, std::uint64_t device, std::uint64_t inode) const {
    const auto found = named_.find(path);
    return found != named_.end() && found->second.device == device && found->second.inode == inode;
}

void Registry::identify_again(std::string_view key) {
    const auto parsed = parse_key(key);
    const auto found = containers_.find(parsed.id);
    if (found == containers_.end()) return;
    if (!parsed.generation || *parsed.generation == found->second.generation) found->second.asked = false;
}

const Index& Registry::index() const {
    if (index_) return *index_;
    std::vector<View> views;
    views.reserve(containers_.size() + named_.size() + 1);
    for (const auto& [id, container] : containers_) {
        const auto owner = containers_.find(std::string(joined_container(container.record.target)));
        Owner joined;
        if (owner != containers_.end()) {
            joined.record = &owner->second.record;
            if (owner->second.facts) joined.facts = &*owner->second.facts;
        }
        views.push_back(
            view_container(container.record, container.facts ? &*container.facts : nullptr, joined));
    }
    for (const auto& [path, record] : named_)
        views.push_back(view_named(record));
    if (host_) views.push_back(view_host(*host_));
    index_ = std::make_unique<Index>(std::move(views));
    return *index_;
}

const std::vector<api::Target>& Registry::list() const {
    return index().listed();
}

std::vector<api::PublishedPort> Registry::joined_ports(const api::Target& target) const {
    const auto found = containers_.find(std::string(joined_container(target)));
    if (found == containers_.end() || !target.namespace_) return {};
    const auto& facts = found->second.facts;
    const bool same =
        facts && facts->inode == target.namespace_->inode && facts->device == target.namespace_->device;
    return same ? found->second.record.target.ports : std::vector<api::PublishedPort>();
}

std::optional<EngineState> Registry::engine_state(api::Runtime runtime) const {
    std::optional<EngineState> worst;
    for (const auto& [engine, state] : engines_) {
        if (engine.runtime == runtime && (!worst || worst->up)) worst = state;
    }
    return worst;
}

}  // namespace netlab::targets
