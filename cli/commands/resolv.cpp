#include "common/api/resolv.hpp"

#include "cli/arguments.hpp"
#include "cli/inspection.hpp"
#include "cli/render/resolv_text.hpp"

namespace netlab::cli {

namespace {

template <class Row>
Result<void> decode_into(const boost::json::value& value, std::vector<Row>& out) {
    auto row = decode_answer<Row>(value);
    if (!row) return row.error();
    out.push_back(std::move(*row));
    return {};
}

template <class Row>
Result<void> decode_into(const boost::json::value& value, std::optional<Row>& out) {
    auto row = decode_answer<Row>(value);
    if (!row) return row.error();
    out = std::move(*row);
    return {};
}

Result<void> take(std::string_view type, const boost::json::value& value, ResolvRows& rows) {
    if (type == api::ResolvConfRow::type) return decode_into(value, rows.conf);
    if (type == api::HostsRow::type) return decode_into(value, rows.hosts);
    if (type == api::EmbeddedResolverRow::type) return decode_into(value, rows.embedded);
    if (type == api::ResolvServerRow::type) return decode_into(value, rows.servers);
    if (type == api::ResolvFinding::type) return decode_into(value, rows.findings);
    return {};
}

class Resolv final : public Command {
  public:
    void arguments(CLI::App& app) override {
        app.add_option("FROM", request_.from, "co1, docker:co1, netns:blue, pid:4242, host")
            ->type_name("")
            ->required();
        add_parsed(app, "-W,--wait", request_.wait_ms, parse_seconds, "for each answer (default: 2)")
            ->type_name("SECONDS");
    }

    Result<int> run(const Session& session) override {
        ResolvRows rows;
        const auto end =
            follow_rows(session, call_of(request_),
                        [&](std::string_view type, const boost::json::value& value) -> Result<void> {
                            return take(type, value, rows);
                        });
        if (!end) return end.error();
        if (session.options.format != Format::json) {
            const bool wide = session.options.format == Format::wide;
            if (auto printed = print(resolv_text(rows, session.screen, wide)); !printed)
                return printed.error();
        }
        return end->exit_code;
    }

  private:
    api::ResolvRequest request_;
};

const Registration registered{"resolv", "what a target resolves names with, and whether it works",
                              make<Resolv>};

}  // namespace

}  // namespace netlab::cli
