#pragma once

#include "common/error.hpp"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

struct nft_ctx;

/// The rules of nf_tables as libnftables writes them.
namespace netlab::operations {

/// libnftables in one network namespace. It ends the process where it has no memory.
class RulesetReader {
  public:
    /// In the namespace that the calling thread is in, while there is a file system: the extensions of
    /// x_tables are loaded that rules of iptables-nft are translated with. errc::operation_failed.
    [[nodiscard]] static Result<RulesetReader> open();

    /// All tables, for parse_ruleset(); with CAP_NET_ADMIN, without the file system. Where there are more
    /// than `most` bytes of them, without the elements of sets. errc::operation_failed (also where even so
    /// there are more), errc::unsupported where the kernel has no nf_tables.
    [[nodiscard]] Result<std::string> read();

    /// Other commands in nft(8)'s language, with CAP_NET_ADMIN. A table with the owner flag that they make
    /// lives as long as this does, in whichever process. errc::operation_failed.
    [[nodiscard]] Result<void> run(const std::string& commands);

    /// The matches and targets of x_tables that are translated. Of another one the text says nothing once the
    /// file system is gone: name_untranslated() does.
    [[nodiscard]] const std::vector<std::string>& translated() const { return translated_; }

    static constexpr std::size_t most = 16 << 20;

    struct Print {
        std::string text;
        bool too_large = false;
    };

  private:
    struct FreeContext {
        void operator()(nft_ctx* context) const;
    };
    struct CloseFile {
        void operator()(std::FILE* file) const;
    };
    RulesetReader() = default;
    [[nodiscard]] Result<void> list(unsigned flags);

    std::vector<std::string> translated_;
    std::unique_ptr<Print> print_;
    std::unique_ptr<std::FILE, CloseFile> stream_;  ///< to print_
    std::unique_ptr<nft_ctx, FreeContext> context_;
};

}  // namespace netlab::operations
