#include "cli/render/dns_text.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::cli;

namespace {

api::DnsAnswer answer() {
    api::DnsAnswer answer;
    answer.from = "co1";
    answer.name = "co2.";
    answer.qtype = "A";
    answer.outcome = api::DnsOutcome::answered;
    answer.server = "127.0.0.11";
    answer.rcode = "NOERROR";
    answer.flags = api::DnsFlags{false, false, true, true, false};
    answer.answers.push_back({"co2.", "A", 600, "172.18.0.3"});
    answer.authority.push_back({"net.", "NS", 60, "ns.net."});
    answer.elapsed_us = 412.3;
    api::DnsAttempt attempt{
        "co2.",    "A",   "127.0.0.11", api::DnsTransport::udp, api::DnsAttemptOutcome::answered,
        "NOERROR", 412.3, std::nullopt};
    answer.attempts.push_back(attempt);
    return answer;
}

}  // namespace

TEST_CASE("dns text: records stand in dig's columns", "[unit]") {
    CHECK(dns_text::line({"co2.", "A", 600, "172.18.0.3"}) == "co2.\t\t\t600\tIN\tA\t172.18.0.3\n");
    CHECK(dns_text::line({"www.example.com.", "A", 60, "203.0.113.8"}) ==
          "www.example.com.\t60\tIN\tA\t203.0.113.8\n");
    CHECK(dns_text::line({"a-name-that-is-longer.example.com.", "AAAA", 4294967295, "::1"}) ==
          "a-name-that-is-longer.example.com.\t4294967295\tIN\tAAAA\t::1\n");
    CHECK(dns_text::line({"co1.", "A", std::nullopt, "10.0.0.1"}) == "co1.\t\t\t\tIN\tA\t10.0.0.1\n");
}

TEST_CASE("dns text: an answer says who gave it, and in wide all its sections", "[unit]") {
    CHECK(dns_text::block(answer(), false) ==
          ";; co2. IN A: NOERROR, from 127.0.0.11 (UDP), flags: qr rd ra, 0.412 ms\n"
          "co2.\t\t\t600\tIN\tA\t172.18.0.3\n");
    const auto wide = dns_text::block(answer(), true);
    CHECK(wide.find(";; ANSWER SECTION:\nco2.") != std::string::npos);
    CHECK(wide.find(";; AUTHORITY SECTION:\nnet.") != std::string::npos);
    auto none = answer();
    none.outcome = api::DnsOutcome::no_data;
    none.answers.clear();
    none.server_note = "behind 127.0.0.11";
    CHECK(
        dns_text::block(none, false) ==
        ";; co2. IN A: NOERROR, no such record, from 127.0.0.11 (behind 127.0.0.11) (UDP), flags: qr rd ra, "
        "0.412 ms\n");
    none.more_records = 3;
    CHECK(dns_text::block(none, false).find(";; and 3 more records\n") != std::string::npos);
}

TEST_CASE("dns text: attempts that came to nothing are told, with who said so", "[unit]") {
    auto late = answer();
    late.attempts.insert(late.attempts.begin(),
                         {"co2.", "A", "192.0.2.1", api::DnsTransport::udp, api::DnsAttemptOutcome::refused,
                          std::nullopt, 1234.0, "port unreachable, from 192.0.2.1"});
    CHECK(dns_text::block(late, false)
              .starts_with(
                  ";; co2. IN A: 192.0.2.1 (UDP): refused (port unreachable, from 192.0.2.1), 1.23 ms\n"
                  ";; co2. IN A: NOERROR"));
    auto silent = answer();
    silent.rcode.reset();
    silent.flags.reset();
    silent.answers.clear();
    silent.outcome = api::DnsOutcome::timed_out;
    silent.attempts[0].outcome = api::DnsAttemptOutcome::timed_out;
    silent.attempts[0].rcode.reset();
    CHECK(dns_text::block(silent, false) == ";; co2. IN A: 127.0.0.11 (UDP): no answer, 0.412 ms\n");
}

TEST_CASE("dns text: the hosts file is no server", "[unit]") {
    auto file = answer();
    file.transport = api::DnsTransport::file;
    file.server = "/etc/hosts";
    file.rcode.reset();
    file.attempts.clear();
    CHECK(dns_text::block(file, false).starts_with(";; co2. IN A: from /etc/hosts, no server is asked\n"));
}

TEST_CASE("dns text: what comes from outside is escaped", "[unit]") {
    auto hostile = answer();
    hostile.answers[0].data = "\"\x1b]0;x\x07\"";
    CHECK(dns_text::block(hostile, false).find('\x1b') == std::string::npos);
    CHECK(dns_text::data(hostile) == "\"\\x1b]0;x\\x07\"\n");
    api::DnsReport report;
    report.explanations = {"a\nb"};
    report.suggestion = "x";
    CHECK(dns_text::explanations(report, ";; ") == ";; a\\x0ab\n;; try: x\n");
}

TEST_CASE("dns text: a referral ends as dig +trace ends one", "[unit]") {
    api::DnsReferral referral;
    referral.zone = ".";
    referral.server = "203.0.113.53";
    referral.server_name = "a.root.";
    referral.records.push_back({"test.", "NS", 60, "ns.test."});
    referral.bytes = 71;
    referral.elapsed_us = 2000;
    CHECK(dns_text::block(referral) ==
          "test.\t\t\t60\tIN\tNS\tns.test.\n;; Received 71 bytes from 203.0.113.53(a.root.) in 2.00 ms\n\n");
}
