#include "tests/front/theatre.hpp"

#include "common/binary.hpp"
#include "common/json.hpp"
#include "daemon/front/front.hpp"
#include "tests/support/command.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

namespace netlab::front_test {

using Clock = std::chrono::steady_clock;

namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

std::array<UniqueFd, 2> packet_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::runtime_error("socketpair");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// The body of a chunked message; false where the last chunk is not there yet.
bool join_chunks(std::string_view text, std::string& body) {
    body.clear();
    for (;;) {
        const auto line = text.find("\r\n");
        if (line == text.npos) return false;
        const auto size = std::stoul(std::string(text.substr(0, line)), nullptr, 16);
        text.remove_prefix(line + 2);
        if (size == 0) return text.starts_with("\r\n");
        body += text.substr(0, size);
        if (text.size() < size + 2) return false;
        text.remove_prefix(size + 2);
    }
}

}  // namespace

std::string Answer::error_code() const {
    auto text = std::string_view(body);
    while (text.ends_with('\n'))
        text.remove_suffix(1);
    if (const auto line = text.rfind('\n'); line != text.npos) text.remove_prefix(line + 1);
    const auto value = netlab::json::parse(text);
    if (!value || !value->is_object() || !value->as_object().contains("error")) return {};
    return std::string(value->at("error").at("code").as_string());
}

boost::json::value Answer::json() const {
    const auto value = netlab::json::parse(body);
    if (!value) throw std::runtime_error("not JSON: " + body);
    return *value;
}

Client::Client(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = address_of(path);
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error("connect");
    }
}

void Client::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) return;  // the answer says why
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

bool Client::read_some(Clock::time_point until) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) <= 0) return false;
    char piece[65536];
    const auto size = ::recv(socket_.get(), piece, sizeof piece, 0);
    if (size <= 0) return false;
    unread_.append(piece, static_cast<std::size_t>(size));
    return true;
}

std::string Client::read_until(std::string_view needle, std::chrono::milliseconds patience) {
    const auto until = Clock::now() + patience;
    while (unread_.find(needle) == unread_.npos && read_some(until)) {
    }
    const auto found = unread_.find(needle);
    auto out = unread_.substr(0, found == unread_.npos ? found : found + needle.size());
    unread_.erase(0, out.size());
    return out;
}

Answer Client::answer(std::chrono::milliseconds patience) {
    const auto until = Clock::now() + patience;
    Answer answer;
    answer.head = read_until("\r\n\r\n", patience);
    if (answer.head.size() < 12) return answer;
    answer.status = static_cast<unsigned>(std::stoul(answer.head.substr(9, 3)));
    const auto length_at = answer.head.find("Content-Length: ");
    if (length_at != answer.head.npos) {
        const auto length = std::stoul(answer.head.substr(length_at + 16));
        while (unread_.size() < length && read_some(until)) {
        }
        answer.body = unread_.substr(0, length);
        answer.whole = answer.body.size() == length;
        unread_.erase(0, length);
        return answer;
    }
    for (;;) {
        answer.whole = join_chunks(unread_, answer.body);
        if (answer.whole || !read_some(until)) break;
    }
    unread_.clear();
    return answer;
}

bool Client::closed(std::chrono::milliseconds patience) {
    const auto until = Clock::now() + patience;
    while (read_some(until)) {
    }
    return Clock::now() < until;
}

Theatre::Theatre(const Settings& settings) {
    char folder[] = "/tmp/netlab-front-XXXXXX";
    if (::mkdtemp(folder) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = folder;
    ::chmod(folder, 0755);
    path_ = folder_ + "/socket";
    void* memory = ::mmap(nullptr, sizeof(Stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap");
    stage_ = new (memory) Stage;
    stage_->silent_watcher = settings.hanging_engine;
    set_containers(settings.containers);
    auto [ours, watchers] = packet_pair();
    events_ = std::move(ours);
    watcher_events_ = std::move(watchers);

    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = address_of(path_);
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), 128) != 0) {
        throw std::runtime_error("listen");
    }
    ::chmod(path_.c_str(), 0777);
    auto channel = start_launcher();
    start_front(settings, std::move(listener), std::move(channel));
}

Theatre::~Theatre() {
    for (const auto pid : {front_, launcher_}) {
        if (pid <= 0) continue;
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    ::munmap(stage_, sizeof(Stage));
    // What is no line of the audit is a fault's, or a sanitizer's.
    std::istringstream lines(log());
    for (std::string line; std::getline(lines, line);) {
        if (line.find(" audit ") == line.npos) std::fprintf(stderr, "%s\n", line.c_str());
    }
    ::unlink((folder_ + "/log").c_str());
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
}

UniqueFd Theatre::start_launcher() {
    auto [launchers, fronts] = packet_pair();
    launcher_ = ::fork();
    if (launcher_ == 0) {
        fronts.reset();
        events_.reset();
        supervisor_.reset();
        play_launcher(std::move(launchers), watcher_events_.get(), *stage_);
    }
    return std::move(fronts);
}

void Theatre::start_front(const Settings& settings, UniqueFd listener, UniqueFd channel) {
    auto [ours, fronts] = packet_pair();
    supervisor_ = std::move(ours);
    front_ = ::fork();
    if (front_ != 0) return;
    supervisor_.reset();
    events_.reset();
    watcher_events_.reset();
    if (::getenv("FRONT_LOG") == nullptr) {
        const UniqueFd log(
            ::open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        ::dup2(log.get(), STDERR_FILENO);
    }
    if (settings.descriptors > 0) {
        const rlimit limit{settings.descriptors, settings.descriptors};
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    front::Options options;
    options.access[api::Role::observe] = {{65533, "observers"}};
    options.access[api::Role::probe] = {{65532, "probers"}};
    if (settings.engine) options.engines = {{api::Runtime::docker, "/run/docker.sock"}};
    options.level = ::getenv("FRONT_LOG") != nullptr ? spdlog::level::debug : spdlog::level::off;
    options.drain = settings.drain;
    options.quota = settings.quota;
    int status = 99;
    try {
        status = front::run(std::move(options), std::move(listener), std::move(channel), std::move(fronts));
    } catch (const std::exception& fault) {
        std::fprintf(stderr, "front: %s\n", fault.what());
    }
    std::exit(status);  // with the leak check of a sanitized build
}

std::string Theatre::log() const {
    std::ifstream file(folder_ + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
}

Answer Theatre::get(std::string_view path) const {
    auto client = connect();
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: netlab\r\n\r\n");
    return client.answer();
}

std::string Theatre::post_text(std::string_view path, std::string_view body) {
    return "POST " + std::string(path) +
           " HTTP/1.1\r\nHost: netlab\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
}

std::string Theatre::ping_text(std::string_view script, unsigned count) {
    return post_text("/v1/ping", R"({"from":"co1","to":")" + std::string(script) + R"(","count":)" +
                                     std::to_string(count) + "}");
}

Answer Theatre::post(std::string_view path, std::string_view body) const {
    auto client = connect();
    client.send(post_text(path, body));
    return client.answer();
}

void Theatre::set_containers(std::string_view lines) {
    std::memset(stage_->containers, 0, sizeof stage_->containers);
    std::memcpy(stage_->containers, lines.data(), lines.size());
}

void Theatre::say(const api::EngineRecord& record) const {
    const auto bytes = binary::encode(record);
    ::send(events_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

std::vector<std::string> Theatre::names() const {
    std::vector<std::string> names;
    const auto value = get("/v1/targets").json();
    for (const auto& target : value.as_array())
        names.emplace_back(target.at("name").as_string());
    return names;
}

void Theatre::kill_launcher() {
    ::kill(launcher_, SIGKILL);
    ::waitpid(launcher_, nullptr, 0);
    launcher_ = -1;
}

void Theatre::new_launcher() {
    const auto channel = start_launcher();
    char byte = 1;
    iovec part{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int descriptor = channel.get();
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    ::sendmsg(supervisor_.get(), &message, MSG_NOSIGNAL);
}

int Theatre::wait_for_front(std::chrono::milliseconds patience) {
    int status = 0;
    const bool ended =
        support::eventually([&] { return ::waitpid(front_, &status, WNOHANG) == front_; }, patience);
    if (!ended) return -1;
    front_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace netlab::front_test
