#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/unit/pcapng_bytes.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>

using namespace netlab;
using namespace netlab::pcapng;
using test::part;

namespace {

/// Blocks by hand, in the byte order that is asked for.
class Builder {
  public:
    explicit Builder(bool swapped) : swapped_(swapped) {}

    Builder& n16(std::uint16_t value) { return number(swapped_ ? __builtin_bswap16(value) : value); }
    Builder& n32(std::uint32_t value) { return number(swapped_ ? __builtin_bswap32(value) : value); }
    Builder& n64(std::uint64_t value) { return number(swapped_ ? __builtin_bswap64(value) : value); }
    Builder& text(std::string_view value) {
        const auto bytes = std::as_bytes(std::span(value));
        body_.insert(body_.end(), bytes.begin(), bytes.end());
        body_.resize((body_.size() + 3) / 4 * 4);
        return *this;
    }
    Builder& option(std::uint16_t code, std::string_view value) {
        return n16(code).n16(static_cast<std::uint16_t>(value.size())).text(value);
    }
    Builder& block(std::uint32_t type) {
        const auto body = std::exchange(body_, {});
        const auto length = static_cast<std::uint32_t>(body.size() + 12);
        n32(type).n32(length);
        body_.insert(body_.end(), body.begin(), body.end());
        n32(length);
        out_.insert(out_.end(), body_.begin(), body_.end());
        body_.clear();
        return *this;
    }
    Builder& section() {
        return n32(byte_order_magic)
            .n16(1)
            .n16(0)
            .n64(~0ULL)
            .option(3, "os")
            .option(0, "")
            .block(block::section);
    }
    [[nodiscard]] const Bytes& bytes() const { return out_; }

  private:
    template <class T>
    Builder& number(T value) {
        const auto* bytes = reinterpret_cast<const std::byte*>(&value);
        body_.insert(body_.end(), bytes, bytes + sizeof value);
        return *this;
    }

    bool swapped_;
    Bytes body_;
    Bytes out_;
};

/// All that a capture says.
struct Contents {
    std::vector<Section> sections;
    std::vector<InterfaceBlock> interfaces;
    std::vector<PacketHead> heads;
    std::vector<Bytes> packets;
    std::vector<api::NamedAddress> names;
    std::vector<Statistics> statistics;
    friend bool operator==(const Contents&, const Contents&) = default;
};

Result<void> add(Contents& out, const Block& block) {
    const auto keep = [](auto& list, const auto& value) -> Result<void> {
        if (!value) return value.error();
        list.push_back(*value);
        return {};
    };
    switch (block.type) {
        case block::section:
            return keep(out.sections, decode_section(block));
        case block::interface:
            return keep(out.interfaces, decode_interface(block));
        case block::statistics:
            return keep(out.statistics, decode_statistics(block));
        case block::names: {
            const auto names = decode_names(block);
            if (!names) return names.error();
            out.names.insert(out.names.end(), names->begin(), names->end());
            return {};
        }
        case block::packet: {
            const auto packet = decode_packet(block);
            if (!packet) return packet.error();
            CHECK(packet_interface(block).value() == packet->head.interface);
            out.heads.push_back(packet->head);
            out.packets.emplace_back(packet->packet.begin(), packet->packet.end());
            return {};
        }
        default:
            return {};
    }
}

/// Reads on until nothing is whole any more.
Result<void> read_on(Contents& out, Reader& reader) {
    for (;;) {
        const auto block = reader.next();
        if (!block) return block.error();
        if (!*block) return {};
        if (auto added = add(out, **block); !added) return added;
    }
}

Result<Contents> read(const Bytes& bytes, std::size_t piece) {
    Contents out;
    Reader reader;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        reader.feed(part(bytes, at, piece));
        if (auto read = read_on(out, reader); !read) return read.error();
    }
    if (!reader.at_boundary()) return Error{errc::timed_out, "it ends in the middle of a block", {}, {}};
    return out;
}

Contents expected(std::uint32_t packets) {
    Contents out;
    out.sections.push_back({ByteOrder::ours, 1, 0, "Linux 6.1.0", "netlabd 0.1.0", ""});
    out.interfaces.push_back(
        {{"co1:eth0", "docker 0123, net, veth1", "tcp port 80", LinkType::ethernet, 262'144}, 1'000'000'000});
    out.interfaces.push_back({{"co2:any", "", "", LinkType::linux_sll2, 96}, 1'000'000'000});
    out.names = {{IpAddress::parse("172.18.0.2").value(), "co1"},
                 {IpAddress::parse("fd00::2").value(), "co1"},
                 {IpAddress::parse("172.18.0.3").value(), "co2"}};
    for (std::uint32_t i = 0; i < packets; ++i) {
        out.heads.push_back(test::packet_head(i));
        out.packets.push_back(test::packet_bytes(i));
    }
    out.statistics = {test::statistics(0), test::statistics(1)};
    return out;
}

std::string why(const Result<Contents>& result) {
    return result ? "" : result.error().message;
}

/// A file of its own, gone with it.
struct TemporaryFile {
    explicit TemporaryFile(const Bytes& bytes) {
        char name[] = "/tmp/netlab-pcapng-XXXXXX";
        const int descriptor = ::mkstemp(name);
        REQUIRE(descriptor >= 0);
        ::close(descriptor);
        path = name;
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
    ~TemporaryFile() { std::filesystem::remove(path); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    std::string path;
};

}  // namespace

TEST_CASE("pcapng: what is written is read again, cut into pieces of any size", "[unit]") {
    const auto bytes = test::capture_of(20);
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        CAPTURE(piece);
        const auto contents = read(bytes, piece);
        REQUIRE(why(contents).empty());
        REQUIRE(*contents == expected(20));
    }
}

TEST_CASE("pcapng: a capture that ends anywhere is whole blocks, and then the begin of one", "[unit]") {
    const auto bytes = test::capture_of(3);
    std::size_t boundaries = 0;
    for (std::size_t end = 0; end <= bytes.size(); ++end) {
        CAPTURE(end);
        Reader reader;
        Contents out;
        reader.feed(part(bytes, 0, end));
        REQUIRE(read_on(out, reader));
        if (reader.at_boundary()) ++boundaries;
    }
    CHECK(boundaries == 10);  // before the first block and behind each of the nine
}

TEST_CASE("pcapng: texts of every length up to four more than a word come back", "[unit]") {
    for (std::size_t size = 0; size < 9; ++size) {
        const std::string text(size, 'x');
        Bytes bytes;
        append_section(bytes, text, text);
        append_interface(bytes, {text, text, text, LinkType::raw_ip, 0});
        auto counts = test::statistics(0);
        counts.comment = text;
        append_statistics(bytes, counts);
        const auto contents = read(bytes, bytes.size());
        REQUIRE(why(contents).empty());
        CHECK(contents->sections[0].os == text);
        CHECK(contents->interfaces[0].interface == Interface{text, text, text, LinkType::raw_ip, 0});
        CHECK(contents->statistics[0] == counts);
    }
}

TEST_CASE("pcapng: both byte orders say the same", "[unit]") {
    for (const bool swapped : {false, true}) {
        CAPTURE(swapped);
        Builder builder(swapped);
        builder.section();
        builder.n16(1).n16(0).n32(96).option(2, "eth0").option(9, "\x06").option(11,
                                                                                 std::string_view("\0ip", 3));
        builder.option(0, "").block(block::interface);
        builder.n32(0).n32(0x11).n32(0x22222222).n32(5).n32(60).text("hello");
        builder.n16(2).n16(4).n32(2).option(0, "").block(block::packet);
        builder.option(1, std::string_view("\x0a\x00\x00\x01one\0two\0", 12)).n32(0).block(block::names);
        builder.n32(0).n32(1).n32(2).n16(4).n16(8).n64(9).n16(5).n16(8).n64(3).n16(8).n16(8).n64(6);
        builder.n16(2).n16(8).n32(7).n32(8).option(0, "").block(block::statistics);
        const auto contents = read(builder.bytes(), 7);
        REQUIRE(why(contents).empty());
        const auto order = swapped ? ByteOrder::swapped : ByteOrder::ours;
        CHECK(contents->sections == std::vector<Section>{{order, 1, 0, "os", "", ""}});
        CHECK(contents->interfaces ==
              std::vector<InterfaceBlock>{{{"eth0", "", "ip", LinkType::ethernet, 96}, 1'000'000}});
        CHECK(contents->heads == std::vector<PacketHead>{{0, 0x11'2222'2222, 5, 60, Direction::out}});
        CHECK(contents->packets == std::vector<Bytes>{test::bytes_of("hello")});
        const auto address = IpAddress::parse("10.0.0.1").value();
        CHECK(contents->names == std::vector<api::NamedAddress>{{address, "one"}, {address, "two"}});
        CHECK(contents->statistics ==
              std::vector<Statistics>{{0, 7ULL << 32 | 8, 1ULL << 32 | 2, 9, 3, 6, ""}});
    }
}

TEST_CASE("pcapng: a new section may have the other byte order", "[unit]") {
    auto bytes = Builder(true).section().bytes();
    const auto second = Builder(false).section().bytes();
    bytes.insert(bytes.end(), second.begin(), second.end());
    const auto contents = read(bytes, bytes.size());
    REQUIRE(why(contents).empty());
    CHECK(contents->sections[0].order == ByteOrder::swapped);
    CHECK(contents->sections[1].order == ByteOrder::ours);
}

TEST_CASE("pcapng: a resolution is a power of ten or of two", "[unit]") {
    for (const auto& [value, ticks] : std::vector<std::pair<std::string, std::uint64_t>>{
             {std::string(1, '\0'), 1}, {"\x09", 1'000'000'000}, {"\x8a", 1024}, {"\xbf", 1ULL << 63}}) {
        Builder builder(false);
        builder.section().n16(1).n16(0).n32(0).option(9, value).block(block::interface);
        const auto contents = read(builder.bytes(), 1000);
        REQUIRE(why(contents).empty());
        CHECK(contents->interfaces[0].ticks_per_second == ticks);
    }
    for (const std::string value : {"\x14", "\xc0", "\xff", "", "\x09\x09"}) {
        Builder builder(false);
        builder.section().n16(1).n16(0).n32(0).option(9, value).block(block::interface);
        CHECK(why(read(builder.bytes(), 1000)).find("option 9 has a wrong length") != std::string::npos);
    }
}

TEST_CASE("pcapng: lengths that cannot be are refused, before anything is waited for", "[unit]") {
    const auto section = Builder(false).section().bytes();
    for (const std::uint32_t length : {0U, 4U, 8U, 13U, 14U, 0xFFFFFFFFU, longest_block + 4, 0x80000000U}) {
        CAPTURE(length);
        auto bytes = section;
        bytes.resize(section.size() + 12);
        const std::uint32_t type = block::packet;
        std::memcpy(bytes.data() + section.size(), &type, 4);
        std::memcpy(bytes.data() + section.size() + 4, &length, 4);
        CHECK(why(read(bytes, bytes.size())) ==
              "no valid pcapng: a block of " + std::to_string(length) + " bytes");
    }
    auto bytes = section;
    bytes.back() = std::byte{1};
    CHECK(why(read(bytes, bytes.size())) == "no valid pcapng: a block's lengths differ");
}

TEST_CASE("pcapng: what does not begin with a section is none", "[unit]") {
    CHECK(why(read(test::bytes_of("\xd4\xc3\xb2\xa1 an old pcap file"), 100)) ==
          "no valid pcapng: it does not begin with a section");
    CHECK(why(read(test::bytes_of("HTTP/1.1 200 OK\r\n"), 100)) ==
          "no valid pcapng: it does not begin with a section");
    CHECK(why(read(test::bytes_of("\x0a\x0d\x0d\x0a\x1c..............."), 100)) ==
          "no valid pcapng: its byte order is not known");
}

TEST_CASE("pcapng: what is said inside of a block is held against its size", "[unit]") {
    const auto of = [](std::uint32_t type, auto fill) {
        Builder builder(false);
        builder.section();
        fill(builder);
        builder.block(type);
        return why(read(builder.bytes(), 4096));
    };
    CHECK(of(block::interface, [](Builder& b) { b.n32(1); }) == "no valid pcapng: a block is too short");
    CHECK(of(block::packet, [](Builder& b) { b.n64(0).n64(0); }) == "no valid pcapng: a block is too short");
    CHECK(of(block::statistics, [](Builder& b) { b.n64(0); }) == "no valid pcapng: a block is too short");
    CHECK(of(block::packet, [](Builder& b) { b.n64(0).n32(0).n32(0xFFFFFFFF).n32(0).text("abcd"); }) ==
          "no valid pcapng: a packet is longer than its block");
    CHECK(of(block::packet, [](Builder& b) { b.n64(0).n32(0).n32(5).n32(5).text("abcd"); }) ==
          "no valid pcapng: a packet is longer than its block");
    CHECK(of(block::interface, [](Builder& b) { b.n64(1).n16(2).n16(5).text("abcd"); }) ==
          "no valid pcapng: an option is longer than its block");
    CHECK(of(block::interface, [](Builder& b) { b.n64(1).n16(2).n16(0xFFFF); }) ==
          "no valid pcapng: an option is longer than its block");
    CHECK(of(block::packet, [](Builder& b) { b.n64(0).n32(0).n32(0).n32(0).option(2, "ab"); }) ==
          "no valid pcapng: option 2 has a wrong length");
    CHECK(of(block::statistics, [](Builder& b) { b.n64(0).n32(0).option(4, "abcd"); }) ==
          "no valid pcapng: option 4 has a wrong length");
    CHECK(of(block::names, [](Builder& b) { b.option(1, "abc"); }) ==
          "no valid pcapng: option 1 has a wrong length");
    CHECK(of(block::names, [](Builder& b) { b.option(1, "abcdname without an end"); }) ==
          "no valid pcapng: option 1 has a wrong length");
    CHECK(of(block::names, [](Builder& b) { b.option(2, "abcd"); }) ==
          "no valid pcapng: option 2 has a wrong length");
    // Unknown options, records and blocks, and options that end with the block, are nothing wrong.
    CHECK(of(block::interface, [](Builder& b) { b.n64(1).option(0x8123, "xyz"); }).empty());
    CHECK(of(block::names, [](Builder& b) { b.option(77, "xyz"); }).empty());
    CHECK(of(0x0BAD, [](Builder& b) { b.text("whatever"); }).empty());
}

TEST_CASE("pcapng: no changed byte is believed beyond its block", "[unit]") {
    const auto bytes = test::capture_of(4);
    std::size_t refused = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (const auto value : {std::byte{0}, std::byte{0xFF}, bytes[at] ^ std::byte{0x80}}) {
            auto changed = bytes;
            changed[at] = value;
            // The sanitizers watch; what comes of it is either contents or an error.
            if (!read(changed, 64)) ++refused;
        }
    }
    CHECK(refused > 100);
}

TEST_CASE("pcapng: tshark and capinfos read what is written, without a warning", "[unit]") {
    const TemporaryFile file(test::capture_of(50));
    const auto infos = support::run({"capinfos", "-M", file.path});
    CAPTURE(infos.out, infos.err);
    REQUIRE(infos.status == 0);
    CHECK(infos.err.empty());
    const auto says = [&](const std::string& text) { return infos.out.find(text) != std::string::npos; };
    CHECK(says("File type:           pcapng\n"));
    CHECK(says("Number of packets:   50"));
    CHECK(says("Number of interfaces in file: 2"));
    CHECK(says("Name = co1:eth0"));
    CHECK(says("Description = docker 0123, net, veth1"));
    CHECK(says("Filter string = tcp port 80"));
    CHECK(says("Time precision = nanoseconds (9)"));
    CHECK(says("Number of stat entries = 1"));

    const auto fields = support::run(
        {"tshark", "-n", "-r", file.path, "-T", "fields", "-e", "frame.interface_name", "-e",
         "frame.time_epoch", "-e", "frame.packet_flags_direction", "-e", "frame.cap_len", "-e", "frame.len"});
    CAPTURE(fields.out, fields.err);
    REQUIRE(fields.status == 0);
    CHECK(fields.err.find("appears") == std::string::npos);
    const auto lines = fields.lines();
    REQUIRE(lines.size() == 50);
    for (std::uint32_t i = 0; i < 50; ++i) {
        const auto head = test::packet_head(i);
        char line[128];
        std::snprintf(line, sizeof line, "%s\t%llu.%09llu\t0x0000000%d\t%u\t%u",
                      i % 2 == 0 ? "co1:eth0" : "co2:any",
                      static_cast<unsigned long long>(head.time_ns / 1'000'000'000),
                      static_cast<unsigned long long>(head.time_ns % 1'000'000'000),
                      static_cast<int>(head.direction), head.captured, head.length);
        CHECK(lines[i] == line);
    }
    const auto hosts = support::run({"tshark", "-q", "-z", "hosts", "-r", file.path});
    CHECK(hosts.out.find("172.18.0.3\tco2") != std::string::npos);
    CHECK(hosts.out.find("fd00::2\tco1") != std::string::npos);
}

TEST_CASE("pcapng: what other programs write is read", "[unit]") {
    const TemporaryFile file(test::capture_of(12));
    const TemporaryFile other({});
    // editcap writes the blocks anew.
    const auto edited = support::run({"editcap", "-F", "pcapng", "-a", "3:a comment", file.path, other.path});
    REQUIRE(edited.status == 0);
    std::ifstream in(other.path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto contents = read(test::bytes_of(text), 100);
    REQUIRE(why(contents).empty());
    CHECK(contents->packets == expected(12).packets);
    CHECK(contents->heads == expected(12).heads);
    CHECK(contents->interfaces == expected(12).interfaces);
}
