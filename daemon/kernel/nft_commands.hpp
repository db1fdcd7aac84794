#pragma once

#include "common/error.hpp"

#include <memory>
#include <string>

struct nft_ctx;

namespace netlab::kernel {

/// libnftables in one network namespace: commands in nft(8)'s language, text back. It sends by itself, which
/// takes CAP_NET_ADMIN at that time, and a table with the owner flag lives as long as this and its copies in
/// other processes.
class NftCommands {
  public:
    /// In the calling thread's network namespace, where it opens its socket. Reads files of the host's.
    /// errc::operation_failed.
    [[nodiscard]] static Result<NftCommands> open();

    /// What it printed. errc::operation_failed with its first line of errors.
    [[nodiscard]] Result<std::string> run(const std::string& command);

  private:
    struct Close {
        void operator()(nft_ctx* context) const;
    };
    explicit NftCommands(std::unique_ptr<nft_ctx, Close> context) : context_(std::move(context)) {}

    std::unique_ptr<nft_ctx, Close> context_;
};

}  // namespace netlab::kernel
