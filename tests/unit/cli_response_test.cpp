#include "cli/response.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using cli::ResponseReader;

namespace {

const std::string stream =
    "HTTP/1.1 200 OK\r\nContent-Type: Application/X-NDJSON; charset=utf-8\r\nTransfer-Encoding: "
    "chunked\r\n\r\n"
    "6\r\n{\"a\":1\r\n"
    "9\r\n}\n{\"b\":2}\r\n"
    "1\r\n\n\r\n"
    "0\r\n\r\n";

std::vector<std::string> lines_of(ResponseReader& reader) {
    std::vector<std::string> lines;
    while (auto line = reader.take_line())
        lines.push_back(*line);
    return lines;
}

}  // namespace

TEST_CASE("response: a chunked stream gives the same lines wherever it is cut", "[unit]") {
    for (std::size_t cut = 1; cut < stream.size(); ++cut) {
        CAPTURE(cut);
        ResponseReader reader;
        std::vector<std::string> lines;
        for (std::size_t at = 0; at < stream.size(); at += cut) {
            REQUIRE(reader.feed(std::string_view(stream).substr(at, cut)));
            for (auto& line : lines_of(reader))
                lines.push_back(line);
        }
        REQUIRE(reader.done());
        CHECK(reader.status() == 200);
        CHECK(reader.content_type() == "application/x-ndjson");
        CHECK(lines == std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"});
    }
}

TEST_CASE("response: a line is given as soon as it is whole, before the stream ends", "[unit]") {
    ResponseReader reader;
    REQUIRE(reader.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab\nc\r\n"));
    CHECK(lines_of(reader) == std::vector<std::string>{"ab"});
    CHECK_FALSE(reader.done());
    REQUIRE(reader.feed("1\r\nd\r\n0\r\n\r\n"));
    CHECK(reader.done());
    CHECK(lines_of(reader) == std::vector<std::string>{"cd"});
}

TEST_CASE("response: a body with a length ends with it", "[unit]") {
    ResponseReader reader;
    REQUIRE(reader.feed("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhe"));
    CHECK_FALSE(reader.done());
    REQUIRE(reader.feed("llo and something behind"));
    CHECK(reader.done());
    CHECK(reader.status() == 404);
    CHECK(reader.take_body() == "hello");
}

TEST_CASE("response: a body without a length ends with the connection", "[unit]") {
    ResponseReader reader;
    REQUIRE(reader.feed("HTTP/1.0 200 OK\r\n\r\nhello"));
    CHECK_FALSE(reader.done());
    REQUIRE(reader.feed_end());
    CHECK(reader.take_body() == "hello");
}

TEST_CASE("response: a connection that ends early is lost, not done", "[unit]") {
    for (const std::string sent : {"HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
                                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab\nc\r\n"}) {
        CAPTURE(sent);
        ResponseReader reader;
        REQUIRE(reader.feed(sent));
        const auto end = reader.feed_end();
        REQUIRE(end.has_error());
        CHECK(end.error().message == "the connection to netlabd was lost");
        CHECK(exit_code(end.error().code) == 5);
    }
    ResponseReader silent;
    REQUIRE(silent.feed_end().has_error());
    CHECK(silent.feed_end().error().message == "netlabd closed the connection without an answer");
}

TEST_CASE("response: a server that speaks something else is told as such", "[unit]") {
    for (const std::string sent :
         {"220 mail.example ESMTP\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
        CAPTURE(sent);
        ResponseReader reader;
        const auto fed = reader.feed(sent);
        REQUIRE(fed.has_error());
        CHECK(fed.error().message.starts_with("what answers is not netlabd"));
    }
    ResponseReader reader;
    CHECK(reader.feed("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x')).has_error());
}

TEST_CASE("response: a long body of bytes is the same wherever it is cut", "[unit]") {
    // Chunks of all sizes, as a capture has them, and every byte.
    std::string body;
    std::string sent =
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-pcapng\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t i = 0; i < 600; ++i) {
        const std::string chunk(i * 7 % 1000 + 1, static_cast<char>(i));
        char size[16];
        std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
        sent += size + chunk + "\r\n";
        body += chunk;
    }
    sent += "0\r\n\r\n";
    for (const std::size_t cut : {1UL, 2UL, 3UL, 255UL, 256UL, 257UL, 4096UL, 65536UL, 1UL << 20}) {
        CAPTURE(cut);
        ResponseReader reader;
        std::string got;
        for (std::size_t at = 0; at < sent.size(); at += cut) {
            REQUIRE(reader.feed(std::string_view(sent).substr(at, cut)));
            // A part is left for the next time.
            const auto piece = reader.body().substr(0, reader.body().size() * 3 / 4);
            got += piece;
            reader.take(piece.size());
        }
        REQUIRE(reader.done());
        got += reader.body();
        CHECK((got == body));
    }
}

TEST_CASE("response: body and lines may be taken in turn", "[unit]") {
    ResponseReader reader;
    REQUIRE(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nab\ncd\nefg"));
    CHECK(reader.body() == "ab\ncd\nefg");
    CHECK(reader.take_line() == "ab");
    CHECK(reader.body() == "cd\nefg");
    reader.take(1);
    CHECK(reader.take_line() == "d");
    REQUIRE(reader.feed("h\ni"));
    CHECK(reader.take_line() == "efgh");
    reader.take(99);
    CHECK(reader.body().empty());
}
