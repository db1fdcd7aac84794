#include "daemon/front/frames.hpp"
#include "tests/support/catch.hpp"

#include <cstring>
#include <string>

using namespace netlab;
using front::Frames;

namespace {

using Bytes = std::vector<std::byte>;

void append(Bytes& out, frame::Kind kind, std::string_view payload) {
    const frame::Header header{kind, static_cast<std::uint32_t>(payload.size())};
    const auto* bytes = reinterpret_cast<const std::byte*>(&header);
    out.insert(out.end(), bytes, bytes + sizeof header);
    const auto* body = reinterpret_cast<const std::byte*>(payload.data());
    out.insert(out.end(), body, body + payload.size());
}

/// What a stream says when it comes in pieces of `step` bytes: "data:…", "record:…", "error:CODE:…", "end",
/// "broken".
std::vector<std::string> said(const Bytes& bytes, std::size_t step) {
    std::vector<std::string> out;
    Frames frames;
    std::string data;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        auto input = std::span(bytes).subspan(at, std::min(step, bytes.size() - at));
        for (;;) {
            const auto piece = frames.next(input);
            const std::string text(reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size());
            if (piece.kind == Frames::Kind::none) break;
            if (piece.kind == Frames::Kind::data) {
                data += text;
                continue;
            }
            if (!data.empty()) out.push_back("data:" + std::exchange(data, {}));
            if (piece.kind == Frames::Kind::record) out.push_back("record:" + text);
            if (piece.kind == Frames::Kind::counts)
                out.push_back("counts:" + std::to_string(piece.counts.packets) + "/" +
                              std::to_string(piece.counts.dropped));
            if (piece.kind == Frames::Kind::error)
                out.push_back("error:" + std::to_string(piece.code) + ":" + text);
            if (piece.kind == Frames::Kind::end) out.push_back("end");
            if (piece.kind == Frames::Kind::broken) {
                out.push_back("broken");
                return out;
            }
        }
    }
    if (!data.empty()) out.push_back("data:" + data);
    return out;
}

}  // namespace

TEST_CASE("front frames: a stream says the same however the reads have cut it", "[unit]") {
    Bytes stream;
    append(stream, frame::Kind::data, "one\n");
    append(stream, frame::Kind::data, "");
    append(stream, frame::Kind::data, "two\n");
    append(stream, frame::Kind::record, "abc");
    append(stream, frame::Kind::record, "");
    append(stream, frame::Kind::error, std::string("\x05\x00{}", 4));
    append(stream, frame::Kind::end, "");
    const std::vector<std::string> expected{"data:one\ntwo\n", "record:abc", "record:", "error:5:{}", "end"};
    for (std::size_t step = 1; step <= stream.size(); ++step) {
        INFO("step " << step);
        CHECK(said(stream, step) == expected);
    }
}

TEST_CASE("front frames: what is no frame breaks the stream for good", "[unit]") {
    const auto broken = [](frame::Kind kind, std::string_view payload, std::uint32_t size) {
        Bytes stream;
        append(stream, kind, payload);
        std::memcpy(stream.data() + offsetof(frame::Header, size), &size, sizeof size);
        append(stream, frame::Kind::end, "");
        return said(stream, stream.size()) == std::vector<std::string>{"broken"};
    };
    CHECK(broken(static_cast<frame::Kind>(0), "", 0));
    CHECK(broken(static_cast<frame::Kind>(5), "x", 1));
    CHECK(broken(frame::Kind::data, "x", frame::largest + 1));
    CHECK(broken(frame::Kind::record, "x", 0xFFFFFFFF));
    CHECK(broken(frame::Kind::error, "x", 1));
    CHECK(broken(frame::Kind::end, "x", 1));
}

TEST_CASE("front frames: nothing may follow the end, and only the end an error", "[unit]") {
    Bytes stream;
    append(stream, frame::Kind::end, "");
    append(stream, frame::Kind::data, "x");
    CHECK(said(stream, 3) == std::vector<std::string>{"end", "broken"});
    stream.clear();
    append(stream, frame::Kind::error, std::string("\x01\x00{}", 4));
    append(stream, frame::Kind::data, "x");
    CHECK(said(stream, 64) == std::vector<std::string>{"error:1:{}", "broken"});
}

TEST_CASE("front frames: any number of empty frames takes no stack", "[unit]") {
    Bytes stream;
    for (int i = 0; i < 200'000; ++i)
        append(stream, frame::Kind::data, "");
    append(stream, frame::Kind::end, "");
    CHECK(said(stream, stream.size()) == std::vector<std::string>{"end"});
}

TEST_CASE("front frames: counts are two numbers and nothing else", "[unit]") {
    const frame::Counts counts{7, 2};
    const std::string payload(reinterpret_cast<const char*>(&counts), sizeof counts);
    Bytes stream;
    append(stream, frame::Kind::data, "one");
    append(stream, frame::Kind::counts, payload);
    append(stream, frame::Kind::data, "two");
    append(stream, frame::Kind::end, "");
    for (const std::size_t step : {1, 7, 1000})
        CHECK(said(stream, step) == std::vector<std::string>{"data:one", "counts:7/2", "data:two", "end"});
    Bytes wrong;
    append(wrong, frame::Kind::counts, payload.substr(1));
    CHECK(said(wrong, 1000) == std::vector<std::string>{"broken"});
}
