#pragma once

#include "tests/support/catch.hpp"
#include "tests/support/netlabd.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

/// The lab that is up (tests/lab), as its referees see it: docker, nsenter and ip, never netlab itself.
namespace netlab::lab {

using support::Finished;
using support::Words;

[[nodiscard]] std::string instance();        ///< NETLAB_LAB, "lab" where it is not set
[[nodiscard]] std::string host_namespace();  ///< its name in /run/netns
[[nodiscard]] std::string docker_socket();
[[nodiscard]] std::string podman_socket();
[[nodiscard]] std::string netns(std::string_view scenario_name);  ///< "blue" -> the name in /run/netns
[[nodiscard]] support::DaemonSettings settings();                 ///< for a daemon that sees the whole lab

Finished docker(const Words& words);      ///< must end well
Finished try_docker(const Words& words);  ///< may fail
[[nodiscard]] boost::json::object inspect(const std::string& container);
[[nodiscard]] std::string address_of(const std::string& container, const std::string& network);
[[nodiscard]] pid_t pid_of(const std::string& container);
/// `ip -j WORDS…` in a container's namespace.
[[nodiscard]] boost::json::array ip_json(const std::string& container, const Words& words);

/// The element with that `name`; throws where there is none.
[[nodiscard]] boost::json::object named(const boost::json::array& array, std::string_view name);
[[nodiscard]] bool has_name(const boost::json::array& array, std::string_view name);
/// The last line of a stream.
[[nodiscard]] boost::json::object report(const Finished& finished);
[[nodiscard]] std::string text(const boost::json::object& object, std::string_view key);

/// A container of the test's own, removed at its end.
class Container {
  public:
    Container(std::string name, Words options);
    ~Container();
    Container(const Container&) = delete;
    Container& operator=(const Container&) = delete;
    [[nodiscard]] const std::string& name() const { return name_; }

  private:
    std::string name_;
};

}  // namespace netlab::lab
