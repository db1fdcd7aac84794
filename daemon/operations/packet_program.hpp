#pragma once

#include <cstdint>
#include <vector>

#include <linux/filter.h>

namespace netlab::operations {

/// A classic BPF program as it is written: a test that fails jumps behind the next keep() or drop(). The
/// packet begins with the IP header (SOCK_DGRAM).
class PacketProgram {
  public:
    explicit PacketProgram(std::uint32_t kept_bytes) : kept_bytes_(kept_bytes) {}

    void load(std::uint16_t size, std::uint32_t at) { add(BPF_LD | size | BPF_ABS, at); }
    void load_behind_header(std::uint16_t size, std::uint32_t at) { add(BPF_LD | size | BPF_IND, at); }
    /// X becomes the length of the IPv4 header.
    void measure_header() { add(BPF_LDX | BPF_B | BPF_MSH, 0); }
    void set_header(std::uint32_t length) { add(BPF_LDX | BPF_IMM, length); }
    void mask(std::uint32_t bits) { add(BPF_ALU | BPF_AND | BPF_K, bits); }
    void need_equal(std::uint32_t value) {
        failing_.push_back(code_.size());
        add(BPF_JMP | BPF_JEQ | BPF_K, value);
    }
    void need_none_of(std::uint32_t bits) {
        inverted_.push_back(code_.size());
        add(BPF_JMP | BPF_JSET | BPF_K, bits);
    }
    void need_some_of(std::uint32_t bits) {
        failing_.push_back(code_.size());
        add(BPF_JMP | BPF_JSET | BPF_K, bits);
    }
    /// The packet is kept (or not) where all tests since the last decision held; else the next ones are
    /// asked.
    void keep() { decide(kept_bytes_); }
    void drop() { decide(0); }
    [[nodiscard]] sock_fprog finished() { return {static_cast<unsigned short>(code_.size()), code_.data()}; }

  private:
    void decide(std::uint32_t bytes) {
        add(BPF_RET | BPF_K, bytes);
        const auto end = code_.size();
        // Jumps are relative to the next instruction, and eight bits wide: each branch is shorter by far.
        for (const auto at : failing_)
            code_[at].jf = static_cast<std::uint8_t>(end - at - 1);
        for (const auto at : inverted_)
            code_[at].jt = static_cast<std::uint8_t>(end - at - 1);
        failing_.clear();
        inverted_.clear();
    }
    void add(int code, std::uint32_t value) {
        code_.push_back({static_cast<std::uint16_t>(code), 0, 0, value});
    }

    std::uint32_t kept_bytes_;
    std::vector<sock_filter> code_;
    std::vector<std::size_t> failing_;   // jump where false
    std::vector<std::size_t> inverted_;  // jump where true
};

}  // namespace netlab::operations
