#pragma once

#include "daemon/targets/registry.hpp"

/// How records become targets as they are shown.
namespace netlab::targets {

/// A target, and what the index needs of it beyond.
struct View {
    api::Target target;
    std::optional<NamespaceReference> reference;  ///< absent: it does not run
    std::string project;                          ///< of compose
    std::string service;
    bool borrowed = false;  ///< its networks are those of the container whose namespace it joined
    bool hidden = false;    ///< an engine's handle: resolves by `netns:NAME`, is not listed
};

/// The container whose namespace another joined (`container:ID`). nullptr: no such container, or not
/// identified yet.
struct Owner {
    const api::ContainerRecord* record = nullptr;
    const api::NamespaceRecord* facts = nullptr;
};

/// `facts`: what `identify` said of this process, nullptr where it has not yet.
[[nodiscard]] View view_container(const api::ContainerRecord& record, const api::NamespaceRecord* facts,
                                  const Owner& owner);
[[nodiscard]] View view_named(const api::NamespaceRecord& record);
[[nodiscard]] View view_host(const api::NamespaceRecord& record);

[[nodiscard]] bool is_running(const api::Target& target);

/// How the container's namespace is reached. It must be running.
[[nodiscard]] NamespaceReference reference_of(const api::ContainerRecord& record,
                                              const api::NamespaceRecord* facts);

/// The full ID in "container:ID", empty for any other network mode.
[[nodiscard]] std::string_view joined_container(const api::Target& target);

}  // namespace netlab::targets
