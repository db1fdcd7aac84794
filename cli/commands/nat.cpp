#include "common/api/nat.hpp"

#include "cli/inspection.hpp"
#include "cli/render/nat_text.hpp"
#include "cli/render/ports_text.hpp"

namespace netlab::cli {

namespace {

class Nat final : public Command {
  public:
    void arguments(CLI::App& app) override {
        app.add_option("TARGET", request_.targets,
                       "co1, docker:co1, podman:web; without one the host's whole picture, by network")
            ->type_name("")
            ->expected(0, -1);
    }

    Result<int> run(const Session& session) override {
        request_.all = request_.targets.empty();
        std::vector<api::NatOutRow> out;
        std::vector<api::NatInRow> in;
        const auto end =
            follow_rows(session, call_of(request_),
                        [&](std::string_view type, const boost::json::value& value) -> Result<void> {
                            if (type == api::NatOutRow::type) return keep(value, out);
                            if (type == api::NatInRow::type) return keep(value, in);
                            return {};
                        });
        if (!end) return end.error();
        if (session.options.format == Format::json) return end->exit_code;
        const bool wide = session.options.format == Format::wide;
        auto text = nat_text::page(out, in, wide);
        if (!request_.all && in.empty()) text += ports_text::sharing(end->report);
        if (auto printed = print(text); !printed) return printed.error();
        return end->exit_code;
    }

  private:
    template <class Row>
    static Result<void> keep(const boost::json::value& value, std::vector<Row>& rows) {
        auto row = decode_answer<Row>(value);
        if (!row) return row.error();
        rows.push_back(std::move(*row));
        return {};
    }

    api::NatRequest request_;
};

const Registration registered{
    "nat", "how packets leave the host and come in: MASQUERADE, SNAT and DNAT rules", make<Nat>};

}  // namespace

}  // namespace netlab::cli
