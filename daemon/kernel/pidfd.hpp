#pragma once

// glibc 2.36's header forgets that C++ mangles names (fixed in 2.37); declaring its functions twice is
// harmless.
extern "C" {
#include <sys/pidfd.h>
}
