#include "common/api/ports.hpp"

#include "cli/inspection.hpp"
#include "cli/render/ports_text.hpp"

namespace netlab::cli {

namespace {

using api::PortRow;

class Ports final : public Command {
  public:
    void arguments(CLI::App& app) override {
        app.add_option("TARGET", request_.targets,
                       "co1, docker:co1, podman:web; without one every running container that has ports")
            ->type_name("")
            ->expected(0, -1);
        app.add_flag("--exposed", request_.exposed, "also those that are exposed and not published");
    }

    Result<int> run(const Session& session) override {
        const bool wide = session.options.format == Format::wide;
        request_.all = request_.targets.empty();
        request_.exposed = request_.exposed || wide;
        Table table{ports_text::headings(wide), {}};
        ports_text::Remarks remarks;
        const auto end =
            follow_rows(session, call_of(request_),
                        [&](std::string_view type, const boost::json::value& value) -> Result<void> {
                            if (type != PortRow::type) return {};
                            const auto row = decode_answer<PortRow>(value);
                            if (!row) return row.error();
                            table.rows.push_back(ports_text::line(*row, wide));
                            // Of one target all is wanted that there is to know.
                            remarks.add(*row, wide || !request_.all);
                            return {};
                        });
        if (!end) return end.error();
        if (session.options.format == Format::json) return end->exit_code;
        auto text = table.rows.empty() ? "no published ports\n" + ports_text::sharing(end->report)
                                       : to_text(table, session.screen);
        if (const auto said = remarks.text(); !said.empty()) text += "\n" + said;
        if (auto printed = print(text); !printed) return printed.error();
        return end->exit_code;
    }

  private:
    api::PortsRequest request_;
};

const Registration registered{"ports", "published ports: what carries each, and whether it can work",
                              make<Ports>};

}  // namespace

}  // namespace netlab::cli
