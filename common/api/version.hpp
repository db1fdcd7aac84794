#pragma once

#include "common/api/role.hpp"
#include "common/api/target.hpp"

namespace netlab::api {

/// GET /v1/version: which daemon this is, and what the caller may do. One Version.
struct VersionRequest {
    friend bool operator==(const VersionRequest&, const VersionRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(VersionRequest, (), ())

/// One engine of the configuration, as its watcher last found it.
struct EngineStatus {
    Runtime runtime = Runtime::docker;
    std::string socket;
    bool up = false;
    std::string message;  ///< why it is down
    friend bool operator==(const EngineStatus&, const EngineStatus&) = default;
};
BOOST_DESCRIBE_STRUCT(EngineStatus, (), (runtime, socket, up, message))

struct Version {
    std::string version;
    std::string api;          ///< "v1"
    std::vector<Role> roles;  ///< the caller's
    std::vector<EngineStatus> engines;
    friend bool operator==(const Version&, const Version&) = default;
};
BOOST_DESCRIBE_STRUCT(Version, (), (version, api, roles, engines))

}  // namespace netlab::api
