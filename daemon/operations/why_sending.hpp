#pragma once

#include "daemon/operations/why_facts.hpp"
#include "daemon/operations/why_publisher.hpp"
#include "daemon/operations/why_question.hpp"

#include <vector>

/// The one real packet of a question, from its sending to what came of it. For `run`.
namespace netlab::operations {

class WhySending {
  public:
    /// All are borrowed. WhyFacts::way is known by now; what is seen of the packet is added.
    WhySending(WhyHandles& handles, const api::WhyRequest& request, const Destination& destination,
               WhyFacts& facts, Output& output)
        : handles_(handles), request_(request), destination_(destination), facts_(facts), output_(output) {}

    /// `ways`: where a process on the host may lead that takes the packet (Publisher::ways); those are
    /// watched, too. errc as WhyProbe::open(), errc::target_gone.
    [[nodiscard]] Result<void> send(const std::vector<api::Endpoint>& ways);
    /// What became of that process' own connection.
    [[nodiscard]] BehindProxy::Leg leg() const { return leg_; }

  private:
    [[nodiscard]] EchoSocket* echo() const;
    /// Until the answer has come, a rule is known to have stopped it, or it has had its time.
    Result<void> wait(WhyProbe& probe);
    /// Nobody need answer a datagram: once it is where it was meant to go, more waiting shows nothing.
    [[nodiscard]] bool datagram_arrived() const;
    /// Of an echo that was given a size: whether one without it comes through.
    Result<void> try_small();
    /// The process has taken the connection: until its own to the container has come about, or been given up.
    Result<void> watch_leg(const WhyProbe& probe, const ProxyLegs& legs);

    WhyHandles& handles_;
    const api::WhyRequest& request_;
    const Destination& destination_;
    WhyFacts& facts_;
    Output& output_;
    BehindProxy::Leg leg_ = BehindProxy::Leg::unseen;
};

}  // namespace netlab::operations
