#include "cli/extcap.hpp"

#include "cli/capture_stream.hpp"
#include "cli/lenient.hpp"
#include "cli/render/escape.hpp"
#include "cli/render/screen.hpp"
#include "common/api/targets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <map>

#include <fcntl.h>

namespace netlab::cli::extcap {

namespace {

constexpr std::string_view prefix = "netlab-";

constexpr std::string_view help =
    "netlab-extcap is run by Wireshark and tshark, from their extcap folders: see extcap(4) and\n"
    "netlab-capture(1).\n\n"
    "  --extcap-interfaces\n"
    "  --extcap-interface NAME --extcap-dlts | --extcap-config\n"
    "  --extcap-interface NAME --extcap-capture-filter FILTER\n"
    "  --extcap-interface NAME --capture --fifo PATH [--extcap-capture-filter FILTER]\n"
    "      [--point INTERFACE] [--snaplen BYTES] [--promiscuous true|false] [--direction in|out|inout]\n";

Error bad(std::string message) {
    return {errc::bad_request, std::move(message), "netlab-extcap --help", {}};
}

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

/// As a value in braces: Wireshark ends it at the first that closes, and each line is a sentence.
std::string in_braces(std::string_view text) {
    auto shown = escape(text);
    std::ranges::replace_if(
        shown, [](char c) { return c == '{' || c == '}'; }, '?');
    return shown;
}

bool is_shown(const api::Target& target) {
    if (target.runtime == api::Runtime::pid) return false;
    return target.namespace_.has_value() || target.state == api::State::running ||
           target.state == api::State::paused;
}

Result<void> take_option(Request& request, std::string_view name, const std::string& value) {
    if (name == "--extcap-interface") {
        request.interface = value;
    } else if (name == "--fifo") {
        request.fifo = value;
    } else if (name == "--extcap-capture-filter") {
        request.filter = value;
    } else if (name == "--point") {
        request.point = value;
    } else if (name == "--snaplen") {
        const auto bytes = parse_whole(value);
        if (!bytes) return bytes.error();
        request.capture.snap_length = *bytes;
    } else if (name == "--promiscuous") {
        if (value != "true" && value != "false")
            return bad("--promiscuous: '" + value + "' is not true or false");
        request.capture.promiscuous = value == "true";
    } else if (name == "--direction") {
        if (!boost::describe::enum_from_string(value.c_str(), request.capture.direction))
            return bad("--direction: '" + value + "' is not in, out or inout");
    } else {
        return bad("there is no option " + std::string(name));
    }
    return {};
}

struct TaskWord {
    std::string_view word;
    Request::Task task;
};
constexpr std::array task_words{
    TaskWord{"--extcap-interfaces", Request::Task::interfaces},
    TaskWord{"--extcap-dlts", Request::Task::dlts}, TaskWord{"--extcap-config", Request::Task::config},
    TaskWord{"--capture", Request::Task::capture}, TaskWord{"--help", Request::Task::help}};

Result<std::vector<api::Target>> ask_targets(const Options& options) {
    // Wireshark asks when it starts and waits for it.
    constexpr std::chrono::seconds limit{2};
    auto exchange = Exchange::start(options, call_of(api::TargetsRequest{}));
    if (!exchange) return exchange.error();
    const auto body = exchange->body(limit);
    if (!body) return body.error();
    const auto value = json::parse(*body);
    if (!value) return value.error();
    return decode_answer<std::vector<api::Target>>(*value);
}

/// The capture begins, and is given up at once: so its filter has been compiled. Wireshark takes whatever is
/// printed for what is wrong with it.
Result<int> check_filter(const api::CaptureRequest& request, const Options& options) {
    const Interrupt interrupt;
    auto exchange = Exchange::start(options, call_of(request));
    if (!exchange) return exchange.error();
    const auto piece = exchange->next_piece(interrupt);
    if (piece) return 0;
    std::string text = escape(piece.error().message) + "\n";
    for (const auto& detail : piece.error().details)
        text += escape(detail) + "\n";
    if (auto printed = print(text); !printed) return printed.error();
    return 0;
}

Result<int> capture(const api::CaptureRequest& request, const std::string& fifo, const Options& options) {
    const Interrupt interrupt;
    ::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): that Wireshark has stopped is told by write(2)
    UniqueFd pipe(::open(fifo.c_str(), O_WRONLY | O_CLOEXEC));
    if (!pipe) return system_error(errc::operation_failed, "write " + fifo, errno);
    auto exchange = Exchange::start(options, call_of(request));
    if (!exchange) return exchange.error();
    exchange->watch(pipe.get());
    CaptureFile file(BlockFile(std::move(pipe), fifo));
    const auto fate = write_capture(*exchange, interrupt, file, {});
    if (!fate) return fate.error();
    return 0;
}

}  // namespace

bool is_name(std::string_view program) {
    return program.substr(program.rfind('/') + 1) == "netlab-extcap";
}

Result<Request> parse(std::span<const std::string> words) {
    Request request;
    bool filter = false;
    std::optional<Request::Task> task;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto& word = words[i];
        const auto known = std::ranges::find(task_words, word, &TaskWord::word);
        if (known != task_words.end()) {
            task = known->task;
            continue;
        }
        const auto equals = word.find('=');
        const auto name = word.substr(0, equals);
        if (name == "--extcap-version") {
            if (equals == std::string::npos && i + 1 < words.size() && !words[i + 1].starts_with("--")) ++i;
            continue;
        }
        if (equals == std::string::npos && i + 1 == words.size()) return bad(name + " needs a value");
        const auto value = equals == std::string::npos ? words[++i] : word.substr(equals + 1);
        if (auto taken = take_option(request, name, value); !taken) return taken.error();
        filter = filter || name == "--extcap-capture-filter";
    }
    if (!task && filter) task = Request::Task::check_filter;
    request.task = task.value_or(Request::Task::help);
    if (request.task == Request::Task::capture && request.fifo.empty()) return bad("--fifo is missing");
    return request;
}

std::string interface_of(std::string_view word) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out(prefix);
    for (const char c : word) {
        if (is_plain(c)) {
            out += c;
        } else if (c == '_') {
            out += "__";
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out.append(1, '_').append(1, digits[byte >> 4]).append(1, digits[byte & 0xF]);
        }
    }
    return out;
}

Result<std::string> word_of(std::string_view interface) {
    const auto unknown = [&] { return bad("'" + std::string(interface) + "' is no interface of netlab's"); };
    if (!interface.starts_with(prefix) || interface.size() == prefix.size()) return unknown();
    const auto text = interface.substr(prefix.size());
    std::string word;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_plain(text[i])) {
            word += text[i];
        } else if (text.substr(i).starts_with("__")) {
            word += '_';
            ++i;
        } else {
            unsigned byte = 0;
            const auto* end = text.data() + std::min(text.size(), i + 3);
            const auto read = std::from_chars(text.data() + i + 1, end, byte, 16);
            if (text[i] != '_' || read.ec != std::errc{} || read.ptr != text.data() + i + 3) return unknown();
            word += static_cast<char>(byte);
            i += 2;
        }
    }
    return word;
}

std::string interfaces_text(std::span<const api::Target> targets) {
    std::map<std::string_view, std::size_t> bearers;
    for (const auto& target : targets)
        ++bearers[target.name];
    std::string text = "extcap {version=" NETLAB_VERSION "}{display=netlab: containers and namespaces}\n";
    for (const auto& target : targets) {
        if (!is_shown(target)) continue;
        const std::string runtime(described::enumerator_name(target.runtime));
        const auto word = bearers[target.name] > 1 && target.runtime != api::Runtime::host
                              ? runtime + ":" + target.name
                              : target.name;
        const auto kind = target.runtime == api::Runtime::host ? "" : " (" + runtime + ")";
        text += "interface {value=" + interface_of(word) + "}{display=" + in_braces(target.name) + kind +
                ": all interfaces}\n";
    }
    return text;
}

std::string dlts_text() {
    return "dlt {number=1}{name=EN10MB}{display=Ethernet}\n";
}

std::string config_text() {
    return "arg {number=0}{call=--point}{display=Interface}{type=string}"
           "{tooltip=eth0, any, or eth0@veth for the host's end of it; empty: all but the loopback}\n"
           "arg {number=1}{call=--promiscuous}{display=Promiscuous mode}{type=boolean}{default=true}"
           "{tooltip=Also what is not for the interface}\n"
           "arg {number=2}{call=--snaplen}{display=Snap "
           "length}{type=unsigned}{range=0,262144}{default=262144}"
           "{tooltip=Bytes that are kept of each packet}\n"
           "arg {number=3}{call=--direction}{display=Direction}{type=selector}{tooltip=As the namespace sees "
           "it}\n"
           "value {arg=3}{value=inout}{display=both}{default=true}\n"
           "value {arg=3}{value=in}{display=in}{default=false}\n"
           "value {arg=3}{value=out}{display=out}{default=false}\n";
}

Result<api::CaptureRequest> capture_request(const Request& request) {
    auto word = word_of(request.interface);
    if (!word) return word.error();
    auto capture = request.capture;
    capture.points = {request.point.empty() ? *word : *word + ":" + request.point};
    capture.filter = request.filter;
    return capture;
}

Result<int> run(const Request& request, const Options& options) {
    const auto say = [](std::string_view text) -> Result<int> {
        if (auto printed = print(text); !printed) return printed.error();
        return 0;
    };
    switch (request.task) {
        case Request::Task::help:
            return say(help);
        case Request::Task::interfaces: {
            const auto targets = ask_targets(options);
            return say(interfaces_text(targets ? *targets : std::vector<api::Target>()));
        }
        case Request::Task::dlts:
            return say(dlts_text());
        case Request::Task::config:
            return say(config_text());
        case Request::Task::check_filter:
        case Request::Task::capture:
            break;
    }
    auto asked = capture_request(request);
    if (!asked) return asked.error();
    if (request.task == Request::Task::capture) return capture(*asked, request.fifo, options);
    asked->duration_ms = 1;
    return check_filter(*asked, options);
}

}  // namespace netlab::cli::extcap
