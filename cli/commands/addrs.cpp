#include "cli/inspection.hpp"
#include "common/api/addresses.hpp"

namespace netlab::cli {

namespace {

using api::AddressesRequest;
using api::AddressRow;

std::string lifetime(std::optional<std::uint32_t> seconds) {
    return seconds ? std::to_string(*seconds) + "s" : "forever";
}

constexpr Column<AddressRow> columns[] = {
    {"INTERFACE", [](const AddressRow& row) { return Cell(row.interface); }},
    {"FAMILY",
     [](const AddressRow& row) { return Cell(std::string(described::enumerator_name(row.family))); }},
    {"ADDRESS", [](const AddressRow& row) { return Cell(row.address.to_string()); }},
    {"SCOPE", [](const AddressRow& row) { return Cell(row.scope); }},
    {"FLAGS", [](const AddressRow& row) { return Cell(comma_list(row.flags)); }},
    {"INDEX", [](const AddressRow& row) { return Cell(std::to_string(row.index)); }, true},
    {"PEER", [](const AddressRow& row) { return Cell(row.peer ? row.peer->to_string() : ""); }, true},
    {"BROADCAST", [](const AddressRow& row) { return Cell(row.broadcast ? row.broadcast->to_string() : ""); },
     true},
    {"VALID", [](const AddressRow& row) { return Cell(lifetime(row.valid_seconds)); }, true},
    {"PREFERRED", [](const AddressRow& row) { return Cell(lifetime(row.preferred_seconds)); }, true},
};

class Addrs final : public Command {
  public:
    void arguments(CLI::App& app) override {
        add_targets(app, request_);
        app.add_option("-i,--interface", request_.interface,
                       "only of this interface; `netlab addrs co1 eth0` is the same")
            ->type_name("NAME");
        app.add_flag("--plain", plain_, "bare addresses, one a line");
        app.add_flag("-4,--ipv4", ipv4_, "IPv4 only");
        app.add_flag("-6,--ipv6", ipv6_, "IPv6 only");
    }

    Result<int> run(const Session& session) override {
        if (ipv4_ && ipv6_) return Error{errc::bad_request, "-4 and -6 exclude each other", {}, {}};
        if (ipv4_) request_.family = Family::ipv4;
        if (ipv6_) request_.family = Family::ipv6;
        if (auto checked = check_targets(request_, "addrs"); !checked) return checked.error();
        auto shown = show(session);
        const bool unknown = !shown && shown.error().code == errc::no_such_target;
        if (!unknown || request_.targets.size() < 2 || !request_.interface.empty()) return shown;
        // TARGET IFACE: the last word is no target, so it is an interface.
        request_.interface = std::exchange(request_.targets.back(), {});
        request_.targets.pop_back();
        auto again = show(session);
        if (again || again.error().code != errc::no_such_interface) return again;
        return Error{errc::no_such_interface,
                     "'" + request_.interface + "' is neither a target nor an interface of " +
                         request_.targets.front(),
                     again.error().hint,
                     {}};
    }

  private:
    Result<int> show(const Session& session) {
        if (!plain_ || session.options.format == Format::json)
            return print_rows<AddressRow>(session, request_, std::span(columns));
        std::string text;
        const auto end =
            follow_rows(session, call_of(request_),
                        [&](std::string_view type, const boost::json::value& value) -> Result<void> {
                            if (type != AddressRow::type) return {};
                            const auto row = decode_answer<AddressRow>(value);
                            if (!row) return row.error();
                            text += row->address.address().to_string() + "\n";
                            return {};
                        });
        if (!end) return end.error();
        if (auto printed = print(text); !printed) return printed.error();
        return end->exit_code;
    }

    AddressesRequest request_;
    bool plain_ = false;
    bool ipv4_ = false;
    bool ipv6_ = false;
};

const Registration registered{"addrs", "the addresses of a target's interfaces, as ip addr has them",
                              make<Addrs>};

}  // namespace

}  // namespace netlab::cli
