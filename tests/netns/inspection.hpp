#pragma once

#include "tests/netns/operation_process.hpp"
#include "tests/netns/test_network.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace netlab::test {

/// All that an inspection said.
struct Inspected {
    std::vector<boost::json::object> rows;  ///< in their order, without the report
    boost::json::object report;
    std::optional<errc> error;  ///< of the operation
    std::string hint;           ///< the error's
    bool ended = false;

    /// The rows of one type.
    [[nodiscard]] std::vector<boost::json::object> of(std::string_view type) const;
};

/// Everything that comes until the end, within 20 seconds.
[[nodiscard]] Inspected listen_to_inspection(OperationProcess& process);

/// A context with a target for each letter, named by it, whose identities are the handles'; the handles in
/// that order.
struct Asked {
    api::Context context;
    std::vector<operations::TargetHandle> handles;
};
/// `targets` and `others` are letters of the network: "a", "bc".
[[nodiscard]] Asked ask(const TestNetwork& network, const std::string& targets,
                        const std::string& others = {});

template <class Request>
[[nodiscard]] Inspected inspect(const Request& request, Asked asked) {
    OperationProcess process(request, std::move(asked.handles), asked.context);
    return listen_to_inspection(process);
}

/// `ip -j WORDS` in a namespace of the network, words as in a shell: the referee.
[[nodiscard]] boost::json::array ip_json(const TestNetwork& network, char letter, const std::string& words);

}  // namespace netlab::test
