#pragma once

#include "tests/docker/lab.hpp"

/// What the tests of `netlab why` have in common: a question, and commands on the lab's host.
namespace netlab::lab {

/// `netlab why -o json WORDS…`.
Finished why(const support::Daemon& daemon, Words words);
/// Its report, which must be there.
[[nodiscard]] boost::json::object why_report(const Finished& finished);
[[nodiscard]] boost::json::object ask_why(const support::Daemon& daemon, Words words);

[[nodiscard]] bool contains(const std::string& text, std::string_view part);
[[nodiscard]] std::string verdict(const boost::json::object& report);
/// The report's, which must be there.
[[nodiscard]] boost::json::object rule(const boost::json::object& report);
/// It is what nft(8) shows of the host's rule with that handle.
[[nodiscard]] bool is_rule_of_host(const boost::json::object& rule);
/// By the second try at the latest: a neighbour that has not answered a moment ago is not asked again at
/// once.
void check_delivered(const support::Daemon& daemon, const Words& words);
/// "netns:" and the name of the world outside.
[[nodiscard]] std::string outside_target();

/// A program in a container's namespace, ended with the test.
[[nodiscard]] support::Process start_in(const std::string& container, Words words);

/// A command of the shell in the network namespace of the lab's host; must end well.
std::string on_host(const std::string& command);
/// The same, which may fail.
Finished shell_on_host(const std::string& command);
/// The same in a container's namespace, with the host's programs.
std::string in_container(const std::string& container, const std::string& command);
/// The same in the world outside.
std::string outside(const std::string& command);
/// The same, which may fail: its exit code. What curl(1) says there is the referee.
[[nodiscard]] int status_outside(const std::string& command);
[[nodiscard]] int status_in_container(const std::string& container, const std::string& command);

/// Does what a report suggests, as an administrator would type it on the host.
void follow(const boost::json::object& report);

/// Something on the host that is undone at the end, whatever becomes of the test.
class Undo {
  public:
    explicit Undo(std::string command) : command_(std::move(command)) {}
    ~Undo();
    Undo(const Undo&) = delete;
    Undo& operator=(const Undo&) = delete;

  private:
    std::string command_;
};

/// The bridge of a Docker network.
[[nodiscard]] std::string bridge_of(const std::string& network);
/// The host's end of a container's interface.
[[nodiscard]] std::string host_end(const std::string& container, const std::string& interface = "eth0");

}  // namespace netlab::lab
