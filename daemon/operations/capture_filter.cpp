#include "daemon/operations/capture_filter.hpp"

#include "common/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <linux/if_packet.h>
#include <pcap/dlt.h>
#include <unistd.h>

namespace netlab::operations {

namespace {

constexpr std::size_t most_instructions = 4096;  // BPF_MAXINSNS
/// libpcap's optimiser takes the square of their number: a second and a half for so many.
constexpr std::size_t most_unoptimised = 10'000;
constexpr std::size_t longest_text = 32 * 1024;
constexpr std::uint32_t sll2_size = 20;

Error too_long(const std::string& what) {
    return {errc::bad_request,
            "the filter is too long: with its names as addresses it comes to " + what,
            "portrange or net in place of many ports or hosts, or several captures",
            {}};
}

/// pcap_compile's program, and what it says where there is none.
struct Compiled {
    bpf_program program{};
    bool fine = false;

    Compiled(pcap_t* handle, const std::string& text, bool optimise)
        : fine(::pcap_compile(handle, &program, text.c_str(), optimise ? 1 : 0, PCAP_NETMASK_UNKNOWN) == 0) {}
    ~Compiled() {
        if (fine) ::pcap_freecode(&program);
    }
    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;
};

/// Whether some filter begins with these words. What may follow is tried: an operand of each kind, and as
/// many closing brackets as are open. Unoptimised, as only the grammar matters.
bool can_begin(pcap_t* handle, const FilterWords& words, std::size_t count) {
    const auto text = words.text(count);
    const auto open = [&](char opening, char closing) {
        const auto difference = std::ranges::count(text, opening) - std::ranges::count(text, closing);
        return std::string(static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, difference)), closing);
    };
    const auto round = open('(', ')');
    const auto square = open('[', ']');
    constexpr std::array operands{
        "",        " 1",   " 127.0.0.1", " ::1",     " 1-2",       " host 127.0.0.1",
        " port 1", " ip",  " ip6",       " proto 1", " net 10",    " 00:00:00:00:00:00",
        " and ip", " len", " == 0",      " type 0",  " broadcast", " host 00:00:00:00:00:00"};
    // To libpcap a range is a name, which it looks up wherever none is due.
    const bool range = count > 0 && words.words[count - 1].text == "portrange";
    for (const std::string operand : operands) {
        if (operand == " 1-2" && !range) continue;
        const std::array endings{operand + round, operand + square + round,
                                 operand + square + " == 0" + round, operand + round + " == 0"};
        for (const auto& ending : endings) {
            if (Compiled(handle, text + ending, false).fine) return true;
        }
    }
    return false;
}

/// The first word that no filter can go on with. What can begin a filter begins with what can.
std::size_t wrong_word(pcap_t* handle, const FilterWords& words) {
    std::size_t good = 0;
    std::size_t bad = words.words.size() + 1;
    while (bad - good > 1) {
        const auto middle = good + (bad - good) / 2;
        (can_begin(handle, words, middle) ? good : bad) = middle;
    }
    return good;
}

Error compile_error(pcap_t* handle, const FilterWords& words) {
    const std::string message = ::pcap_geterr(handle);
    const auto word = wrong_word(handle, words);
    const auto place = word < words.words.size() ? words.words[word].begin : words.written.size();
    return {errc::bad_request, message, "see pcap-filter(7)", details_of(words.written, place)};
}

sock_filter load(std::uint32_t extension) {
    return {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF) + extension};
}

sock_filter jump_if_equal(std::uint32_t value, std::uint8_t if_true, std::uint8_t if_false) {
    return {BPF_JMP | BPF_JEQ | BPF_K, if_true, if_false, value};
}

constexpr sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};

/// Where the kernel has what stands at `offset` of an SLL2 header (pcap-linux.c, fix_offset()).
std::optional<std::uint32_t> beside_packet(std::uint32_t offset) {
    const auto extension = [](std::uint32_t number) {
        return static_cast<std::uint32_t>(SKF_AD_OFF) + number;
    };
    if (offset >= static_cast<std::uint32_t>(SKF_AD_OFF)) return offset;  // it is one already: `vlan`
    if (offset >= sll2_size) return offset - sll2_size;
    switch (offset) {
        case 0:
            return extension(SKF_AD_PROTOCOL);
        case 4:
            return extension(SKF_AD_IFINDEX);
        case 8:
            return extension(SKF_AD_HATYPE);
        case 10:
            return extension(SKF_AD_PKTTYPE);
        default:
            return std::nullopt;
    }
}

}  // namespace

Result<void> FilterCompilers::open(pcapng::LinkType link_type) {
    if (handle_of(link_type) != nullptr) return {};
    std::array<char, PCAP_ERRBUF_SIZE> error{};
    // Of raw IP nothing depends on a real one. `lo` is an Ethernet to libpcap, and `any` its name for all.
    if (link_type == pcapng::LinkType::raw_ip) {
        compilers_.push_back({link_type, Pcap(::pcap_open_dead(DLT_RAW, api::CaptureLimits::snap))});
        return {};
    }
    const bool any = link_type == pcapng::LinkType::linux_sll2;
    Pcap handle(::pcap_create(any ? "any" : "lo", error.data()));
    if (!handle)
        return Error{errc::operation_failed, std::string("cannot ask libpcap: ") + error.data(), {}, {}};
    // libpcap's ring is made of pieces of 256 KiB.
    constexpr int small_buffer = 1024 * 1024;
    ::pcap_set_buffer_size(handle.get(), small_buffer);
    ::pcap_set_snaplen(handle.get(), api::CaptureLimits::snap);
    const int wanted = any ? DLT_LINUX_SLL2 : DLT_EN10MB;
    const bool ready = ::pcap_activate(handle.get()) >= 0 && (::pcap_datalink(handle.get()) == wanted ||
                                                              ::pcap_set_datalink(handle.get(), wanted) == 0);
    // A namespace whose loopback has another name has no `lo`: then without `vlan`.
    if (!ready) handle.reset(::pcap_open_dead(wanted, api::CaptureLimits::snap));
    if (ready) {
        bpf_insn none{BPF_RET | BPF_K, 0, 0, 0};
        bpf_program program{1, &none};
        ::pcap_setfilter(handle.get(), &program);
        // To compile takes the handle alone; its socket has a number from which packets could be sent
        // (read_only()).
        const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
        if (!null || ::dup3(null.get(), ::pcap_fileno(handle.get()), O_CLOEXEC) < 0)
            return system_error(errc::operation_failed, "keep libpcap's socket from sending", errno);
    }
    compilers_.push_back({link_type, std::move(handle)});
    return {};
}

pcap_t* FilterCompilers::handle_of(pcapng::LinkType link_type) {
    const auto found = std::ranges::find(compilers_, link_type, &Compiler::link_type);
    return found == compilers_.end() ? nullptr : found->handle.get();
}

Result<std::vector<sock_filter>> FilterCompilers::compile(const FilterWords& words,
                                                          pcapng::LinkType link_type,
                                                          std::uint32_t snap_length) {
    std::vector<sock_filter> out;
    if (words.words.empty()) {
        out.push_back({BPF_RET | BPF_K, 0, 0, snap_length});
        return out;
    }
    auto* handle = handle_of(link_type);
    // Names may stand for many addresses, and libpcap's recursion is as deep as there are.
    if (words.text().size() > longest_text) return too_long(std::to_string(words.text().size()) + " bytes");
    const Compiled unoptimised(handle, words.text(), false);
    if (!unoptimised.fine) return compile_error(handle, words);
    if (unoptimised.program.bf_len > most_unoptimised) {
        return too_long(std::to_string(unoptimised.program.bf_len) + " instructions of " +
                        std::to_string(most_unoptimised) + " before it is optimised");
    }
    const Compiled compiled(handle, words.text(), true);
    if (!compiled.fine) return compile_error(handle, words);
    for (const auto& instruction : std::span(compiled.program.bf_insns, compiled.program.bf_len)) {
        auto& copy =
            out.emplace_back(sock_filter{instruction.code, instruction.jt, instruction.jf, instruction.k});
        // libpcap returns the snap length of its handle for what is kept.
        if (copy.code == (BPF_RET | BPF_K) && copy.k != 0) copy.k = snap_length;
    }
    if (link_type != pcapng::LinkType::linux_sll2) return out;
    auto fixed = without_sll2(std::move(out));
    if (fixed) return std::move(*fixed);
    return Error{errc::bad_request, "on 'any' a filter cannot look at that part of the link-layer header",
                 "name the interface: co1:eth0", details_of(words.written, 0)};
}

std::optional<std::vector<sock_filter>> with_rules(const SourceRules& rules,
                                                   std::span<const sock_filter> program) {
    using api::CaptureDirection;
    std::vector<sock_filter> out;
    if (rules.direction != CaptureDirection::inout) {
        const bool wants_out = rules.direction == CaptureDirection::out;
        out.push_back(load(SKF_AD_PKTTYPE));
        out.push_back(jump_if_equal(PACKET_OUTGOING, wants_out ? 1 : 0, wants_out ? 0 : 1));
        out.push_back(drop);
    } else if (rules.loopback) {
        out.push_back(load(SKF_AD_IFINDEX));
        out.push_back(jump_if_equal(*rules.loopback, 0, 3));
        out.push_back(load(SKF_AD_PKTTYPE));
        out.push_back(jump_if_equal(PACKET_OUTGOING, 0, 1));
        out.push_back(drop);
    }
    out.insert(out.end(), program.begin(), program.end());
    if (out.size() > most_instructions) return std::nullopt;
    return out;
}

std::optional<std::vector<sock_filter>> without_sll2(std::vector<sock_filter> program) {
    for (auto& instruction : program) {
        const auto instruction_class = BPF_CLASS(instruction.code);
        if (instruction_class != BPF_LD && instruction_class != BPF_LDX) continue;
        const auto mode = BPF_MODE(instruction.code);
        if (mode != BPF_ABS && mode != BPF_IND && mode != BPF_MSH) continue;
        const auto fixed = beside_packet(instruction.k);
        if (!fixed) return std::nullopt;
        instruction.k = *fixed;
    }
    return program;
}

}  // namespace netlab::operations
