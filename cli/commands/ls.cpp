#include "cli/arguments.hpp"
#include "cli/client.hpp"
#include "cli/command.hpp"
#include "cli/render/error_text.hpp"
#include "cli/render/escape.hpp"
#include "cli/render/target_table.hpp"

#include <algorithm>

namespace netlab::cli {

namespace {

class Ls final : public Command {
  public:
    void arguments(CLI::App& app) override {
        app.add_flag("-q,--quiet", quiet_, "names only");
        add_parsed(app, "--runtime", runtime_, parse_runtime, "only of docker, podman, netns, pid or host")
            ->type_name("RUNTIME");
        app.add_option("--network", network_, "only members of this network")->type_name("NAME");
    }

    Result<int> run(const Session& session) override;

  private:
    static Result<std::optional<api::Runtime>> parse_runtime(std::string_view word);
    bool wanted(const api::Target& target) const;
    std::string text(const Session& session, const boost::json::array& shown,
                     const std::vector<api::Target>& targets) const;

    bool quiet_ = false;
    std::optional<api::Runtime> runtime_;
    std::string network_;
};

Result<std::optional<api::Runtime>> Ls::parse_runtime(std::string_view word) {
    auto runtime = json::decode<api::Runtime>(boost::json::value(boost::json::string(word)));
    if (!runtime)
        return Error{
            errc::bad_request, "'" + std::string(word) + "' is no runtime", runtime.error().hint, {}};
    return std::optional(*runtime);
}

bool Ls::wanted(const api::Target& target) const {
    if (runtime_ && target.runtime != *runtime_) return false;
    return network_.empty() || std::ranges::count(target.networks, network_, &api::Membership::name) > 0;
}

/// One object a line: an array for a program, and lines for grep.
std::string json_text(const boost::json::array& targets, bool terminal) {
    if (targets.empty()) return "[]\n";
    std::string text = "[\n";
    for (std::size_t i = 0; i < targets.size(); ++i) {
        const auto object = json::write(targets[i]);
        text += (terminal ? escape_json(object) : object) + (i + 1 < targets.size() ? ",\n" : "\n");
    }
    return text + "]\n";
}

std::string Ls::text(const Session& session, const boost::json::array& shown,
                     const std::vector<api::Target>& targets) const {
    if (session.options.format == Format::json) return json_text(shown, session.screen.terminal);
    if (!quiet_)
        return to_text(target_table(targets, session.options.format == Format::wide), session.screen);
    std::string names;
    for (const auto& target : targets)
        names += escape(target.name) + "\n";
    return names;
}

/// To standard error: what is missing from the list, or may be old in it. An engine that is just not
/// installed is no news.
void tell_silent_engines(const Session& session, const std::vector<api::Target>& targets) {
    auto exchange = Exchange::start(session.options, call_of(api::VersionRequest{}));
    const auto body = exchange ? exchange->body() : Result<std::string>(exchange.error());
    const auto value = body ? json::parse(*body) : Result<boost::json::value>(body.error());
    const auto version = value ? decode_answer<api::Version>(*value) : Result<api::Version>(value.error());
    if (!version) return;
    const auto& engines = version->engines;
    const bool none_up = std::ranges::none_of(engines, &api::EngineStatus::up);
    for (const auto& engine : engines) {
        const bool has_some = std::ranges::count(targets, engine.runtime, &api::Target::runtime) > 0;
        if (engine.up || (!has_some && !none_up)) continue;
        const std::string name(described::enumerator_name(engine.runtime));
        complain({errc::engine_unavailable,
                  name + " does not answer: " + engine.message,
                  has_some ? "its containers are shown as they were" : "its containers are not shown",
                  {}});
    }
}

Result<int> Ls::run(const Session& session) {
    auto exchange = Exchange::start(session.options, call_of(api::TargetsRequest{}));
    if (!exchange) return exchange.error();
    const auto body = exchange->body();
    if (!body) return body.error();
    const auto value = json::parse(*body);
    if (!value || !value->is_array()) {
        return Error{errc::protocol_error, "netlabd's answer is not understood: no array of targets", {}, {}};
    }
    boost::json::array shown;  // as they came, with what only a newer netlabd says
    std::vector<api::Target> targets;
    for (const auto& element : value->get_array()) {
        auto target = decode_answer<api::Target>(element);
        if (!target) return target.error();
        if (!wanted(*target)) continue;
        shown.push_back(element);
        targets.push_back(std::move(*target));
    }
    if (auto printed = print(text(session, shown, targets)); !printed) return printed.error();
    tell_silent_engines(session, targets);
    return 0;
}

const Registration registered{"ls", "list the targets: containers, named namespaces, the host", make<Ls>};

}  // namespace

}  // namespace netlab::cli
