#include "cli/arguments.hpp"
#include "cli/client.hpp"
#include "cli/command.hpp"
#include "cli/render/escape.hpp"

namespace netlab::cli {

namespace {

/// Of an API whose number may one day be a text.
std::string plain(const boost::json::object& object, std::string_view name) {
    const auto* field = object.if_contains(name);
    if (!field) return "?";
    return escape(field->is_string() ? std::string(field->get_string()) : json::write(*field));
}

std::string roles(const boost::json::object& object) {
    std::string text;
    if (const auto* field = object.if_contains("roles"); field && field->is_array()) {
        for (const auto& role : field->get_array()) {
            if (role.is_string()) text += (text.empty() ? "" : ", ") + escape(std::string(role.get_string()));
        }
    }
    return text.empty() ? "none" : text;
}

/// GET /v1/version: {"version","api","roles"}; roles are what the caller may do.
class Version final : public Command {
  public:
    void arguments(CLI::App&) override {}

    Result<int> run(const Session& session) override {
        auto exchange = Exchange::start(session.options, {"GET", "/v1/version", {}});
        if (!exchange) return exchange.error();
        const auto body = exchange->body();
        if (!body) return body.error();
        auto value = json::parse(*body);
        if (!value || !value->is_object()) {
            return Error{errc::protocol_error, "netlabd's answer is not understood: no version", {}, {}};
        }
        auto& object = value->get_object();
        std::string text;
        if (session.options.format == Format::json) {
            object["client"] = NETLAB_VERSION;
            text = json::write(*value) + "\n";
            if (session.screen.terminal)
                text = escape_json(std::string_view(text).substr(0, text.size() - 1)) + "\n";
        } else {
            text = "netlab    " NETLAB_VERSION "\nnetlabd   " + plain(object, "version") + " (API " +
                   plain(object, "api") + ")\nroles     " + roles(object) + "\n";
        }
        if (auto printed = print(text); !printed) return printed.error();
        return 0;
    }
};

const Registration registered{"version", "the versions of both sides, and what you may do", make<Version>};

}  // namespace

}  // namespace netlab::cli
