#pragma once

#include "common/api/target.hpp"

namespace netlab::api {

/// GET /v1/targets: an array of Target, answered from the registry.
struct TargetsRequest {
    friend bool operator==(const TargetsRequest&, const TargetsRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(TargetsRequest, (), ())

}  // namespace netlab::api
