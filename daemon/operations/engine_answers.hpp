#pragma once

#include "common/api/inspection.hpp"
#include "daemon/operations/engine_networks.hpp"

#include <optional>
#include <string>
#include <vector>

/// What the engines say of their networks, asked for once.
namespace netlab::operations {

/// For `run`.
class EngineAnswers {
  public:
    /// Both are borrowed.
    EngineAnswers(Engines& engines, Output& output) : engines_(engines), output_(output) {}

    /// Asks for the networks; before that there are none.
    void read() { networks_ = ask(false); }
    [[nodiscard]] const std::vector<api::NetworkRow>& networks() const { return networks_; }
    /// That one of the target's engine; nullptr: it is not known.
    [[nodiscard]] const api::NetworkRow* network_of(const api::Target& target, const std::string& name) const;

    /// Whom an engine gave that address, for anybody can give himself one; "" where several have it, nullopt
    /// where none gave it to anybody.
    [[nodiscard]] std::optional<std::string> given_to(const IpAddress& address);

    /// The engines that could not be asked.
    [[nodiscard]] const std::vector<api::TargetFailure>& failures() const { return failures_; }

  private:
    std::vector<api::NetworkRow> ask(bool members);

    Engines& engines_;
    Output& output_;
    std::vector<api::NetworkRow> networks_;
    std::optional<std::vector<api::NetworkMember>> members_;  ///< of all; asked for when one is looked for
    std::vector<api::TargetFailure> failures_;
};

}  // namespace netlab::operations
