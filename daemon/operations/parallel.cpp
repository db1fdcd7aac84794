#include "daemon/operations/parallel.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <pthread.h>
#include <sched.h>

namespace netlab::operations {

namespace {

struct Part {
    const std::function<void(std::size_t)>* function = nullptr;
    std::size_t number = 0;
    std::exception_ptr thrown;
    pthread_t thread{};
    bool started = false;

    void call() {
        try {
            (*function)(number);
        } catch (...) {
            thrown = std::current_exception();
        }
    }
};

void* call_part(void* part) {
    static_cast<Part*>(part)->call();
    return nullptr;
}

/// Stacks of the usual eight MiB would count against the address space of the operation.
class SmallStack {
  public:
    SmallStack() {
        constexpr std::size_t size = 512 * 1024;
        usable_ = ::pthread_attr_init(&attributes_) == 0;
        if (usable_) usable_ = ::pthread_attr_setstacksize(&attributes_, size) == 0;
    }
    ~SmallStack() { ::pthread_attr_destroy(&attributes_); }
    SmallStack(const SmallStack&) = delete;
    SmallStack& operator=(const SmallStack&) = delete;

    [[nodiscard]] bool start(Part& part) const {
        return usable_ && ::pthread_create(&part.thread, &attributes_, call_part, &part) == 0;
    }

  private:
    pthread_attr_t attributes_{};
    bool usable_ = false;
};

}  // namespace

namespace {

std::size_t usable_processors(std::size_t most) {
    cpu_set_t set;
    // More than 1,024 processors do not fit: then the most that is wanted.
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return most;
    return std::clamp<std::size_t>(static_cast<std::size_t>(CPU_COUNT(&set)), 1, most);
}

}  // namespace

std::size_t ready_for_threads(std::size_t most) {
    const auto count = usable_processors(most);
    // The first thread has glibc install the handler of SIGSETXID (rt_sigaction(2)), the first allocation in
    // one has malloc count the processors (sched_getaffinity(2)).
    std::vector<std::unique_ptr<std::string>> memory(count);
    if (count > 1)
        at_once(count, [&](std::size_t i) { memory[i] = std::make_unique<std::string>(1024, 'x'); });
    return count;
}

void at_once(std::size_t count, const std::function<void(std::size_t)>& part) {
    std::vector<Part> parts(count);
    const SmallStack stack;
    for (std::size_t i = 0; i < count; ++i) {
        parts[i].function = &part;
        parts[i].number = i;
        if (i + 1 < count) parts[i].started = stack.start(parts[i]);
    }
    for (auto& one : parts) {
        if (!one.started) one.call();
    }
    for (auto& one : parts) {
        if (one.started) ::pthread_join(one.thread, nullptr);
    }
    for (const auto& one : parts) {
        if (one.thrown) std::rethrow_exception(one.thrown);
    }
}

}  // namespace netlab::operations
