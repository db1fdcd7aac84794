#include "tests/docker/lab.hpp"

#include <cstdlib>
#include <stdexcept>

#include <boost/json/parse.hpp>

namespace netlab::lab {

std::string instance() {
    const char* name = std::getenv("NETLAB_LAB");
    return name != nullptr ? name : "lab";
}

std::string host_namespace() {
    return instance() + "host";
}

std::string docker_socket() {
    return "/run/netlab-lab/" + instance() + "/docker.sock";
}

std::string podman_socket() {
    return "/run/netlab-lab/" + instance() + "/podman.sock";
}

std::string netns(std::string_view scenario_name) {
    return instance() == "lab" ? std::string(scenario_name) : instance() + "-" + std::string(scenario_name);
}

support::DaemonSettings settings() {
    support::DaemonSettings settings;
    settings.network_namespace = host_namespace();
    settings.docker_socket = docker_socket();
    settings.podman_socket = podman_socket();
    return settings;
}

Finished try_docker(const Words& words) {
    Words all{"docker", "-H", "unix://" + docker_socket()};
    all.insert(all.end(), words.begin(), words.end());
    return support::run(all);
}

Finished docker(const Words& words) {
    auto finished = try_docker(words);
    if (finished.status != 0) throw std::runtime_error("docker " + words.at(0) + ": " + finished.err);
    return finished;
}

boost::json::object inspect(const std::string& container) {
    return docker({"inspect", container}).json().as_array().at(0).as_object();
}

std::string address_of(const std::string& container, const std::string& network) {
    const auto inspected = inspect(container);
    return text(inspected.at("NetworkSettings").at("Networks").at(network).as_object(), "IPAddress");
}

pid_t pid_of(const std::string& container) {
    return static_cast<pid_t>(inspect(container).at("State").at("Pid").as_int64());
}

boost::json::array ip_json(const std::string& container, const Words& words) {
    Words all{"nsenter", "-t", std::to_string(pid_of(container)), "-n", "ip", "-j"};
    all.insert(all.end(), words.begin(), words.end());
    return support::run_well(all).json().as_array();
}

bool has_name(const boost::json::array& array, std::string_view name) {
    for (const auto& element : array) {
        if (element.at("name").as_string() == name) return true;
    }
    return false;
}

boost::json::object named(const boost::json::array& array, std::string_view name) {
    for (const auto& element : array) {
        if (element.at("name").as_string() == name) return element.as_object();
    }
    throw std::runtime_error("nothing is named " + std::string(name));
}

boost::json::object report(const Finished& finished) {
    const auto lines = finished.json_lines();
    if (lines.empty()) throw std::runtime_error("no line on stdout; stderr: " + finished.err);
    return lines.back();
}

std::string text(const boost::json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value == nullptr || !value->is_string() ? std::string() : std::string(value->as_string());
}

Container::Container(std::string name, Words options) : name_(std::move(name)) {
    try_docker({"rm", "-f", name_});
    Words words{"run", "-d", "--name", name_};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"lab/busybox", "sleep", "1000"});
    docker(words);
}

Container::~Container() {
    try_docker({"rm", "-f", name_});
}

}  // namespace netlab::lab
