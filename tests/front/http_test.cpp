#include "tests/front/theatre.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::front_test;
using namespace std::chrono_literals;
using support::eventually;

namespace {

/// `ask` as another user, with one group; returns what it says in one byte.
template <class Ask>
int as_user(uid_t uid, gid_t gid, Ask ask) {
    const auto child = ::fork();
    if (child == 0) {
        int said = 255;
        try {
            if (::setgroups(1, &gid) == 0 && ::setgid(65534) == 0 && ::setuid(uid) == 0) said = ask();
        } catch (const std::exception& fault) {
            std::fprintf(stderr, "as_user: %s\n", fault.what());
        }
        std::_Exit(said);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/// How many sockets for datagrams to a path a process has.
std::size_t datagram_sockets(pid_t pid) {
    std::set<std::string> links;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
        links.insert(std::filesystem::read_symlink(entry).string());
    std::ifstream table("/proc/" + std::to_string(pid) + "/net/unix");
    std::size_t count = 0;
    for (std::string line; std::getline(table, line);) {
        std::istringstream fields(line);
        std::string skipped;
        std::string type;
        std::string inode;
        fields >> skipped >> skipped >> skipped >> skipped >> type >> skipped >> inode;
        if (type == "0002") count += links.count("socket:[" + inode + "]");
    }
    return count;
}

/// One byte from one process to another.
class Whistle {
  public:
    Whistle() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
        ear_.reset(ends[0]);
        mouth_.reset(ends[1]);
    }
    void say() const { CHECK(::write(mouth_.get(), "!", 1) == 1); }
    /// False after ten seconds.
    [[nodiscard]] bool hear() const {
        pollfd heard{ear_.get(), POLLIN, 0};
        char byte = 0;
        return ::poll(&heard, 1, 10'000) == 1 && ::read(ear_.get(), &byte, 1) == 1;
    }

  private:
    UniqueFd ear_;
    UniqueFd mouth_;
};

}  // namespace

TEST_CASE("front: it answers what it is", "[front]") {
    Theatre theatre;
    const auto answer = theatre.get("/v1/version");
    CHECK(answer.status == 200);
    CHECK(answer.head.find("Content-Type: application/json\r\n") != std::string::npos);
    CHECK(answer.head.find("Cache-Control: no-store\r\n") != std::string::npos);
    CHECK(answer.head.find("Server: netlabd/") != std::string::npos);
    CHECK(answer.json().at("roles").as_array().size() == 5);
}

TEST_CASE("front: it serves under a system call filter, and can gain nothing", "[front]") {
    Theatre theatre;
    CHECK(theatre.get("/v1/version").status == 200);
    const auto status = support::run({"cat", "/proc/" + std::to_string(theatre.front()) + "/status"}).out;
    CHECK(status.find("\nSeccomp:\t2\n") != std::string::npos);
    CHECK(status.find("\nNoNewPrivs:\t1\n") != std::string::npos);
    CHECK(status.find("\nThreads:\t1\n") != std::string::npos);
    // From one it could send to whatever has a path.
    CHECK(datagram_sockets(theatre.front()) <=
          (std::filesystem::exists("/run/systemd/journal/socket") ? 1 : 0));
}

TEST_CASE("front: the first GET of the targets is complete", "[front]") {
    Theatre theatre;
    const auto answer = theatre.get("/v1/targets");
    CHECK(answer.status == 200);
    const auto names = theatre.names();
    CHECK(names == std::vector<std::string>{"co1", "co2", "stopped", "host"});
    CHECK(answer.json().at(0).at("namespace").at("inode").as_int64() >= 4026530000);
}

TEST_CASE("front: several requests on one connection, also sent at once", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    const std::string get = "GET /v1/version HTTP/1.1\r\n\r\n";
    client.send(get);
    CHECK(client.answer().status == 200);
    client.send(get + get);
    CHECK(client.read_until("}\n").find("HTTP/1.1 200") == 0);
    CHECK(client.read_until("}\n").find("HTTP/1.1 200") == 0);
    client.send("GET /v1/version HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(client.answer().status == 200);
    CHECK(client.closed());
}

TEST_CASE("front: HTTP/1.0 gets an answer that ends with the connection", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    const std::string body = R"({"from":"co1","to":"answers","count":1})";
    client.send("POST /v1/ping HTTP/1.0\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                body);
    const auto all = client.read_until("no such thing", 3s);
    CHECK(all.starts_with("HTTP/1.0 200 OK\r\n"));
    CHECK(all.find("chunked") == std::string::npos);
    CHECK(all.ends_with("\r\n\r\n{\"type\":\"reply\",\"seq\":1}\n"));
}

TEST_CASE("front: bad requests get the fitting status and a JSON error", "[front]") {
    Theatre theatre;
    const auto refused = [&](const std::string& request, unsigned status, std::string_view code) {
        auto client = theatre.connect();
        client.send(request);
        const auto answer = client.answer();
        INFO(request.substr(0, 80));
        CHECK(answer.status == status);
        CHECK(answer.error_code() == code);
        return answer;
    };
    refused("GET /v1/nothing HTTP/1.1\r\n\r\n", 404, "not_found");
    CHECK(refused("GET /v1/ping HTTP/1.1\r\n\r\n", 405, "method_not_allowed").head.find("Allow: POST\r\n") !=
          std::string::npos);
    refused("nonsense\r\n\r\n", 400, "bad_request");
    refused(Theatre::post_text("/v1/ping", "nonsense"), 400, "bad_request");
    refused(Theatre::post_text("/v1/ping", R"({"from":"co1","to":"co2","x":1})"), 400, "unknown_field");
    refused(Theatre::post_text("/v1/ping", R"({"from":"nobody","to":"co2"})"), 404, "no_such_target");
    refused(Theatre::post_text("/v1/ping", R"({"from":"stopped","to":"co2"})"), 409, "target_not_running");
    refused("POST /v1/ping HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 501,
            "unsupported");
    refused("POST /v1/ping HTTP/1.1\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 501,
            "unsupported");
    refused("POST /v1/ping HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413, "too_large");
    refused(Theatre::post_text("/v1/ping", std::string(70'000, ' ')), 413, "too_large");
    refused("GET /v1/version HTTP/1.1\r\nX: " + std::string(9'000, 'x') + "\r\n\r\n", 413, "too_large");
    refused("GET /v1/version HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, "bad_request");
}

TEST_CASE("front: a body that is as large as it may be is read", "[front]") {
    Theatre theatre;
    const std::string request = R"({"from":"co1","to":"answers"})";
    const auto answer = theatre.post("/v1/ping", request + std::string(65'536 - request.size(), ' '));
    CHECK(answer.status == 200);
}

TEST_CASE("front: 'Expect: 100-continue' is answered before the body comes", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send("POST /v1/ping HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 29\r\n\r\n");
    CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(R"({"from":"co1","to":"answers"})");
    CHECK(client.answer().status == 200);
}

TEST_CASE("front: who has no role is told which groups would have it", "[front]") {
    REQUIRE(::geteuid() == 0);  // to become another user
    Theatre theatre;
    CHECK(as_user(4242, 65534, [&] {
              const auto answer = theatre.get("/v1/version");
              const bool names_group = answer.body.find("observers") != std::string::npos;
              return answer.status == 403 && answer.error_code() == "permission_denied" && names_group ? 7
                                                                                                       : 1;
          }) == 7);
    CHECK(as_user(4242, 65533, [&] {
              const bool may_see = theatre.get("/v1/version").json().at("roles").as_array().size() == 1;
              const auto ping = theatre.post("/v1/ping", R"({"from":"co1","to":"answers"})");
              return may_see && ping.status == 403 && ping.body.find("probers") != std::string::npos ? 7 : 1;
          }) == 7);
    CHECK(as_user(4242, 65532, [&] {
              const auto ping = theatre.post("/v1/ping", R"({"from":"co1","to":"answers"})");
              const auto capped = theatre.post("/v1/ping", R"({"from":"co1","to":"answers","count":0})");
              return ping.status == 200 && capped.status == 429 ? 7 : 1;
          }) == 7);
}

TEST_CASE("front: one user cannot take all connections", "[front]") {
    REQUIRE(::geteuid() == 0);  // to become another user
    Theatre theatre;
    const Whistle ready;
    const Whistle done;
    bool root_is_served = false;
    std::thread root([&] {
        root_is_served = ready.hear() && theatre.get("/v1/version").status == 200;
        done.say();
    });
    CHECK(as_user(4242, 65533, [&] {
              std::vector<Client> clients;
              for (int i = 0; i < 256; ++i)
                  clients.push_back(theatre.connect());
              clients.front().send("GET /v1/version HTTP/1.1\r\n\r\n");
              if (clients.front().answer().status != 200) return 1;
              if (theatre.get("/v1/version").error_code() != "busy") return 2;
              // Nor by holding the connections on which it would be told so: root is served all the same.
              for (int i = 0; i < 600; ++i)
                  clients.push_back(theatre.connect());
              ready.say();
              return done.hear() ? 7 : 3;
          }) == 7);
    root.join();
    CHECK(root_is_served);
    CHECK(theatre.get("/v1/version").status == 200);
}

TEST_CASE("front: with 64 descriptors, another user is served while one holds all that he may", "[front]") {
    REQUIRE(::geteuid() == 0);  // to become another user
    Theatre::Settings settings;
    settings.descriptors = 64;
    Theatre theatre(settings);
    const Whistle held;
    const Whistle done;
    int other = -1;
    std::thread second([&] {
        if (held.hear()) {
            other = as_user(4343, 65532, [&] {
                for (int i = 0; i < 100; ++i) {
                    if (theatre.post("/v1/ping", R"({"from":"co1","to":"answers"})").status != 200) return 1;
                }
                return 7;
            });
        }
        done.say();
    });
    CHECK(as_user(4242, 65533, [&] {
              std::vector<Client> clients;
              for (int i = 0; i < 500; ++i) {
                  clients.push_back(theatre.connect());
                  // Each is looked at before the queue of the listening socket is full.
                  if (i % 50 == 0) std::this_thread::sleep_for(20ms);
              }
              if (theatre.get("/v1/version").status == 200) return 1;
              held.say();
              return done.hear() ? 7 : 2;
          }) == 7);
    second.join();
    CHECK(other == 7);
}

TEST_CASE("front: the audit is written whatever the level of the log", "[front]") {
    Theatre theatre;  // whose level is off
    CHECK(theatre.post("/v1/addresses", R"({"targets":["co1","co1","co2"]})").status != 0);
    const auto has = [&](std::string_view words) { return theatre.log().find(words) != std::string::npos; };
    CHECK(eventually([&] { return has(" op=addresses result="); }, 2s));
    CHECK(has(" op=addresses role=observe decision=allowed target=co1,co1,co2 id=" + std::string(64, 'a') +
              "," + std::string(64, 'b') + " peer=- ns="));
    CHECK(!has(" front serving"));
}

TEST_CASE("front: what a client left behind counts for its user until the worker has ended", "[front]") {
    REQUIRE(::geteuid() == 0);  // to become another user
    Theatre::Settings settings;
    settings.quota.operations = 1;
    Theatre theatre(settings);
    CHECK(as_user(4242, 65532, [&] {
              // Known to the front, so that the launcher need not be asked who it is.
              auto other = theatre.connect();
              other.send("GET /v1/version HTTP/1.1\r\n\r\n");
              if (other.answer().status == 0) return 1;
              auto client = theatre.connect();
              client.send(Theatre::ping_text("late"));
              if (!eventually([&] { return theatre.stage().started > 0; }, 2s)) return 2;
              client.close();
              // The front has seen that by then, and cannot kill yet what the launcher has not named.
              std::this_thread::sleep_for(100ms);
              const auto ask = [&] {
                  other.send(Theatre::ping_text("answers"));
                  return other.answer().status;
              };
              if (ask() != 429) return 3;
              return eventually([&] { return ask() == 200; }, 2s) ? 7 : 4;
          }) == 7);
}

TEST_CASE("front: 300 clients at once are all served", "[front]") {
    Theatre theatre;
    std::vector<Client> clients;
    for (int i = 0; i < 300; ++i) {
        clients.push_back(theatre.connect());
        clients.back().send(Theatre::ping_text("answers"));
    }
    int fine = 0;
    for (auto& client : clients) {
        const auto answer = client.answer();
        if (answer.status == 200 && answer.whole && answer.body.ends_with("\"seq\":3}\n")) ++fine;
    }
    CHECK(fine == 300);
}

TEST_CASE("front: it works with curl", "[front]") {
    Theatre theatre;
    const auto got = support::run({"curl", "-sS", "--unix-socket", theatre.path(), "http://netlab/v1/ping",
                                   "-d", R"({"from":"co1","to":"answers","count":2})"});
    CHECK(got.status == 0);
    CHECK(got.json_lines().size() == 2);
}

TEST_CASE("front: a client of another user or PID namespace is served not one byte", "[front]") {
    Theatre theatre;
    theatre.stage().foreign_peers = true;
    for (int i = 0; i < 20; ++i) {
        auto client = theatre.connect();
        client.send("GET /v1/version HTTP/1.1\r\nHost: netlab\r\n\r\n");
        CHECK(client.read_until("anything").empty());
    }
    theatre.stage().foreign_peers = false;
    CHECK(theatre.get("/v1/version").status == 200);
}

TEST_CASE("front: clients wait for a launcher that has much to start, and few of them inside", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.get("/v1/version").status == 200);
    const auto open_of_front = [&] {
        const std::filesystem::directory_iterator open("/proc/" + std::to_string(theatre.front()) + "/fd");
        return std::distance(begin(open), end(open));
    };
    std::this_thread::sleep_for(300ms);  // until the front has seen that the first client has gone
    const auto before = open_of_front();
    theatre.stage().busy = true;
    std::vector<Client> clients;
    for (int i = 0; i < 100; ++i) {
        clients.push_back(theatre.connect());
        clients.back().send("GET /v1/version HTTP/1.1\r\nHost: netlab\r\n\r\n");
    }
    // Longer than the front waits for room in the launcher's queue.
    std::this_thread::sleep_for(6s);
    CHECK(open_of_front() - before == 16);
    theatre.stage().busy = false;
    for (auto& client : clients)
        CHECK(client.answer().status == 200);
    clients.clear();
    CHECK(eventually([&] { return open_of_front() == before; }, 3s));
}

TEST_CASE("front: a launcher that says nothing to anybody is not waited for by each client anew", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.get("/v1/version").status == 200);
    theatre.stage().hangs = true;
    auto client = theatre.connect();
    client.send("GET /v1/version HTTP/1.1\r\nHost: netlab\r\n\r\n");
    const auto answer = client.answer(8s);
    CHECK(answer.error_code() == "busy");
    theatre.stage().hangs = false;
    CHECK(theatre.get("/v1/version").status == 200);
}

TEST_CASE("front: what a launcher said before it hung does not lengthen the wait for it", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.get("/v1/version").status == 200);
    theatre.stage().busy = true;
    auto client = theatre.connect();
    client.send("GET /v1/version HTTP/1.1\r\nHost: netlab\r\n\r\n");
    std::this_thread::sleep_for(1s);  // it has said something since the client asked
    theatre.stage().hangs = true;
    theatre.stage().busy = false;
    CHECK(client.answer(8s).error_code() == "busy");
    theatre.stage().hangs = false;
    CHECK(theatre.get("/v1/version").status == 200);
}
