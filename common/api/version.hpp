#pragma once

#include "common/api/role.hpp"

namespace netlab::api {

/// GET /v1/version: which daemon this is, and what the caller may do. One Version.
struct VersionRequest {
    friend bool operator==(const VersionRequest&, const VersionRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(VersionRequest, (), ())

struct Version {
    std::string version;
    std::string api;          ///< "v1"
    std::vector<Role> roles;  ///< the caller's
    friend bool operator==(const Version&, const Version&) = default;
};
BOOST_DESCRIBE_STRUCT(Version, (), (version, api, roles))

}  // namespace netlab::api
