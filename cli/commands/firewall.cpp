#include "common/api/firewall.hpp"

#include "cli/inspection.hpp"
#include "cli/render/error_text.hpp"
#include "cli/render/escape.hpp"
#include "cli/render/firewall_text.hpp"

namespace netlab::cli {

namespace {

using api::FirewallChain;
using api::FirewallNote;
using api::FirewallObject;
using api::FirewallRequest;
using api::FirewallRule;

/// Rows as they come: a chain is printed when the next thing begins.
class Page {
  public:
    Page(bool counters, std::string where) : counters_(counters), where_(std::move(where)) {}

    Result<void> take(std::string_view type, const boost::json::value& value) {
        if (type == FirewallRule::type) return put(decode_answer<FirewallRule>(value), rules_);
        if (auto ended = end_chain(); !ended) return ended;
        if (type == FirewallChain::type) {
            auto chain = decode_answer<FirewallChain>(value);
            if (!chain) return chain.error();
            chain_ = std::move(*chain);
        } else if (type == FirewallObject::type) {
            const auto object = decode_answer<FirewallObject>(value);
            if (!object) return object.error();
            return section(firewall_object_text(*object));
        } else if (type == FirewallNote::type) {
            return put(decode_answer<FirewallNote>(value), notes_);
        }
        return {};
    }

    /// Notes are for whoever reads standard error.
    Result<void> finish() {
        if (auto ended = end_chain(); !ended) return ended;
        if (first_) {
            const auto text = "no rules" + where_ + ": nothing is filtered or translated" +
                              (where_.empty() ? "" : " there");
            if (auto printed = print(escape(text) + "\n"); !printed) return printed;
        }
        for (const auto& note : notes_)
            complain({errc::operation_failed, note.message, {}, {}});
        return {};
    }

  private:
    template <class Row>
    static Result<void> put(Result<Row> row, std::vector<Row>& into) {
        if (!row) return row.error();
        into.push_back(std::move(*row));
        return {};
    }

    Result<void> end_chain() {
        if (!chain_) return {};
        const auto text = firewall_chain_text(*chain_, rules_, counters_);
        chain_.reset();
        rules_.clear();
        return section(text);
    }

    Result<void> section(const std::string& text) {
        return print(std::exchange(first_, false) ? text : "\n" + text);
    }

    bool counters_;
    std::string where_;  ///< " at ingress": of what was asked for, if that was not all
    bool first_ = true;
    std::optional<FirewallChain> chain_;
    std::vector<FirewallRule> rules_;
    std::vector<FirewallNote> notes_;
};

class Firewall final : public Command {
  public:
    void arguments(CLI::App& app) override {
        app.add_option("TARGET", request_.target, "co1, docker:co1, netns:blue, pid:4242, host")
            ->type_name("")
            ->required();
        app.add_option("--table", request_.table, "only this table: filter, or \"ip filter\"")
            ->type_name("NAME");
        app.add_option("--chain", request_.chain, "only chains of this name")->type_name("NAME");
        app.add_option("--hook", request_.hook, "only what packets meet at this hook: input, forward, ...")
            ->type_name("HOOK");
        app.add_flag("-4,--ipv4", ipv4_, "what IPv4 packets meet");
        app.add_flag("-6,--ipv6", ipv6_, "what IPv6 packets meet");
        app.add_flag("--no-counters", no_counters_, "rules without their packets and bytes");
    }

    Result<int> run(const Session& session) override {
        if (ipv4_ && ipv6_) return Error{errc::bad_request, "-4 and -6 exclude each other", {}, {}};
        if (ipv4_) request_.family = Family::ipv4;
        if (ipv6_) request_.family = Family::ipv6;
        Page page(!no_counters_, where());
        const auto end = follow_rows(
            session, call_of(request_),
            [&](std::string_view type, const boost::json::value& value) { return page.take(type, value); });
        if (!end) return end.error();
        if (session.options.format != Format::json) {
            if (auto printed = page.finish(); !printed) return printed.error();
        }
        return end->exit_code;
    }

  private:
    [[nodiscard]] std::string where() const {
        std::string text;
        if (request_.hook) text += " at " + *request_.hook;
        if (request_.chain) text += " in chains called " + *request_.chain;
        if (request_.table) text += " in table " + *request_.table;
        if (request_.family) text += request_.family == Family::ipv4 ? " for IPv4" : " for IPv6";
        return text;
    }

    FirewallRequest request_;
    bool ipv4_ = false;
    bool ipv6_ = false;
    bool no_counters_ = false;
};

const Registration registered{"firewall", "the rules of a target, nft's and iptables', in packets' order",
                              make<Firewall>};

}  // namespace

}  // namespace netlab::cli
