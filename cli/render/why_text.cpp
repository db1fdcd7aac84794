#include "cli/render/why_text.hpp"

#include "cli/connect_words.hpp"
#include "cli/render/escape.hpp"
#include "cli/render/table.hpp"
#include "cli/render/words.hpp"
#include "common/endpoint.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace netlab::cli::why_text {

namespace {

using api::WhyHop;
using api::WhyProtocol;
using api::WhyReport;
using api::WhyRule;
using api::WhyVerdict;

std::string rule_text(const WhyRule& rule) {
    auto text = rule.family + " " + rule.table + " " + rule.chain;
    if (rule.handle) text += " handle " + std::to_string(*rule.handle);
    text += ": " + (rule.text.empty() ? std::string("(its text could not be read)") : rule.text);
    if (!rule.owner.empty()) text += "   (" + rule.owner + "'s)";
    return text;
}

std::string destination(const WhyReport& report) {
    std::string text;
    const auto& address = report.resolution.address;
    if (address)
        text = report.port ? endpoint_text(*address, *report.port) : address->to_string();
    else if (report.port)
        text = "port " + std::to_string(*report.port);
    const auto same = text == report.to || (address && address->to_string() == report.to);
    std::string out = same ? text : report.to + (text.empty() ? "" : " (" + text + ")");
    const auto& target = report.resolution.target;
    if (target && *target != report.to) out += " of " + *target;
    if (report.port) out += " " + words_of(report.protocol);
    return out;
}

std::string place(const WhyReport& report) {
    if (!report.where || report.verdict == WhyVerdict::delivered || report.verdict == WhyVerdict::unresolved)
        return {};
    const auto& [target, point] = *report.where;
    if (point.empty()) return target.empty() ? "" : " at " + target;
    return (report.verdict == WhyVerdict::lost ? " between " : " at ") +
           (target.empty() ? "" : target + ", ") + point;
}

Cell seen(const WhyHop& hop) {
    if (!hop.seen) return {"-", Hue::faint};
    if (!*hop.seen) return {"no", Hue::bad};
    return hop.back.value_or(false) ? Cell("there and back", Hue::good) : Cell("there", Hue::warning);
}

Table hops(const WhyReport& report) {
    Table table{{"SEEN", "TARGET", "INTERFACE", "KIND", "DETAIL"}, {}};
    if (!report.probed) table.headings.erase(table.headings.begin());
    for (const auto& hop : report.hops) {
        std::vector<Cell> row{hop.target.empty() ? "-" : hop.target,
                              hop.interface.empty() ? "-" : hop.interface, hop.kind, hop.detail};
        if (report.probed) row.insert(row.begin(), seen(hop));
        table.rows.push_back(std::move(row));
    }
    return table;
}

Table trace(const WhyReport& report) {
    Table table{{"TARGET", "HOOK", "CHAIN", "HANDLE", "VERDICT", "RULE"}, {}};
    for (const auto& step : report.trace) {
        table.rows.push_back({step.target + (step.answer ? " (answer)" : ""),
                              step.hook.empty() ? "-" : step.hook,
                              step.family + " " + step.table + " " + step.chain,
                              step.handle ? std::to_string(*step.handle) : "-",
                              {step.verdict, step.verdict == "drop" ? Hue::bad : Hue::plain},
                              step.text});
    }
    return table;
}

std::string line(std::string_view what, const std::string& text) {
    if (text.empty()) return {};
    std::string out = "  ";
    out.append(what).append(what.size() < 6 ? 7 - what.size() : 1, ' ');
    return out + escape(text) + "\n";
}

std::string headline(const WhyReport& report) {
    auto text = report.from + " -> " + destination(report) + ": " + words_of(report.verdict) + place(report);
    if (report.verdict == WhyVerdict::delivered) {
        std::array<char, 32> time;
        std::snprintf(time.data(), time.size(), " (%.1f ms)", report.elapsed_ms);
        text += time.data();
    }
    return escape(text) + "\n";
}

WhyProtocol protocol_of(std::string_view word, bool& known) {
    std::string name(word);
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    known = true;
    if (name == "tcp") return WhyProtocol::tcp;
    if (name == "udp") return WhyProtocol::udp;
    known = name == "icmp";
    return WhyProtocol::icmp;
}

/// Whether what stands behind the last colon is a port, and not a part of an address or of a target's name.
bool has_port(std::string_view word) {
    if (word.starts_with('[')) return true;
    const auto colon = word.rfind(':');
    if (colon == word.npos || IpAddress::parse(word.substr(0, word.find('%')))) return false;
    const auto rest = word.substr(colon + 1);
    const bool number = !rest.empty() && rest.find_first_not_of("0123456789") == rest.npos;
    // pid:4242 names a process; a container or namespace whose name is a number has its prefix, too.
    const auto before = word.substr(0, colon);
    const bool prefix = before == "pid" || before == "docker" || before == "podman" || before == "netns";
    return number && !prefix;
}

/// What looks like a port and is none; "" where there is nothing of the kind. No name that DNS knows has a
/// colon, but a named namespace may.
std::string_view no_port(std::string_view word) {
    if (IpAddress::parse(word.substr(0, word.find('%'))) || word.starts_with("netns:")) return {};
    auto name = word;
    for (const std::string_view prefix : {"docker:", "podman:", "pid:"}) {
        if (word.starts_with(prefix)) name = word.substr(prefix.size());
    }
    const auto colon = name.find(':');
    return colon == name.npos ? std::string_view() : name.substr(colon);
}

}  // namespace

std::string report(const WhyReport& report, const Screen& screen, bool steps) {
    auto out = headline(report);
    if (report.rule) out += line("rule", rule_text(*report.rule));
    out += line("why", report.explanation);
    out += line("do", report.suggestion);
    if (!report.translated.empty()) out += line("dnat", report.translated);
    if (!report.masqueraded.empty()) out += line("snat", report.masqueraded);
    for (const auto& note : report.notes)
        out += line("note", note);
    if (!report.hops.empty()) out += "\n" + to_text(hops(report), screen);
    if (steps && !report.trace.empty()) out += "\n" + to_text(trace(report), screen);
    return out;
}

Result<Destination> parse_destination(std::string_view word) {
    Destination out;
    bool named = false;
    if (const auto slash = word.rfind('/'); slash != word.npos) {
        out.protocol = protocol_of(word.substr(slash + 1), named);
        if (!named)
            return Error{errc::bad_request,
                         "'" + std::string(word.substr(slash + 1)) + "' is no protocol that netlab sends",
                         "/tcp, /udp or /icmp",
                         {}};
        word = word.substr(0, slash);
        bool again = false;
        if (const auto other = word.rfind('/'); other != word.npos)
            (void)protocol_of(word.substr(other + 1), again);
        if (again) return Error{errc::bad_request, "one packet has one protocol", "co2:80/tcp", {}};
    }
    if (!has_port(word)) {
        if (const auto wrong = no_port(word); !wrong.empty())
            return Error{errc::bad_request,
                         "'" + std::string(wrong.substr(1)) + "' is no port: a number from 1 to 65535",
                         std::string(word.substr(0, word.size() - wrong.size())) + ":80",
                         {}};
        if (named && out.protocol != WhyProtocol::icmp)
            return Error{errc::bad_request,
                         "which port of '" + std::string(word) + "'?",
                         std::string(word) + ":80/" + words_of(out.protocol),
                         {}};
        out.host = word;
        return out;
    }
    auto parsed = parse_host_and_port(word);
    if (!parsed) return parsed.error();
    if (!word.starts_with('[') && !word.starts_with("netns:") && has_port(parsed->host))
        return Error{errc::bad_request,
                     "'" + std::string(word) + "' has two ports",
                     parsed->host + ": the port where it listens, or the one that is published",
                     {}};
    if (named && out.protocol == WhyProtocol::icmp)
        return Error{
            errc::bad_request, "an echo has no port", std::string(word) + "/tcp, or leave it out", {}};
    if (!named) out.protocol = WhyProtocol::tcp;
    out.host = std::move(parsed->host);
    out.port = parsed->port;
    return out;
}

}  // namespace netlab::cli::why_text
