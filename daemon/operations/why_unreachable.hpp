#pragma once

#include "daemon/operations/why_facts.hpp"

/// Why a packet finds no way on: routes, gateways, neighbours, forwarding. Pure; what does not follow from
/// the facts is "".
namespace netlab::operations {

[[nodiscard]] Explanation explain_unreachable(const WhyFacts& facts);

/// FROM's own way out is not by its networks' gateway.
[[nodiscard]] Explanation explain_gateway(const WhyFacts& facts);

/// The same of TO's way back.
[[nodiscard]] Explanation explain_gateway_back(const WhyFacts& facts);

/// WhyFacts::by_mark, or by_mark_back of the answer: what may be, and where to look; empty where there is
/// none.
[[nodiscard]] Explanation explain_mark(const WhyFacts& facts, bool answer);

/// WhyFacts::no_way_back, which must be there.
[[nodiscard]] Explanation explain_no_way_back(const WhyFacts& facts);

/// WhyFacts::lost_answer, which must be there: "the answer is lost on host: …".
[[nodiscard]] Explanation explain_lost_answer(const WhyFacts& facts);

/// A translation to an address that nobody has, as the end of a sentence: ": its destination has been …".
[[nodiscard]] Explanation explain_dead_translation(const WhyFacts& facts);

}  // namespace netlab::operations
