#include "tests/docker/lab.hpp"

#include <filesystem>
#include <fstream>

using namespace netlab;
using namespace netlab::lab;

namespace {

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

/// One clear line on stderr, nothing on stdout, and the documented exit code.
void check_refused(const Finished& finished, int status, std::initializer_list<std::string_view> parts) {
    INFO("stdout: " << finished.out << "stderr: " << finished.err);
    CHECK(finished.status == status);
    CHECK(finished.out.empty());
    CHECK(finished.err.starts_with("netlab: "));
    CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
    for (const auto part : parts) {
        INFO("looking for: " << part);
        CHECK(contains(finished.err, part));
    }
}

std::string post(const std::string& path, const std::string& body) {
    return "POST " + path + " HTTP/1.1\r\nHost: netlab\r\nConnection: close\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("bad input: a target that is not there, with the nearest names", "[docker]") {
    const support::Daemon daemon(settings());
    check_refused(daemon.netlab({"ping", "co11", "co2"}), 3, {"co11", "co1"});
    check_refused(daemon.netlab({"ping", "dokcer:co1", "co2"}), 3, {"docker"});
    check_refused(daemon.netlab({"ping", "docker:nobody", "co2"}), 3, {"nobody"});
    check_refused(daemon.netlab({"ping", "netns:nowhere", "co2"}), 3, {"nowhere"});
    check_refused(daemon.netlab({"ping", "pid:4194303", "127.0.0.1"}), 3, {"4194303"});
}

TEST_CASE("bad input: a container that is stopped says how to start it", "[docker]") {
    const support::Daemon daemon(settings());
    check_refused(daemon.netlab({"ping", "dead1", "co2"}), 3, {"dead1", "docker start dead1"});
}

TEST_CASE("bad input: an ambiguous prefix lists the candidates, an unambiguous one works", "[docker]") {
    const support::Daemon daemon(settings());
    const auto id = text(inspect("co1"), "Id");
    CHECK(daemon.netlab({"ping", "-c1", id.substr(0, 12), "co2"}).status == 0);
    CHECK(daemon.netlab({"ping", "-c1", id, "co2"}).status == 0);
    // Two IDs that begin alike: enough containers, and the first hexadecimal digit is shared.
    std::map<char, int> first;
    for (const auto& line : docker({"ps", "-aq"}).lines())
        ++first[line.at(0)];
    for (const auto& [digit, count] : first) {
        if (count < 2) continue;
        check_refused(daemon.netlab({"ping", std::string(1, digit), "co2"}), 3, {"means", "say"});
        return;
    }
    FAIL("no two containers of the lab share a first digit");
}

TEST_CASE("bad input: words and options that are none", "[docker]") {
    const support::Daemon daemon(settings());
    check_refused(daemon.netlab({"pign", "co1", "co2"}), 2, {"pign", "ping"});
    check_refused(daemon.netlab({"ping", "--conut", "3", "co1", "co2"}), 2, {"--conut"});
    check_refused(daemon.netlab({"ping", "co1"}), 2, {});
    check_refused(daemon.netlab({"ping", "-c", "many", "co1", "co2"}), 2, {"many"});
    check_refused(daemon.netlab({"ping", "-s", "65508", "co1", "co2"}), 2, {"65508"});
    check_refused(daemon.netlab({"ping", "-I", "eth7", "co1", "co2"}), 2, {"eth7", "eth0"});
    check_refused(daemon.netlab({"ping", "co1", "224.0.0.1"}), 2, {"multicast"});
    check_refused(daemon.netlab({"ping", "co1", "255.255.255.255"}), 2, {"broadcast"});
    const auto address = address_of("co1", "net");
    const auto broadcast = address.substr(0, address.find('.', address.find('.') + 1)) + ".255.255";
    check_refused(daemon.netlab({"ping", "co1", broadcast}), 2, {"broadcast"});
}

TEST_CASE("bad input: no daemon, and no permission, say what to do", "[docker]") {
    const auto netlab = [](const std::string& host, const Words& user = {}) {
        Words words = user;
        words.insert(words.end(), {NETLAB_PATH, "-H", host, "ls"});
        return support::run(words);
    };
    check_refused(netlab("unix:///run/netlab-test-nothing.sock"), 4,
                  {"netlabd", "not running", "nothing.sock"});
    check_refused(netlab("tcp://127.0.0.1:80"), 2, {"unix://"});
    support::DaemonSettings with_group = settings();
    with_group.group = "adm";
    with_group.extra_config = "[access]\nobserve = [\"adm\"]\nprobe = [\"adm\"]\n";
    const support::Daemon daemon(with_group);
    const Words stranger{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
    check_refused(netlab("unix://" + daemon.socket(), stranger), 4, {"permission", "adm"});
}

TEST_CASE("roles: a group has what the table grants it, and no more", "[docker]") {
    support::DaemonSettings with_groups = settings();
    with_groups.group = "adm";
    with_groups.extra_config = "[access]\nobserve = [\"adm\"]\nprobe = [\"operator\"]\nhost = [\"staff\"]\n";
    const support::Daemon daemon(with_groups);
    const auto as = [&](const std::string& groups, const Words& words) {
        Words all{"setpriv",
                  "--reuid=65534",
                  "--regid=65534",
                  "--groups=" + groups,
                  NETLAB_PATH,
                  "-H",
                  "unix://" + daemon.socket()};
        all.insert(all.end(), words.begin(), words.end());
        return support::run(all);
    };
    CHECK(as("adm", {"ls"}).status == 0);
    check_refused(as("adm", {"ping", "-c1", "co1", "co2"}), 4, {"probe", "operator"});
    CHECK(as("adm,operator", {"ping", "-c1", "co1", "co2"}).status == 0);
    check_refused(as("adm,operator", {"ping", "--flood", "co1", "co2"}), 4, {"host"});
    check_refused(as("adm,operator", {"ping", "-c", "0", "co1", "co2"}), 4, {"host"});
    check_refused(as("adm,operator", {"ping", "-c", "20000", "co1", "co2"}), 4, {"10000"});
    check_refused(as("adm,operator", {"ping", "-i", "0.001", "co1", "co2"}), 4, {"0.01"});
    // An empty column would read as if nobody held them.
    const auto withheld = as("adm", {"sockets", "host", "-a"});
    CHECK(withheld.status == 0);
    CHECK(contains(withheld.err, "host role"));
    CHECK_FALSE(contains(as("adm", {"sockets", "host", "-a", "--no-processes"}).err, "host role"));
    CHECK_FALSE(contains(as("adm", {"sockets", "co1", "-a"}).err, "host role"));
    CHECK_FALSE(contains(as("adm,staff", {"sockets", "host", "-a"}).err, "host role"));
    CHECK(as("adm,operator,staff", {"ping", "-q", "--flood", "-c", "50", "co1", "co2"}).status == 0);
}

TEST_CASE("API: what is no request gets a typed error, and the next request works", "[docker]") {
    const support::Daemon daemon(settings());
    const auto check = [&](const std::string& request, std::string_view status, std::string_view code) {
        const auto answer = daemon.raw(request);
        INFO(request.substr(0, 200) << "\n-> " << answer.substr(0, 500));
        CHECK(answer.starts_with("HTTP/1.1 " + std::string(status)));
        CHECK(contains(answer, "\"code\":\"" + std::string(code) + "\""));
    };
    check(post("/v1/ping", "nonsense"), "400", "bad_request");
    check(post("/v1/ping", "[]"), "400", "bad_request");
    check(post("/v1/ping", R"({"from":"co1","to":"co2","cuont":3})"), "400", "unknown_field");
    check(post("/v1/ping", R"({"from":"co1","to":"co2","count":-1})"), "400", "bad_request");
    check(post("/v1/ping", R"({"from":"co1"})"), "400", "bad_request");
    check(post("/v1/pign", "{}"), "404", "not_found");
    check("GET /v1/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "405", "method_not_allowed");
    check("DELETE /v1/targets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "405", "method_not_allowed");
    check(post("/v1/ping", std::string(65 * 1024, ' ')), "413", "too_large");
    check("GET /v1/targets HTTP/1.1\r\nHost: x\r\nX: " + std::string(9000, 'a') + "\r\n\r\n", "4",
          "too_large");
    check("POST /v1/ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
          "501", "unsupported");
    check("nonsense\r\n\r\n", "400", "bad_request");
    check(post("/v1/ping", R"({"from":"nobody","to":"co2"})"), "404", "no_such_target");
    // A word as long as a request may be does not come back whole.
    const std::string word(60'000, 'x');
    for (const auto& [path, body] :
         {std::pair("route", R"({"target":"co1","destination":")" + word + "\"}"),
          std::pair("route", R"({"target":"co1","destination":"192.0.2.1","iif":")" + word + "\"}"),
          std::pair("links", R"({"targets":["co1"],"interface":")" + word + "\"}"),
          std::pair("sockets", R"({"targets":["co1"],"states":[")" + word + "\"]}"),
          std::pair("networks", R"({"name":")" + word + "\"}")}) {
        INFO(path);
        const auto answer = daemon.raw(post(std::string("/v1/") + path, body));
        CHECK(answer.starts_with("HTTP/1.1 40"));
        CHECK(contains(answer, "xxx…'"));
        CHECK(answer.size() < 2'000);
    }
    CHECK(daemon.netlab({"ls"}).status == 0);
}

TEST_CASE("API: curl works, as documented", "[docker]") {
    const support::Daemon daemon(settings());
    const auto targets =
        support::run_well({"curl", "-sS", "--unix-socket", daemon.socket(), "http://netlab/v1/targets"});
    CHECK(has_name(targets.json().as_array(), "co1"));
    const auto stream =
        support::run_well({"curl", "-sS", "--unix-socket", daemon.socket(), "-d",
                           R"({"from":"co1","to":"co2","count":1})", "http://netlab/v1/ping"});
    CHECK(text(report(stream), "outcome") == "answered");
}

TEST_CASE("API: docs/openapi.yaml is what the daemon does", "[docker]") {
    const support::Daemon daemon(settings());
    const auto checked = support::run({"python3", NETLAB_SOURCE_DIR "/tests/docker/openapi_check",
                                       daemon.socket(), NETLAB_SOURCE_DIR "/docs/openapi.yaml"});
    INFO(checked.out << checked.err);
    CHECK(checked.status == 0);
}

TEST_CASE("bad input: the other end's word", "[docker]") {
    const support::Daemon daemon(settings());
    check_refused(daemon.netlab({"ping", "co1", "pid:4194303"}), 3, {"4194303"});
    check_refused(daemon.netlab({"ping", "co1", "co22"}), 1, {"co22", "netlab knows", "netlab ping co1 co2"});
}
