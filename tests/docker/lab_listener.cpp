#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <cstdlib>
#include <iostream>

namespace netlab::lab {

namespace {

/// A test that finds the lab broken fails with what is wrong, even where `lab check` has put it right for the
/// next: whoever ran before may have broken it, netlab too.
class LabListener : public Catch::TestEventListenerBase {
  public:
    using TestEventListenerBase::TestEventListenerBase;

    void testCaseStarting(const Catch::TestCaseInfo&) override {
        const auto said = support::run({NETLAB_SOURCE_DIR "/tests/lab/lab", "check"});
        if (said.status == 0) return;
        std::cerr << said.err << std::flush;
        std::exit(EXIT_FAILURE);
    }
};

CATCH_REGISTER_LISTENER(LabListener)

}  // namespace

}  // namespace netlab::lab
