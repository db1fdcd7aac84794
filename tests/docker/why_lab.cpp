#include "tests/docker/why_lab.hpp"

#include <cstdlib>

namespace netlab::lab {

namespace {

Finished shell_in(const std::string& network_namespace, const std::string& command) {
    // As on the lab's host: its iptables may be iptables-legacy, its systemctl is the lab's.
    const auto* path = std::getenv("PATH");
    return support::run({"nsenter", "--net=" + network_namespace, "env",
                         "DOCKER_HOST=unix://" + docker_socket(),
                         "PATH=/run/netlab-lab/" + instance() + "/programs:" + (path != nullptr ? path : ""),
                         "sh", "-c", command});
}

std::string well(const Finished& finished) {
    INFO(finished.out << finished.err);
    REQUIRE(finished.status == 0);
    return finished.out;
}

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

std::string host_path() {
    return "/run/netns/" + host_namespace();
}

std::string outside_namespace() {
    auto name = host_namespace();
    name.replace(name.rfind("host"), 4, "inet");
    return name;
}

}  // namespace

Finished why(const support::Daemon& daemon, Words words) {
    words.insert(words.begin(), {"why", "-o", "json"});
    return daemon.netlab(words);
}

boost::json::object why_report(const Finished& finished) {
    INFO(finished.out << finished.err);
    const auto lines = finished.json_lines();
    REQUIRE(!lines.empty());
    REQUIRE(lines.back().at("type") == "report");
    return lines.back();
}

boost::json::object ask_why(const support::Daemon& daemon, Words words) {
    return why_report(why(daemon, std::move(words)));
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

std::string verdict(const boost::json::object& report) {
    return text(report, "verdict");
}

boost::json::object rule(const boost::json::object& report) {
    INFO(report);
    REQUIRE(report.at("rule").is_object());
    return report.at("rule").as_object();
}

void check_delivered(const support::Daemon& daemon, const Words& words) {
    Finished finished;
    CHECK(support::eventually(
        [&] {
            finished = why(daemon, words);
            return finished.status == 0;
        },
        std::chrono::seconds(5)));
    INFO(finished.out << finished.err);
    CHECK(verdict(why_report(finished)) == "delivered");
}

std::string outside_target() {
    return "netns:" + outside_namespace();
}

bool is_rule_of_host(const boost::json::object& rule) {
    const auto listing = on_host("nft -s -a list chain " + text(rule, "family") + " " + text(rule, "table") +
                                 " " + text(rule, "chain"));
    const auto handle = "# handle " + std::to_string(rule.at("handle").to_number<int>()) + "\n";
    const auto end = listing.find(handle);
    INFO(listing << rule);
    REQUIRE(end != listing.npos);
    const auto begin = listing.rfind('\n', end) + 1;
    auto line = listing.substr(begin, end - begin);
    if (const auto counter = line.find("counter "); counter != line.npos) line.erase(counter, 8);
    return contains(line, text(rule, "text"));
}

support::Process start_in(const std::string& container, Words words) {
    words.insert(words.begin(), {"nsenter", "--net=/proc/" + std::to_string(pid_of(container)) + "/ns/net"});
    return support::Process(words);
}

std::string on_host(const std::string& command) {
    return well(shell_in(host_path(), command));
}

Finished shell_on_host(const std::string& command) {
    return shell_in(host_path(), command);
}

std::string in_container(const std::string& container, const std::string& command) {
    return well(shell_in("/proc/" + std::to_string(pid_of(container)) + "/ns/net", command));
}

std::string outside(const std::string& command) {
    return well(shell_in("/run/netns/" + outside_namespace(), command));
}

int status_outside(const std::string& command) {
    return shell_in("/run/netns/" + outside_namespace(), command).status;
}

int status_in_container(const std::string& container, const std::string& command) {
    return shell_in("/proc/" + std::to_string(pid_of(container)) + "/ns/net", command).status;
}

void follow(const boost::json::object& report) {
    const auto suggestion = text(report, "suggestion");
    INFO(report);
    REQUIRE(!suggestion.empty());
    on_host(suggestion);
}

Undo::~Undo() {
    (void)shell_in(host_path(), command_);
}

std::string bridge_of(const std::string& network) {
    const auto name = first_line(docker({"network", "inspect", "-f",
                                         R"({{index .Options "com.docker.network.bridge.name"}})", network})
                                     .out);
    if (!name.empty()) return name;
    return "br-" + docker({"network", "inspect", "-f", "{{.Id}}", network}).out.substr(0, 12);
}

std::string host_end(const std::string& container, const std::string& interface) {
    const auto link = ip_json(container, {"link", "show", interface}).front().as_object();
    const auto index = link.at("link_index").as_int64();
    return first_line(on_host("ip -o link | awk -F': |@' '$1 == " + std::to_string(index) + " {print $2}'"));
}

}  // namespace netlab::lab
