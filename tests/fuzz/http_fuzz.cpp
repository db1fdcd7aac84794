#include "common/json.hpp"
#include "daemon/front/audit.hpp"
#include "daemon/front/request.hpp"
#include "daemon/front/router.hpp"
#include "tests/fuzz/orders.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>

/// What a client of the socket sends: requests, one after the other, as front::Session reads, routes and
/// plans them. The first byte says into which pieces it is cut and which roles the client has.

using namespace netlab;
using namespace netlab::front;
using namespace netlab::fuzz;
namespace http = boost::beast::http;

namespace {

/// A stream as Beast wants one that blocks.
class Client {
  public:
    Client(std::string_view bytes, std::size_t piece) : rest_(bytes), piece_(piece) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    template <class Buffers>
    std::size_t read_some(const Buffers& buffers, boost::system::error_code& error) {
        error = {};
        if (rest_.empty()) error = boost::asio::error::eof;
        const auto size = boost::asio::buffer_copy(
            buffers, boost::asio::buffer(rest_.substr(0, std::min(piece_, rest_.size()))));
        rest_.remove_prefix(size);
        return size;
    }
    template <class Buffers>
    std::size_t read_some(const Buffers& buffers) {
        boost::system::error_code error;
        return read_some(buffers, error);
    }

  private:
    std::string_view rest_;
    std::size_t piece_;
};

api::NamespaceRecord facts(const std::string& id, std::uint64_t inode, const char* interface,
                           const char* address) {
    api::NamespaceRecord record;
    record.id = id;
    record.device = 4;
    record.inode = inode;
    record.interfaces.resize(1);
    record.interfaces[0].index = 2;
    record.interfaces[0].name = interface;
    record.interfaces[0].addresses.push_back(*IpPrefix::parse(address));
    return record;
}

void add(targets::Registry& registry, const targets::Engine& engine, const std::string& name, int number,
         const std::string& address, api::State state = api::State::running) {
    api::ContainerRecord record;
    auto& target = record.target;
    target.name = name;
    target.runtime = engine.runtime;
    target.id = std::string(62, 'a') + std::to_string(number);
    target.state = state;
    target.pid = state == api::State::running ? 1000 + number : 0;
    target.network_mode = number == 13 ? "host" : "net";
    target.networks.push_back({"net", {}, {*IpPrefix::parse(address + "/16")}, {}, {}, {}, {"web"}});
    target.ports.push_back({*IpAddress::parse("0.0.0.0"), 8080, 80, "tcp"});
    record.sandbox_path = number == 12 ? std::string(300, '/') : "/run/docker/netns/" + name;
    record.compose_project = "project";
    record.compose_service = "service";
    registry.apply(engine, record);
    // One is not looked into yet.
    if (number != 12)
        registry.apply(
            facts(target.id, static_cast<std::uint64_t>(number), "eth0", (address + "/16").c_str()));
}

/// One of each kind: what can be reached, what cannot, and what shares a namespace.
const targets::Registry& registry() {
    static const auto& filled = []() -> const targets::Registry& {
        static targets::Registry made;
        const targets::Engine docker{api::Runtime::docker, "/run/docker.sock"};
        const targets::Engine podman{api::Runtime::podman, "/run/podman/podman.sock"};
        made.set_state(docker, {true, ""});
        made.set_state(podman, {false, "connect to /run/podman/podman.sock: refused"});
        add(made, docker, "co1", 10, "172.18.0.2");
        add(made, docker, "co2", 11, "172.18.0.3");
        add(made, podman, "web", 12, "10.88.0.2");
        add(made, docker, "on_host", 13, "172.18.0.5");
        add(made, docker, "dead1", 14, "172.18.0.6", api::State::exited);
        add(made, docker, "dead2", 15, "172.18.0.7", api::State::restarting);
        add(made, docker, "dead3", 16, "172.18.0.8", api::State::paused);
        add(made, docker, "dead4", 17, "172.18.0.9", api::State::removing);
        add(made, docker, "twin", 18, "172.18.0.10");
        add(made, podman, "twin", 19, "10.88.0.3");
        add(made, docker, "co01", 20, "172.18.0.11");
        made.apply(facts("", 1, "docker0", "172.17.0.1/16"));
        made.apply(facts("/run/netns/blue", 77, "eth0", "192.0.2.1/24"));
        made.apply(facts("/run/netns/same", 1, "docker0", "172.17.0.1/16"));
        made.apply(facts("/run/netns/cni-01234567-89ab-cdef-0123-456789abcdef", 18, "eth0", "10.88.0.3/16"));
        return made;
    }();
    return filled;
}

/// The head ends once, and an error is JSON: nothing of the client's ends the response early.
void check_response(std::string_view response) {
    const auto head = response.find("\r\n\r\n");
    check(head != response.npos && response.find("\r\n", head + 4) == response.npos);
    check(json::parse(response.substr(head + 4)).has_value());
}

/// What the launcher would be sent, it takes, and the worker after it.
void check_job(const Job& job) {
    launcher::LaunchHeader header;
    header.operation = job.operation;
    header.deadline_ms = job.deadline_ms;
    const auto packet = launcher::make_launch(header, job.namespaces, job.request);
    check(packet.has_value());
    const auto launch = launcher::parse_launch(*packet);
    check(launch && launch->targets.size() == job.namespaces.size());
    check(decode_order(launch->header.operation, launch->request));
}

void handle(const Received& request, const api::Roles& roles) {
    AuditEntry entry;
    const auto found = find_route(request.method, request.target);
    if (found.route == nullptr) return check_response(error_response(found.error, request.form, found.allow));
    const auto plan = found.route->plan(request.body, Knowledge{registry(), roles}, entry);
    check(is_printable(line_of(decision_fields(entry, Peer{}, "allowed"))));
    if (!plan) return check_response(error_response(plan.error(), request.form));
    if (found.route->kind == api::Kind::registry) {
        check_response(json_response(200, plan->answer, request.form));
    } else {
        check_job(plan->job);
    }
}

/// As Session::receive, whose awaits wait for the same functions of Beast's.
std::optional<Received> receive(Client& client, boost::beast::flat_buffer& buffer) {
    RequestParser parser;
    boost::system::error_code error;
    http::read_header(client, buffer, parser, error);
    if (!error) error = refused_header(parser);
    if (!error) {
        (void)wants_continue(parser);
        http::read(client, buffer, parser, error);
    }
    if (!error) return take_request(parser);
    if (const auto told = reading_error(error, parser)) check_response(error_response(*told, Form{}));
    return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    api::Roles roles;
    for (const auto role :
         {api::Role::observe, api::Role::probe, api::Role::trace, api::Role::capture, api::Role::host}) {
        // Of two clients one may do all, one what everybody may.
        if (data[0] % 2 == 0 || role < api::Role::trace) roles.add(role);
    }
    Client client(as_text({data + 1, size - 1}), data[0] + std::size_t{1});
    boost::beast::flat_buffer buffer(buffer_limit);
    while (!client.at_end() || buffer.size() > 0) {
        const auto request = receive(client, buffer);
        if (!request) return 0;
        check(request->body.size() <= body_limit && request->target.size() <= header_limit);
        handle(*request, roles);
    }
    return 0;
}
