#pragma once

#include "tests/docker/lab.hpp"

#include <boost/json/serialize.hpp>

/// What the cases of `netlab ports` share: real clients, and netlab's rows.
namespace netlab::lab {

inline constexpr std::string_view host_address = "198.51.100.2";
inline constexpr std::string_view host_address_v6 = "[2001:db8:51::2]";

inline Words in_namespace(const std::string& name, const Words& words) {
    Words all{"nsenter", "--net=/run/netns/" + name};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

inline Finished on_host(const Words& words) {
    return support::run(in_namespace(host_namespace(), words));
}

/// A real request over HTTP from the outside world to the lab's host, or from the host itself.
inline bool answers(const std::string& to, bool from_outside = true) {
    const Words curl{"curl",      "--silent",   "--globoff", "--output",
                     "/dev/null", "--max-time", "2",         "http://" + to + "/"};
    return support::run(in_namespace(from_outside ? instance() + "inet" : host_namespace(), curl)).status ==
           0;
}
inline bool answers(std::uint16_t port) {
    return answers(std::string(host_address) + ":" + std::to_string(port));
}
/// The same by a client of the lab's outside at that address of its.
inline bool answers_from(const std::string& client, std::uint16_t port) {
    const auto url = "http://" + std::string(host_address) + ":" + std::to_string(port) + "/";
    return support::run(in_namespace(instance() + "inet", {"curl", "--silent", "--interface", client,
                                                           "--output", "/dev/null", "--max-time", "2", url}))
               .status == 0;
}

struct Ports {
    Finished finished;
    std::vector<boost::json::object> rows;
};

inline Ports ports(const support::Daemon& daemon, Words words) {
    words.insert(words.begin(), {"-j", "ports"});
    Ports out{daemon.netlab(words), {}};
    for (auto& line : out.finished.json_lines()) {
        if (line.contains("type") && line.at("type").as_string() == "port")
            out.rows.push_back(std::move(line));
    }
    return out;
}

/// The row for IPv4, or for IPv6; empty where there is none.
inline boost::json::object row_of(const Ports& ports, std::string_view family = "ipv4") {
    for (const auto& row : ports.rows) {
        if (text(row, "family") == family) return row;
    }
    return {};
}

/// Asks until the verdict is that one: the engine's events and the program's start take their time.
inline boost::json::object row_with(const support::Daemon& daemon, const std::string& target,
                                    std::string_view verdict, std::string_view family = "ipv4") {
    boost::json::object row;
    (void)support::eventually(
        [&] {
            row = row_of(ports(daemon, {target}), family);
            return text(row, "verdict") == verdict;
        },
        std::chrono::seconds(6));
    INFO(target << " " << boost::json::serialize(row));
    CHECK(text(row, "verdict") == verdict);
    return row;
}

inline const boost::json::object& carrier(const boost::json::object& row, std::size_t i = 0) {
    return row.at("carried_by").at(i).as_object();
}

inline void serve(const Container& container, const std::string& where) {
    docker({"exec", "-d", container.name(), "httpd", "-f", "-h", "/", "-p", where});
}

/// The tables as they are, put back at the end.
class SavedRules {
  public:
    SavedRules() : rules_(on_host({"iptables-save"}).out) {}
    ~SavedRules() { (void)on_host({"sh", "-c", "printf '%s' \"$1\" | iptables-restore", "sh", rules_}); }
    SavedRules(const SavedRules&) = delete;
    SavedRules& operator=(const SavedRules&) = delete;

  private:
    std::string rules_;
};

}  // namespace netlab::lab
