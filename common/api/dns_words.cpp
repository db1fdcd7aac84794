#include "common/api/dns_words.hpp"

namespace netlab::api {

std::string_view what_came(DnsAttemptOutcome outcome) {
    switch (outcome) {
        case DnsAttemptOutcome::closed:
            return "the connection was closed without an answer";
        case DnsAttemptOutcome::wrong_source:
            return "an answer from elsewhere";
        case DnsAttemptOutcome::wrong_id:
            return "an answer with another ID";
        case DnsAttemptOutcome::wrong_question:
            return "an answer to another question";
        case DnsAttemptOutcome::malformed:
            return "no DNS message";
        default:
            return "";
    }
}

}  // namespace netlab::api
