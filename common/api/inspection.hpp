#pragma once

#include "common/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <boost/describe.hpp>

/// What the inspections (links, addrs, routes, …) have in common: they say the rows of one target after
/// another in one stream, then a report. Role observe; nothing is sent from a target.
namespace netlab::api {

/// One of several targets whose rows are missing from here on; the others' stay. (Of a single target it is
/// the stream's error.)
struct TargetFailure {
    static constexpr std::string_view type = "failure";
    std::string target;
    Error error;
};
BOOST_DESCRIBE_STRUCT(TargetFailure, (), (target, error))

/// A namespace that several targets live in is asked once, with `all`: under the name of one of them.
struct SharedNamespace {
    std::string target;
    std::vector<std::string> with;
    friend bool operator==(const SharedNamespace&, const SharedNamespace&) = default;
};
BOOST_DESCRIBE_STRUCT(SharedNamespace, (), (target, with))

struct InspectionReport {
    static constexpr std::string_view type = "report";
    std::uint64_t rows = 0;
    std::uint64_t targets = 0;   ///< that were asked
    std::uint64_t failures = 0;  ///< of those
    std::uint64_t findings = 0;  ///< rows that say that something is wrong: the client's exit code is 1
    bool consistent =
        true;  ///< false: something changed again and again for two seconds; rows may be missing or double
    bool truncated = false;  ///< more namespaces are known than one request can open: somebody who was not
                             ///< found may be in one of those
    std::vector<SharedNamespace> shared;
};
BOOST_DESCRIBE_STRUCT(InspectionReport, (),
                      (rows, targets, failures, findings, consistent, truncated, shared))

}  // namespace netlab::api
