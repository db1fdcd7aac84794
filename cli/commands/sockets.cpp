#include "common/api/sockets.hpp"

#include "cli/arguments.hpp"
#include "cli/inspection.hpp"
#include "cli/render/error_text.hpp"
#include "cli/render/socket_text.hpp"
#include "cli/socket_line.hpp"

namespace netlab::cli {

namespace {

using api::SocketKind;
using api::SocketRow;
using api::SocketSelection;
using api::SocketsRequest;
using api::SocketSummaryRow;

/// Rows straight into the table; the texts of one row are kept for the next.
class SocketTable {
  public:
    SocketTable(const Session& session, const SocketsRequest& request, bool processes)
        : request_(request),
          several_(request.all || request.targets.size() > 1),
          wide_(session.options.format == Format::wide),
          processes_(processes),
          table_(headings(), session.screen) {}

    Result<void> add(const SocketRow& row) {
        cells_.clear();
        write_local(local_, row);
        write_remote(remote_, row);
        if (several_) cells_.push_back(row.target);
        cells_.insert(cells_.end(), {row.protocol, row.state, number(row.recv_queue, recv_),
                                     number(row.send_queue, send_), local_, remote_});
        if (wide_) add_wide(row);
        if (processes_) {
            withheld_ = withheld_ || !row.processes;
            write_processes(holders_, row);
            cells_.push_back(holders_);
        }
        if (request_.tcp_info) {
            tcp_ = row.tcp_info ? tcp_info_text(*row.tcp_info) : std::string();
            cells_.push_back(tcp_);
        }
        if (request_.memory) {
            memory_ = row.memory ? memory_text(*row.memory) : std::string();
            cells_.push_back(memory_);
        }
        return table_.add_plain(cells_);
    }
    Result<void> finish() { return table_.finish(); }
    /// Who holds some of them was asked for and is not told.
    [[nodiscard]] bool withheld() const { return withheld_; }

  private:
    [[nodiscard]] std::vector<std::string> headings() const {
        std::vector<std::string> words;
        if (several_) words.emplace_back("TARGET");
        words.insert(words.end(), {"PROTO", "STATE", "RECV-Q", "SEND-Q", "LOCAL", "REMOTE"});
        if (wide_) words.insert(words.end(), {"UID", "INODE", "TIMER"});
        if (processes_) words.emplace_back("PROCESS");
        if (request_.tcp_info) words.emplace_back("TCP");
        if (request_.memory) words.emplace_back("MEMORY");
        return words;
    }
    void add_wide(const SocketRow& row) {
        cells_.push_back(row.uid ? number(*row.uid, uid_) : std::string_view("-"));
        cells_.push_back(number(row.inode, inode_));
        timer_ = timer_text(row.timer);
        cells_.push_back(timer_);
    }
    using Digits = std::array<char, 24>;
    template <std::integral T>
    static std::string_view number(T value, Digits& digits) {
        const auto* end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
        return {digits.data(), static_cast<std::size_t>(end - digits.data())};
    }

    const SocketsRequest& request_;
    bool several_;
    bool wide_;
    bool processes_;
    bool withheld_ = false;
    TableStream table_;
    std::vector<std::string_view> cells_;
    std::string local_, remote_, holders_, tcp_, memory_, timer_;
    Digits recv_, send_, uid_, inode_;
};

constexpr Column<SocketSummaryRow> summary_columns[] = {
    {"PROTO", [](const SocketSummaryRow& row) { return Cell(row.protocol); }},
    {"STATE", [](const SocketSummaryRow& row) { return Cell(row.state); }},
    {"SOCKETS", [](const SocketSummaryRow& row) { return Cell(std::to_string(row.count)); }},
};

Result<std::optional<std::uint16_t>> parse_port(const std::string& text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0)
        return Error{errc::bad_request, "'" + text + "' is no port: 1 to 65535, numbers only", {}, {}};
    return std::optional(port);
}

class Sockets final : public Command {
  public:
    void arguments(CLI::App& app) override {
        app.add_option("TARGET", request_.targets,
                       "co1, docker:co1, netns:blue, pid:4242, host; several may be given")
            ->type_name("")
            ->expected(0, -1);
        app.add_flag("--all", request_.all, "every namespace that is known, each once");
        const auto kind = [&](const char* names, SocketKind which, const char* what) {
            app.add_flag_callback(
                names, [this, which] { request_.kinds.push_back(which); }, what);
        };
        kind("-t,--tcp", SocketKind::tcp, "TCP");
        kind("-u,--udp", SocketKind::udp, "UDP");
        kind("-x,--unix", SocketKind::unix_, "Unix");
        kind("-w,--raw", SocketKind::raw, "RAW");
        kind("-0,--packet", SocketKind::packet, "packet sockets; without any of these all kinds");
        app.add_flag("-l,--listening", listening_, "listening ones only; without -l and -a connected ones");
        app.add_flag("-a", every_state_, "listening and connected ones (--all: every namespace)");
        app.add_option("--state", states_, "these states only, by ss's names: established, time-wait, …")
            ->type_name("STATE")
            ->expected(1)
            ->delimiter(',')
            ->take_all();
        add_parsed(app, "--sport", request_.source_port, parse_port, "this local port only, by number")
            ->type_name("PORT");
        add_parsed(app, "--dport", request_.destination_port, parse_port, "this remote port only, by number")
            ->type_name("PORT");
        app.add_flag("-4,--ipv4", ipv4_, "IPv4 only");
        app.add_flag("-6,--ipv6", ipv6_, "IPv6 only");
        app.add_flag("-p,--processes", processes_, "as always: who holds each, as far as the role allows");
        app.add_flag("--no-processes", no_processes_,
                     "not who holds each: faster on a host with many processes");
        app.add_flag("-i,--info", request_.tcp_info, "what TCP knows of each connection");
        app.add_flag("-m,--memory", request_.memory, "memory of each");
        app.add_flag("-s,--summary", request_.summary, "how many there are of each protocol and state");
        app.add_flag("-n,--numeric", numeric_, "as always: nothing is looked up");
    }

    Result<int> run(const Session& session) override {
        if (ipv4_ && ipv6_) return Error{errc::bad_request, "-4 and -6 exclude each other", {}, {}};
        if (ipv4_) request_.family = Family::ipv4;
        if (ipv6_) request_.family = Family::ipv6;
        if (listening_) request_.show = SocketSelection::listening;
        if (every_state_) request_.show = SocketSelection::all;
        request_.states = states_;
        if (auto checked = check_targets(request_, "sockets"); !checked) return checked.error();
        if (auto checked = api::check(request_, api::Roles::all()); !checked) return checked.error();
        if (request_.summary)
            return print_rows<SocketSummaryRow>(session, request_, std::span(summary_columns));
        if (processes_ && no_processes_)
            return Error{errc::bad_request, "-p and --no-processes exclude each other", {}, {}};
        request_.processes = !no_processes_;
        return show(session);
    }

  private:
    Result<int> show(const Session& session) {
        SocketTable table(session, request_, request_.processes);
        const auto end =
            request_.tcp_info || request_.memory ? follow_whole(session, table) : follow_fast(session, table);
        if (!end) return end.error();
        if (session.options.format != Format::json) {
            if (auto printed = table.finish(); !printed) return printed.error();
            tell_shared(session, end->report);
            if (table.withheld())
                complain({errc::permission_denied,
                          "who holds the sockets of the host's namespace is for the host role",
                          "ask for a group of [access] host in netlabd.toml",
                          {}});
        }
        return end->exit_code;
    }

    Result<InspectionEnd> follow_fast(const Session& session, SocketTable& table) {
        SocketLineReader reader;
        return follow_lines(
            session, call_of(request_), SocketRow::type,
            [&](std::string_view line) -> Result<void> {
                const auto row = reader.read(line);
                if (!row) return row.error();
                return table.add(**row);
            },
            [](std::string_view, const boost::json::value&) -> Result<void> { return {}; });
    }

    Result<InspectionEnd> follow_whole(const Session& session, SocketTable& table) {
        return follow_rows(session, call_of(request_),
                           [&](std::string_view type, const boost::json::value& value) -> Result<void> {
                               if (type != SocketRow::type) return {};
                               const auto row = decode_answer<SocketRow>(value);
                               if (!row) return row.error();
                               return table.add(*row);
                           });
    }

    SocketsRequest request_;
    std::vector<std::string> states_;
    bool listening_ = false;
    bool every_state_ = false;
    bool ipv4_ = false;
    bool ipv6_ = false;
    bool processes_ = false;
    bool no_processes_ = false;
    bool numeric_ = false;
};

const Registration registered{"sockets", "the sockets of a target and who holds them, as ss has them",
                              make<Sockets>};
const Registration registered_short{"ss", "the same as sockets", make<Sockets>};

}  // namespace

}  // namespace netlab::cli
