#include "tests/netns/inspection.hpp"

#include "tests/support/command.hpp"

#include <sstream>

#include <boost/json/parse.hpp>

namespace netlab::test {

using boost::json::object;

std::vector<object> Inspected::of(std::string_view type) const {
    std::vector<object> found;
    for (const auto& row : rows) {
        if (row.at("type").as_string() == type) found.push_back(row);
    }
    return found;
}

Inspected listen_to_inspection(OperationProcess& process) {
    Inspected said;
    std::string text;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!said.ended && std::chrono::steady_clock::now() < until) {
        const auto frame = process.next(std::chrono::seconds(20));
        if (!frame) break;
        if (frame->kind == frame::Kind::data) {
            text.append(reinterpret_cast<const char*>(frame->payload.data()), frame->payload.size());
        } else if (frame->kind == frame::Kind::error) {
            std::uint16_t code = 0;
            std::memcpy(&code, frame->payload.data(), sizeof code);
            said.error = static_cast<errc>(code);
            const std::string_view json(reinterpret_cast<const char*>(frame->payload.data()) + sizeof code,
                                        frame->payload.size() - sizeof code);
            const auto error = boost::json::parse(json).at("error").as_object();
            if (const auto* hint = error.if_contains("hint")) said.hint = hint->as_string();
        } else if (frame->kind == frame::Kind::end) {
            said.ended = true;
        }
    }
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        auto value = boost::json::parse(line).as_object();
        if (value.at("type").as_string() == "report") {
            said.report = std::move(value);
        } else {
            said.rows.push_back(std::move(value));
        }
    }
    return said;
}

Asked ask(const TestNetwork& network, const std::string& targets, const std::string& others) {
    Asked asked;
    const auto add = [&](char letter, std::vector<api::Target>& to) {
        asked.handles.push_back(network.handle(letter));
        auto& target = to.emplace_back();
        target.name = std::string(1, letter);
        target.runtime = api::Runtime::netns;
        target.id = "/run/netns/" + network.name(letter);
        target.state = api::State::running;
        target.namespace_ = api::Namespace{asked.handles.back().device, asked.handles.back().inode, {}};
    };
    for (const char letter : targets)
        add(letter, asked.context.targets);
    for (const char letter : others)
        add(letter, asked.context.others);
    return asked;
}

boost::json::array ip_json(const TestNetwork& network, char letter, const std::string& words) {
    std::vector<std::string> command{"ip", "-n", network.name(letter), "-j", "-d"};
    std::istringstream split(words);
    for (std::string word; split >> word;)
        command.push_back(word);
    return support::run_well(command).json().as_array();
}

}  // namespace netlab::test
