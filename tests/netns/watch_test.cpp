#include "daemon/kernel/namespace.hpp"
#include "tests/netns/operation_process.hpp"
#include "tests/netns/test_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <filesystem>
#include <fstream>
#include <map>

#include <sys/socket.h>
#include <sys/un.h>

using namespace netlab;
using namespace std::chrono_literals;
using api::EngineRecordKind;
using test::OperationProcess;
using test::TestNetwork;

namespace {

/// A folder of this test, removed with all that is in it.
struct Folder {
    Folder() : path("/tmp/netlab-test-" + std::to_string(::getpid())) {
        std::filesystem::create_directories(path);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string path;
};

/// A Unix socket that listens where an engine's would.
struct Listener {
    explicit Listener(const std::string& path, bool listens = true)
        : fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        if (listens) REQUIRE(::listen(fd.get(), 8) == 0);
    }
    [[nodiscard]] UniqueFd accept() const {
        return UniqueFd(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    UniqueFd fd;
};

void say(const UniqueFd& engine, const std::string& text) {
    REQUIRE(::send(engine.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
}

void say_chunk(const UniqueFd& engine, const std::string& text) {
    std::array<char, 16> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", text.size());
    say(engine, size.data() + text + "\r\n");
}

/// One request, up to its empty line.
std::string hear(const UniqueFd& engine) {
    std::string request;
    char byte = 0;
    while (!request.ends_with("\r\n\r\n") && ::recv(engine.get(), &byte, 1, 0) == 1)
        request += byte;
    return request;
}

void answer(const UniqueFd& engine, int status, const std::string& body) {
    say(engine, "HTTP/1.1 " + std::to_string(status) +
                    " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

/// What the watcher says until its mark, by path; "" is the host.
std::map<std::string, api::NamespaceRecord> until_mark(OperationProcess& watcher) {
    std::map<std::string, api::NamespaceRecord> records;
    for (;;) {
        auto record = watcher.record<api::NamespaceRecord>();
        REQUIRE(record);
        if (record->complete) return records;
        CHECK(records.emplace(record->id, *record).second);
    }
}

std::vector<std::string> addresses(const api::NamespaceRecord& record) {
    std::vector<std::string> out;
    for (const auto& interface : record.interfaces) {
        for (const auto& prefix : interface.addresses) {
            if (prefix.address().is_v4()) out.push_back(interface.name + " " + prefix.to_string());
        }
    }
    return out;
}

bool ends(OperationProcess& process, std::chrono::milliseconds within) {
    const auto frame = process.next(within);
    return frame && frame->kind == frame::Kind::end;
}

}  // namespace

TEST_CASE("watch_namespaces: says the host and every named namespace, then the mark", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    OperationProcess watcher(api::WatchNamespacesRequest{{"/run/netns"}}, {});
    const auto records = until_mark(watcher);
    REQUIRE(records.contains(""));
    const auto own = kernel::open_own_namespace();
    CHECK(records.at("").inode == kernel::identity_of(own->get())->inode);
    const auto path = "/run/netns/" + network.name('a');
    REQUIRE(records.contains(path));
    CHECK(addresses(records.at(path)) == std::vector<std::string>{"lo 127.0.0.1/8", "eth0 192.0.2.1/24"});
    CHECK(records.at(path).interfaces[0].loopback);
}

TEST_CASE("watch_namespaces: tells of a changed address within 100 ms, once for a burst", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "", 'b', "eth0", "");
    support::eventually([] { return false; }, 2s);  // until the link-local addresses have settled
    Folder folder;
    std::filesystem::create_symlink("/run/netns/" + network.name('a'), folder.path + "/only");
    OperationProcess watcher(api::WatchNamespacesRequest{{folder.path}}, {});
    REQUIRE(until_mark(watcher).size() == 2);
    for (int i = 1; i <= 3; ++i)
        network.ip('a', "addr add 192.0.2." + std::to_string(i) + "/24 dev eth0");
    std::vector<std::string> last;
    int said = 0;
    while (last.size() < 4) {
        const auto record = watcher.record<api::NamespaceRecord>(100ms);
        REQUIRE(record);
        if (record->id.empty()) continue;  // the host's may change for reasons of its own
        last = addresses(*record);
        ++said;
    }
    CHECK(said <= 3);
    network.ip('a', "addr del 192.0.2.2/24 dev eth0");
    const auto record = watcher.record<api::NamespaceRecord>(100ms);
    REQUIRE(record);
    CHECK(addresses(*record).size() == 3);
}

TEST_CASE("watch_namespaces: ends when a name comes and when it goes", "[netns]") {
    std::optional<TestNetwork> network;
    OperationProcess before(api::WatchNamespacesRequest{{"/run/netns"}}, {});
    static_cast<void>(until_mark(before));
    network.emplace("a");
    const auto path = "/run/netns/" + network->name('a');
    CHECK(support::eventually([&] { return ends(before, 200ms); }, 1s));
    OperationProcess during(api::WatchNamespacesRequest{{"/run/netns"}}, {});
    CHECK(until_mark(during).contains(path));
    network.reset();
    CHECK(support::eventually([&] { return ends(during, 200ms); }, 1s));
    OperationProcess after(api::WatchNamespacesRequest{{"/run/netns"}}, {});
    CHECK_FALSE(until_mark(after).contains(path));
}

TEST_CASE("watch_namespaces: a directory that does not exist yet is waited for", "[netns]") {
    Folder folder;
    OperationProcess watcher(api::WatchNamespacesRequest{{folder.path + "/some/where"}}, {});
    CHECK(until_mark(watcher).size() == 1);
    std::filesystem::create_directory(folder.path + "/other");
    CHECK_FALSE(ends(watcher, 150ms));
    std::filesystem::create_directories(folder.path + "/some/where");
    CHECK(ends(watcher, 300ms));
}

TEST_CASE("watch_namespaces: a file or a link to nowhere in a directory's place costs nobody his namespace",
          "[netns]") {
    Folder folder;
    std::ofstream(folder.path + "/file") << "";
    std::filesystem::create_symlink(folder.path + "/nowhere", folder.path + "/link");
    std::filesystem::create_symlink(folder.path + "/loop", folder.path + "/loop");
    for (const std::string name : {"/file", "/file/below", "/link", "/loop"}) {
        INFO(name);
        OperationProcess watcher(api::WatchNamespacesRequest{{folder.path + name}}, {});
        CHECK(until_mark(watcher).size() == 1);  // the host's own
    }
    // When it becomes a directory that is seen.
    OperationProcess watcher(api::WatchNamespacesRequest{{folder.path + "/file"}}, {});
    CHECK(until_mark(watcher).size() == 1);
    std::filesystem::remove(folder.path + "/file");
    std::filesystem::create_directory(folder.path + "/file");
    CHECK(ends(watcher, 300ms));
}

TEST_CASE("watch_namespaces: a file that may become a namespace is looked at again, but not for ever",
          "[netns]") {
    Folder folder;
    std::ofstream(folder.path + "/file") << "";
    OperationProcess soon(api::WatchNamespacesRequest{{folder.path}}, {});
    CHECK(until_mark(soon).size() == 1);
    CHECK(ends(soon, 300ms));
    support::eventually([] { return false; }, 1600ms);
    OperationProcess later(api::WatchNamespacesRequest{{folder.path}}, {});
    CHECK(until_mark(later).size() == 1);
    CHECK_FALSE(ends(later, 600ms));
}

TEST_CASE("identify: gives identity, start time and interfaces, and zeros for what could not be opened",
          "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    std::vector<operations::TargetHandle> handles;
    handles.push_back(network.handle('a'));
    const auto inode = handles[0].inode = kernel::identity_of(handles[0].net.get())->inode;
    handles[0].start_time = 1234;
    handles.emplace_back();
    handles.push_back(network.handle('b'));
    OperationProcess process(api::IdentifyRequest{{"one", "two", "three"}}, std::move(handles));
    const auto first = process.record<api::NamespaceRecord>();
    REQUIRE(first);
    CHECK(first->id == "one");
    CHECK(first->inode == inode);
    CHECK(first->start_time == 1234);
    CHECK(addresses(*first) == std::vector<std::string>{"lo 127.0.0.1/8", "eth0 192.0.2.1/24"});
    const auto second = process.record<api::NamespaceRecord>();
    REQUIRE(second);
    CHECK(second->id == "two");
    CHECK(second->device == 0);
    CHECK(second->inode == 0);
    const auto third = process.record<api::NamespaceRecord>();
    REQUIRE(third);
    CHECK(addresses(*third).back() == "eth0 192.0.2.2/24");
    CHECK(ends(process, 1s));
}

TEST_CASE("watch_engine: waits for a socket that is not there", "[netns]") {
    Folder folder;
    const auto path = folder.path + "/engine/docker.sock";
    OperationProcess watcher(api::WatchEngineRequest{api::Runtime::docker, path}, {});
    const auto down = watcher.record<api::EngineRecord>();
    REQUIRE(down);
    CHECK(down->kind == EngineRecordKind::down);
    CHECK(down->message == "cannot connect to " + path + ": No such file or directory");
    CHECK_FALSE(ends(watcher, 150ms));
    std::filesystem::create_directory(folder.path + "/engine");
    CHECK(ends(watcher, 200ms));
    OperationProcess again(api::WatchEngineRequest{api::Runtime::docker, path}, {});
    CHECK(again.record<api::EngineRecord>()->kind == EngineRecordKind::down);
    const Listener listener(path);
    CHECK(ends(again, 200ms));
}

TEST_CASE("watch_engine: a socket that refuses is tried again while it is young, then waited for",
          "[netns]") {
    Folder folder;
    const auto path = folder.path + "/docker.sock";
    std::optional<Listener> silent(std::in_place, path, false);
    OperationProcess young(api::WatchEngineRequest{api::Runtime::docker, path}, {});
    CHECK(young.record<api::EngineRecord>()->kind == EngineRecordKind::down);
    CHECK(ends(young, 500ms));
    support::eventually([] { return false; }, 3100ms);
    OperationProcess old(api::WatchEngineRequest{api::Runtime::docker, path}, {});
    CHECK(old.record<api::EngineRecord>()->kind == EngineRecordKind::down);
    CHECK_FALSE(ends(old, 300ms));
    std::filesystem::remove(path);
    CHECK(ends(old, 200ms));
}

TEST_CASE("watch_engine: follows the events until the engine goes", "[netns]") {
    Folder folder;
    const auto path = folder.path + "/docker.sock";
    const Listener listener(path);
    OperationProcess watcher(api::WatchEngineRequest{api::Runtime::docker, path}, {});
    auto engine = listener.accept();
    CHECK(hear(engine).starts_with("GET /events?filters=%7B%22type%22"));
    say(engine, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(watcher.record<api::EngineRecord>()->kind == EngineRecordKind::up);
    say_chunk(engine, R"({"Type":"container","Action":"start","Actor":{"ID":"e7a9"}})");
    auto record = watcher.record<api::EngineRecord>();
    REQUIRE(record);
    CHECK(record->kind == EngineRecordKind::container_changed);
    CHECK(record->container == "e7a9");
    say_chunk(engine,
              "{\"Type\":\"container\",\"Action\":\"destroy\",\"Actor\":{\"ID\":\"e7a9\"}}\n{\"Type\":\"net");
    CHECK(watcher.record<api::EngineRecord>()->kind == EngineRecordKind::container_removed);
    engine.reset();
    record = watcher.record<api::EngineRecord>();
    REQUIRE(record);
    CHECK(record->kind == EngineRecordKind::down);
    CHECK(ends(watcher, 1s));
}

TEST_CASE("inspect_engine: says each container, those that went, and those that cannot be inspected",
          "[netns]") {
    Folder folder;
    const auto path = folder.path + "/docker.sock";
    const Listener listener(path);
    OperationProcess inspection(api::InspectEngineRequest{api::Runtime::docker, path, true, {}}, {});
    auto engine = listener.accept();
    CHECK(hear(engine).starts_with("GET /containers/json?all=1 "));
    answer(engine, 200,
           R"([{"Id":"aa","Names":["/a"],"State":"running"},{"Id":"bb","Names":["/b"],"State":"running"},
        {"Id":"cc","Names":["/c"],"State":"exited"}])");
    CHECK(hear(engine).starts_with("GET /containers/aa/json "));
    answer(engine, 200, R"({"Id":"aa","Name":"/a","State":{"Status":"running","Pid":7}})");
    CHECK(hear(engine).starts_with("GET /containers/bb/json "));
    answer(engine, 404, R"({"message":"no such container"})");
    CHECK(hear(engine).starts_with("GET /containers/cc/json "));
    answer(engine, 500, R"({"message":"something"})");
    auto record = inspection.record<api::ContainerRecord>();
    REQUIRE(record);
    CHECK(record->target.name == "a");
    CHECK(record->target.pid == 7);
    record = inspection.record<api::ContainerRecord>();
    REQUIRE(record);
    CHECK(record->gone);
    CHECK(record->target.id == "bb");
    record = inspection.record<api::ContainerRecord>();
    REQUIRE(record);
    CHECK(record->target.name == "c");
    CHECK(record->target.state == api::State::exited);
    CHECK(ends(inspection, 1s));
}

TEST_CASE("inspect_engine: an engine that is not there, or refuses, is an error", "[netns]") {
    Folder folder;
    const auto path = folder.path + "/docker.sock";
    OperationProcess absent(api::InspectEngineRequest{api::Runtime::docker, path, true, {}}, {});
    CHECK(absent.next()->kind == frame::Kind::error);
    const Listener listener(path);
    OperationProcess refused(api::InspectEngineRequest{api::Runtime::docker, path, true, {}}, {});
    auto engine = listener.accept();
    static_cast<void>(hear(engine));
    answer(engine, 400, R"({"message":"client version is too old"})");
    const auto error = refused.next();
    REQUIRE(error);
    REQUIRE(error->kind == frame::Kind::error);
    const std::string text(reinterpret_cast<const char*>(error->payload.data()) + 2,
                           error->payload.size() - 2);
    CHECK(text.find("status 400, client version is too old") != text.npos);
}
