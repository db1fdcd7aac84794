#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <iostream>

namespace netlab::lab {

namespace {

/// A test that fails because the lab is broken says so, in its first lines.
class LabListener : public Catch::TestEventListenerBase {
  public:
    using TestEventListenerBase::TestEventListenerBase;

    void testCaseStarting(const Catch::TestCaseInfo&) override {
        const auto said = support::run({NETLAB_SOURCE_DIR "/tests/lab/lab", "check"});
        if (said.status != 0 || !said.err.empty()) std::cerr << said.err << std::flush;
    }
};

CATCH_REGISTER_LISTENER(LabListener)

}  // namespace

}  // namespace netlab::lab
