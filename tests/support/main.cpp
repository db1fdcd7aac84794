#define CATCH_CONFIG_RUNNER
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "tests/support/leaks.hpp"

#include <catch2/catch.hpp>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/// The main of every test executable.
namespace netlab::support {

namespace {

/// Fails any case that leaves something behind (style.md, rule 12).
class LeakListener : public Catch::TestEventListenerBase {
  public:
    using TestEventListenerBase::TestEventListenerBase;

    void testRunStarting(const Catch::TestRunInfo& info) override {
        TestEventListenerBase::testRunStarting(info);
        // Whatever a daemon under test leaves behind becomes our child, and is seen.
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    }

    void testCaseStarting(const Catch::TestCaseInfo& info) override {
        TestEventListenerBase::testCaseStarting(info);
        before_ = belongings();
    }

    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        // A process that was told to end needs a moment to be gone from /proc.
        std::string left;
        for (int attempt = 0; attempt < 100; ++attempt) {
            reap_orphans();
            left = left_behind(before_, belongings());
            if (left.empty()) break;
            ::usleep(10'000);
        }
        TestEventListenerBase::testCaseEnded(stats);
        if (!left.empty()) {
            std::fprintf(stderr, "%s: %s", stats.testInfo.name.c_str(), left.c_str());
            // Catch2 v2 has no way to fail a case that has ended.
            std::_Exit(3);
        }
    }

  private:
    /// A dead orphan is not left behind, only not waited for. (A live child of a test is waited for by its
    /// Process.)
    static void reap_orphans() {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
    }

    Belongings before_;
};

}  // namespace

CATCH_REGISTER_LISTENER(LeakListener)

}  // namespace netlab::support

int main(int argc, char** argv) {
    Catch::Session session;
    if (const int refused = session.applyCommandLine(argc, argv); refused != 0) return refused;
    // CMake takes a name apart at a semicolon, and the parts match nothing: that must not pass.
    auto& warnings = session.configData().warnings;
    warnings = static_cast<Catch::WarnAbout::What>(warnings | Catch::WarnAbout::NoTests);
    return session.run();
}
