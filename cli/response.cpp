#include "cli/response.hpp"

// Beast's parser alone, from its headers: the compiled Beast brings all of Asio with it.
#undef BOOST_BEAST_SEPARATE_COMPILATION

#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/parser.hpp>

namespace netlab::cli {

namespace {

namespace http = boost::beast::http;

constexpr std::uint32_t longest_head = 16 * 1024;
constexpr std::size_t longest_line = 64ULL << 20;  // of a body too: `ls` of 100,000 targets is one

Error not_netlabd(std::string_view why) {
    return {errc::protocol_error,
            "what answers is not netlabd: " + std::string(why),
            "see -H and NETLAB_HOST",
            {}};
}

/// A body that goes from the bytes that came to where it is wanted: copied once, as there may be a gigabyte
/// of it.
struct AppendedBody {
    using value_type = std::string*;  ///< of the parser's owner, who sets it before each put()

    class reader {
      public:
        template <bool isRequest, class Fields>
        reader(http::header<isRequest, Fields>&, value_type& out) : out_(out) {}

        void init(const boost::optional<std::uint64_t>&, boost::beast::error_code& error) { error = {}; }
        template <class Buffers>
        std::size_t put(const Buffers& buffers, boost::beast::error_code& error) {
            error = {};
            std::size_t size = 0;
            for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
                out_->append(static_cast<const char*>(buffer.data()), buffer.size());
                size += buffer.size();
            }
            return size;
        }
        void finish(boost::beast::error_code& error) { error = {}; }

      private:
        value_type& out_;
    };
};

}  // namespace

struct ResponseReader::Parser {
    http::response_parser<AppendedBody> http;

    Parser() {
        http.eager(true);
        http.header_limit(longest_head);
        http.body_limit(boost::none);  // a stream may be endless; what is not taken is limited below
    }
};

ResponseReader::ResponseReader() : parser_(std::make_unique<Parser>()) {}
ResponseReader::ResponseReader(ResponseReader&&) noexcept = default;
ResponseReader& ResponseReader::operator=(ResponseReader&&) noexcept = default;
ResponseReader::~ResponseReader() = default;

/// Returns how many of the bytes are done with; what is left is the begin of something.
Result<std::size_t> ResponseReader::parse(std::string_view bytes) {
    auto& http = parser_->http;
    http.get().body() = &body_;
    std::size_t done = 0;
    boost::beast::error_code error;
    while (done < bytes.size() && !http.is_done()) {
        done += http.put(boost::asio::const_buffer(bytes.data() + done, bytes.size() - done), error);
        if (error == http::error::need_more) break;
        if (error) return not_netlabd("no HTTP response (" + error.message() + ")");
    }
    return done;
}

Result<void> ResponseReader::feed(std::string_view bytes) {
    body_.erase(0, std::exchange(taken_, 0));
    searched_ = 0;
    // A head that was cut is completed with as little as may do, so that the rest need not be copied for it.
    constexpr std::size_t step = 256;
    while (!unparsed_.empty() && !bytes.empty() && !done()) {
        unparsed_.append(bytes.substr(0, step));
        bytes.remove_prefix(std::min(step, bytes.size()));
        const auto parsed = parse(unparsed_);
        if (!parsed) return parsed.error();
        unparsed_.erase(0, *parsed);
    }
    const auto parsed = parse(bytes);
    if (!parsed) return parsed.error();
    unparsed_.append(bytes.substr(*parsed));
    if (body_.size() > longest_line)
        return Error{errc::protocol_error, "netlabd's answer does not end", {}, {}};
    return {};
}

Result<void> ResponseReader::feed_end() {
    auto& http = parser_->http;
    if (!http.got_some() && unparsed_.empty()) {
        return Error{
            errc::protocol_error,
            "netlabd closed the connection without an answer",
            "see its log; whoever lives in another user or PID namespace, as in a container, is not served",
            {}};
    }
    boost::beast::error_code error;
    http.put_eof(error);
    if (error) return Error{errc::protocol_error, "the connection to netlabd was lost", {}, {}};
    return {};
}

bool ResponseReader::has_head() const {
    return parser_->http.is_header_done();
}

bool ResponseReader::done() const {
    return parser_->http.is_done();
}

unsigned ResponseReader::status() const {
    return parser_->http.get().result_int();
}

std::string ResponseReader::content_type() const {
    std::string type(parser_->http.get()[http::field::content_type]);
    type.resize(std::min(type.size(), type.find_first_of("; \t")));
    for (char& letter : type) {
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
    return type;
}

std::optional<std::string> ResponseReader::take_line() {
    const auto end = body_.find('\n', std::max(taken_, searched_));
    if (end != std::string::npos) {
        std::string line = body_.substr(taken_, end - taken_);
        taken_ = end + 1;
        return line;
    }
    searched_ = body_.size();
    if (!done() || body_.size() == taken_) return std::nullopt;
    return take_body();
}

void ResponseReader::take(std::size_t bytes) {
    taken_ = std::min(body_.size(), taken_ + bytes);
}

std::string ResponseReader::take_body() {
    searched_ = 0;
    auto body = std::exchange(body_, {});
    body.erase(0, std::exchange(taken_, 0));
    return body;
}

}  // namespace netlab::cli
