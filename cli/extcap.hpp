#pragma once

#include "cli/options.hpp"
#include "common/api/capture.hpp"
#include "common/api/target.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// `netlab` under the name `netlab-extcap`: what Wireshark and tshark ask of the programs in their extcap
/// folders (extcap(4)).
namespace netlab::cli::extcap {

/// Whether this is the name that the program was started by.
[[nodiscard]] bool is_name(std::string_view program);

struct Request {
    enum class Task : std::uint8_t { interfaces, dlts, config, capture, check_filter, help };
    Task task = Task::help;
    std::string interface;  ///< as interfaces_text() has it
    std::string fifo;
    std::string filter;
    std::string point;            ///< behind the target's name: "eth0", "any"; empty: all interfaces
    api::CaptureRequest capture;  ///< what else was said of it
};

/// The words without the program's name, values behind them or behind "=". errc::bad_request.
[[nodiscard]] Result<Request> parse(std::span<const std::string> words);

/// "netlab-" and the word that names a target, in letters, digits, dots, dashes and underscores; "_" is "__",
/// and any other byte "_" and two hexadecimal digits.
[[nodiscard]] std::string interface_of(std::string_view word);
/// The word again. errc::bad_request where it is none of interface_of()'s.
[[nodiscard]] Result<std::string> word_of(std::string_view interface);

/// What --extcap-interfaces prints: this program, and an interface for each target that runs. A name that
/// several have is given with their prefixes.
[[nodiscard]] std::string interfaces_text(std::span<const api::Target> targets);
[[nodiscard]] std::string dlts_text();
[[nodiscard]] std::string config_text();

/// errc::bad_request for an interface that is none of ours.
[[nodiscard]] Result<api::CaptureRequest> capture_request(const Request& request);

/// Does it; returns the exit code. A daemon that does not answer is no error of --extcap-interfaces: there is
/// just nothing to capture at.
[[nodiscard]] Result<int> run(const Request& request, const Options& options);

}  // namespace netlab::cli::extcap
