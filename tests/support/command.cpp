#include "tests/support/command.hpp"

#include <csignal>
#include <cstring>
#include <stdexcept>

#include <boost/json/parse.hpp>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace netlab::support {

namespace {

/// Output goes to a file in memory: no pipe that a test would have to empty while the program runs.
int memory_file() {
    const int file = ::memfd_create("output", MFD_CLOEXEC);
    if (file < 0) throw std::runtime_error("memfd_create");
    return file;
}

std::string content(int file) {
    struct stat status {};
    ::fstat(file, &status);
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    const auto size = ::pread(file, text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& changes) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        if (!changes.contains(std::string(text.substr(0, text.find('='))))) all.emplace_back(text);
    }
    for (const auto& [name, value] : changes)
        all.push_back(name + "=" + value);
    return all;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> out;
    for (auto& word : words)
        out.push_back(word.data());
    out.push_back(nullptr);
    return out;
}

int decode_status(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

std::vector<std::string> Finished::lines() const {
    std::vector<std::string> all;
    std::size_t from = 0;
    while (from < out.size()) {
        const auto end = std::min(out.find('\n', from), out.size());
        all.push_back(out.substr(from, end - from));
        from = end + 1;
    }
    return all;
}

boost::json::value Finished::json() const {
    return boost::json::parse(out);
}

std::vector<boost::json::object> Finished::json_lines() const {
    std::vector<boost::json::object> all;
    for (const auto& line : lines())
        all.push_back(boost::json::parse(line).as_object());
    return all;
}

Process::Process(const Words& words, const std::map<std::string, std::string>& environment)
    : out_(memory_file()), err_(memory_file()), started_(std::chrono::steady_clock::now()) {
    auto arguments = words;
    auto variables = environment_with(environment);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_, 1);
    posix_spawn_file_actions_adddup2(&actions, err_, 2);
    const int error = ::posix_spawnp(&pid_, words.at(0).c_str(), &actions, nullptr,
                                     pointers(arguments).data(), pointers(variables).data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("cannot start " + words.at(0) + ": " + std::strerror(error));
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      out_(std::exchange(other.out_, -1)),
      err_(std::exchange(other.err_, -1)),
      reaped_(other.reaped_),
      status_(other.status_),
      started_(other.started_) {}

Process::~Process() {
    if (pid_ > 0 && !reaped_) {
        ::kill(pid_, SIGTERM);
        if (!eventually([&] { return !running(); }, std::chrono::seconds(15))) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    if (out_ >= 0) ::close(out_);
    if (err_ >= 0) ::close(err_);
}

void Process::signal(int number) const {
    if (!reaped_) ::kill(pid_, number);
}

bool Process::running() {
    if (reaped_) return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
    reaped_ = true;
    status_ = decode_status(status);
    return false;
}

Finished Process::wait(std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    if (!reaped_) {
        while (running()) {
            if (std::chrono::steady_clock::now() > until) {
                ::kill(pid_, SIGKILL);
                int status = 0;
                ::waitpid(pid_, &status, 0);
                reaped_ = true;
                status_ = decode_status(status);
                break;
            }
            ::usleep(500);
        }
    }
    Finished finished;
    finished.status = status_;
    finished.out = content(out_);
    finished.err = content(err_);
    finished.took =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started_);
    return finished;
}

std::string Process::out_so_far() const {
    return content(out_);
}
std::string Process::err_so_far() const {
    return content(err_);
}

Finished run(const Words& words, const std::map<std::string, std::string>& environment) {
    return Process(words, environment).wait();
}

Finished run_well(const Words& words, const std::map<std::string, std::string>& environment) {
    auto finished = run(words, environment);
    if (finished.status != 0) {
        std::string line;
        for (const auto& word : words)
            line += word + " ";
        throw std::runtime_error(line + "ended with " + std::to_string(finished.status) + ": " +
                                 finished.err + finished.out);
    }
    return finished;
}

}  // namespace netlab::support
