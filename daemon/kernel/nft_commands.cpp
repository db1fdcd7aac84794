#include "daemon/kernel/nft_commands.hpp"

#include <nftables/libnftables.h>

namespace netlab::kernel {

void NftCommands::Close::operator()(nft_ctx* context) const {
    nft_ctx_free(context);
}

Result<NftCommands> NftCommands::open() {
    std::unique_ptr<nft_ctx, Close> context(nft_ctx_new(NFT_CTX_DEFAULT));
    if (!context) return Error{errc::operation_failed, "libnftables does not start", {}, {}};
    nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_NUMERIC_TIME);
    if (nft_ctx_buffer_output(context.get()) != 0 || nft_ctx_buffer_error(context.get()) != 0)
        return Error{errc::operation_failed, "libnftables has no memory", {}, {}};
    return NftCommands(std::move(context));
}

Result<std::string> NftCommands::run(const std::string& command) {
    const int failed = nft_run_cmd_from_buffer(context_.get(), command.c_str());
    // Both are fetched each time: that empties them.
    const std::string output = nft_ctx_get_output_buffer(context_.get());
    const std::string errors = nft_ctx_get_error_buffer(context_.get());
    if (failed == 0) return output;
    return Error{errc::operation_failed, "nftables: " + errors.substr(0, errors.find('\n')), {}, {}};
}

}  // namespace netlab::kernel
