#include "daemon/operations/ruleset_reader.hpp"

#include "common/text.hpp"
#include "daemon/operations/ruleset_text.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include <dlfcn.h>
#include <nftables/libnftables.h>

namespace netlab::operations {

namespace {

/// Those that have words for nft(8) and that Docker, Podman, Kubernetes, ufw, firewalld, fail2ban, libvirt
/// and administrators use; xt_NAT has DNAT, SNAT, MASQUERADE and REDIRECT.
constexpr std::array extensions{
    "ip6t_REJECT", "ip6t_icmp6",   "ip6t_rt",      "ipt_REJECT",   "ipt_icmp",     "ipt_ttl",
    "xt_CLASSIFY", "xt_CONNMARK",  "xt_CT",        "xt_LOG",       "xt_MARK",      "xt_NAT",
    "xt_NFLOG",    "xt_NFQUEUE",   "xt_TCPMSS",    "xt_TRACE",     "xt_addrtype",  "xt_cgroup",
    "xt_comment",  "xt_connlimit", "xt_connmark",  "xt_conntrack", "xt_hashlimit", "xt_iprange",
    "xt_limit",    "xt_mac",       "xt_mark",      "xt_multiport", "xt_owner",     "xt_pkttype",
    "xt_policy",   "xt_rpfilter",  "xt_statistic", "xt_tcp",       "xt_tcpmss",    "xt_udp",
};

/// Called once for each time that libnftables prints, as the stream has no buffer.
ssize_t take_print(void* cookie, const char* text, std::size_t size) {
    auto& print = *static_cast<RulesetReader::Print*>(cookie);
    print.too_large = print.too_large || print.text.size() + size > RulesetReader::most;
    if (!print.too_large) append_printed(print.text, {text, size});
    return static_cast<ssize_t>(size);
}

/// The matches and targets that an extension brings, by its file's name.
std::vector<std::string> names_in(std::string_view extension) {
    if (extension == "xt_NAT") return {"DNAT", "SNAT", "MASQUERADE", "REDIRECT"};
    if (extension == "xt_CT") return {"CT", "NOTRACK"};
    if (extension == "xt_conntrack") return {"conntrack", "state"};
    return {std::string(extension.substr(extension.find('_') + 1))};
}

/// Each registers itself with libxtables, which libnftables has prepared by then. What those bring that could
/// be loaded.
std::vector<std::string> load_extensions() {
    std::vector<std::string> loaded;
    // They lie beside libxtables, which libnftables brings along where it was built with it.
    Dl_info library{};
    void* const symbol = ::dlsym(RTLD_DEFAULT, "xtables_find_match");
    if (symbol == nullptr || ::dladdr(symbol, &library) == 0) return loaded;
    std::string folder(library.dli_fname);
    folder = folder.substr(0, folder.rfind('/')) + "/xtables/lib";
    for (const auto* extension : extensions) {
        if (::dlopen((folder + extension + ".so").c_str(), RTLD_LAZY) == nullptr) continue;
        std::ranges::move(names_in(extension), std::back_inserter(loaded));
    }
    return loaded;
}

}  // namespace

void RulesetReader::FreeContext::operator()(nft_ctx* context) const {
    ::nft_ctx_free(context);
}

void RulesetReader::CloseFile::operator()(std::FILE* file) const {
    std::fclose(file);
}

Result<RulesetReader> RulesetReader::open() {
    RulesetReader reader;
    reader.print_ = std::make_unique<Print>();
    reader.stream_.reset(::fopencookie(reader.print_.get(), "w", {nullptr, &take_print, nullptr, nullptr}));
    reader.context_.reset(::nft_ctx_new(NFT_CTX_DEFAULT));
    if (!reader.stream_ || !reader.context_ || ::nft_ctx_buffer_error(reader.context_.get()) != 0)
        return Error{errc::operation_failed, "cannot open libnftables", {}, {}};
    reader.translated_ = load_extensions();
    std::setvbuf(reader.stream_.get(), nullptr, _IONBF, 0);
    ::nft_ctx_set_output(reader.context_.get(), reader.stream_.get());
    return reader;
}

Result<void> RulesetReader::list(unsigned flags) {
    *print_ = {};
    ::nft_ctx_output_set_flags(context_.get(), flags);
    if (::nft_run_cmd_from_buffer(context_.get(), "list ruleset") == 0) return {};
    const std::string_view said(::nft_ctx_get_error_buffer(context_.get()));
    return Error{errc::operation_failed,
                 "cannot list the rules of nf_tables: " + valid_utf8(said.substr(0, said.find('\n'))),
                 {},
                 {}};
}

Result<std::string> RulesetReader::read() {
    auto listed = list(NFT_CTX_OUTPUT_HANDLE);
    if (listed && print_->too_large) listed = list(NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_TERSE);
    if (!listed) return listed.error();
    if (print_->too_large)
        return Error{errc::operation_failed, "there are more than 16 MiB of rules in nf_tables", {}, {}};
    return std::move(print_->text);
}

Result<void> RulesetReader::run(const std::string& commands) {
    *print_ = {};
    if (::nft_run_cmd_from_buffer(context_.get(), commands.c_str()) == 0) return {};
    const std::string_view said(::nft_ctx_get_error_buffer(context_.get()));
    return Error{errc::operation_failed, "nf_tables: " + valid_utf8(said.substr(0, said.find('\n'))), {}, {}};
}

}  // namespace netlab::operations
