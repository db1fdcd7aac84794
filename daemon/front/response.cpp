#include "daemon/front/response.hpp"

#include "common/json.hpp"

#include <boost/beast/http/status.hpp>

namespace netlab::front {

std::string response_head(unsigned status, std::string_view type, std::optional<std::uint64_t> length,
                          Form form, std::string_view allow) {
    const bool http_1_1 = form.version >= 11;
    std::string head = http_1_1 ? "HTTP/1.1 " : "HTTP/1.0 ";
    head += std::to_string(status);
    head += ' ';
    head += std::string_view(boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status)));
    head += "\r\nServer: netlabd/" NETLAB_VERSION "\r\nCache-Control: no-store\r\nContent-Type: ";
    head += type;
    if (!allow.empty()) head.append("\r\nAllow: ").append(allow);
    if (length) {
        head.append("\r\nContent-Length: ").append(std::to_string(*length));
    } else if (http_1_1) {
        head += "\r\nTransfer-Encoding: chunked";
    }
    const bool stays = form.keep_alive && (length || http_1_1);
    if (!stays) {
        head += "\r\nConnection: close";
    } else if (!http_1_1) {
        head += "\r\nConnection: keep-alive";
    }
    head += "\r\n\r\n";
    return head;
}

std::string json_response(unsigned status, std::string_view body, Form form, std::string_view allow) {
    auto response = response_head(status, json_type, body.size() + 1, form, allow);
    response += body;
    response += '\n';
    return response;
}

std::string error_response(const Error& error, Form form, std::string_view allow) {
    return json_response(http_status(error.code), json::write_error(error), form, allow);
}

}  // namespace netlab::front
