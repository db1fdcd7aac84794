#include "cli/render/conntrack_text.hpp"

#include "cli/render/escape.hpp"
#include "cli/render/local_time.hpp"
#include "common/endpoint.hpp"

#include <algorithm>

namespace netlab::cli::conntrack_text {

namespace {

bool has_status(const api::ConntrackRow& row, std::string_view name) {
    return std::ranges::find(row.status, name) != row.status.end();
}

std::string padded(std::string text, std::size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
}

std::string_view word(api::ConntrackEvent event) {
    switch (event) {
        case api::ConntrackEvent::new_:
            return "NEW";
        case api::ConntrackEvent::update:
            return "UPDATE";
        case api::ConntrackEvent::destroy:
            return "DESTROY";
    }
    return "?";
}

std::string number_of(std::uint64_t count, const std::string& one, const std::string& several) {
    return std::to_string(count) + " " + (count == 1 ? one : several);
}

std::string translated(const api::ConntrackTranslation& translation, Names names) {
    auto from = translation.from;
    auto to = translation.to;
    // What it was is said beside it already, with its name.
    from.name.reset();
    if (from.port == to.port) from.port = to.port = std::nullopt;
    return end(from, names) + " -> " + end(to, names);
}

}  // namespace

std::string end(const api::ConntrackEnd& end, Names names) {
    auto text = end.port ? endpoint_text(end.address, *end.port) : end.address.to_string();
    return names == Names::yes && end.name ? *end.name + " " + text : text;
}

std::string state(const api::ConntrackRow& row) {
    std::string text = row.stale ? "STALE" : "";
    const auto add = [&](std::string_view word) {
        if (!text.empty()) text += ' ';
        text += word;
    };
    if (row.state) add(*row.state);
    if (!row.replied) {
        add("UNREPLIED");
    } else if (!row.state) {
        add(has_status(row, "assured") ? "ASSURED" : "REPLIED");
    }
    if (has_status(row, "hw_offload")) {
        add("HW_OFFLOAD");
    } else if (has_status(row, "offload")) {
        add("OFFLOAD");
    }
    return text;
}

std::string protocol(const api::ConntrackRow& row) {
    if (!row.original.icmp) return row.protocol;
    const auto& icmp = *row.original.icmp;
    return row.protocol + " type " + std::to_string(icmp.type) + " id " + std::to_string(icmp.id);
}

std::string translation(const api::ConntrackRow& row, Names names) {
    std::string text;
    if (row.dnat) {
        // The port is what it was published as.
        auto from = row.dnat->from;
        from.name.reset();
        text = "dnat " + end(from, names) + " -> " + end(row.dnat->to, names);
    }
    if (row.snat) text += (text.empty() ? "snat " : ", snat ") + translated(*row.snat, names);
    return text.empty() ? "-" : text;
}

std::string counters(const api::ConntrackDirection& direction) {
    if (!direction.packets) return "-";
    return number_of(*direction.packets, "packet", "packets") + ", " +
           number_of(direction.bytes.value_or(0), "byte", "bytes");
}

std::string line(const api::ConntrackRow& row, Names names) {
    constexpr std::size_t event_width = 7;
    constexpr std::size_t protocol_width = 4;
    constexpr std::size_t state_width = 18;
    std::string text = row.time ? local_time(*row.time) : std::string();
    text += " " + padded(std::string(row.event ? word(*row.event) : "?"), event_width);
    text += " " + padded(protocol(row), protocol_width) + " " + padded(state(row), state_width);
    text += " " + end(row.original.source, names) + " > " + end(row.original.destination, names);
    if (row.snat || row.dnat) text += " " + translation(row, names);
    if (row.original.packets) text += " (" + counters(row.original) + ")";
    if (row.reply.packets) text += " (reply " + counters(row.reply) + ")";
    return escape(text) + "\n";
}

std::string line(const api::ConntrackLost& lost) {
    return escape(local_time(lost.time)) +
           " LOST    events, the kernel does not say how many: they came faster than "
           "they were read\n";
}

std::string table(const api::ConntrackTableRow& row, std::uint64_t shown) {
    const std::string shown_text = number_of(shown, "entry", "entries") + " shown";
    if (!row.entries)
        return escape(shown_text + "; how many the table of " + row.target + " has is not told") + "\n";
    std::string text = shown_text + " of " + std::to_string(*row.entries) + " in the table of " + row.target;
    if (row.maximum.value_or(0) > 0) {
        constexpr std::uint64_t percent = 100;
        text += ", which takes " + std::to_string(*row.maximum) + " (" +
                std::to_string(*row.entries * percent / *row.maximum) + " % full)";
    }
    const auto count = [&](const std::optional<std::uint64_t>& number, const char* what) {
        if (number.value_or(0) > 0) text += "; " + std::to_string(*number) + " " + what;
    };
    count(row.dropped, "packets were dropped for want of room");
    count(row.early_dropped, "entries had to make room");
    if (row.explanation) text += "; " + *row.explanation;
    return escape(text) + "\n";
}

std::string counts(const api::ConntrackReport& report) {
    std::string text = number_of(report.events, "event", "events") + ": " + std::to_string(report.new_) +
                       " new, " + number_of(report.updates, "update", "updates") + ", " +
                       std::to_string(report.destroyed) + " destroyed";
    if (report.overruns > 0)
        text += "; more were lost, " + number_of(report.overruns, "time", "times") +
                ": the kernel does not say how many";
    return text + "\n";
}

}  // namespace netlab::cli::conntrack_text
