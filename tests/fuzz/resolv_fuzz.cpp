#include "common/endpoint.hpp"
#include "daemon/operations/container_text.hpp"
#include "daemon/operations/docker_upstreams.hpp"
#include "daemon/operations/hosts_file.hpp"
#include "daemon/operations/numeric_host.hpp"
#include "daemon/operations/resolv_conf.hpp"
#include "tests/fuzz/check.hpp"

#include <sys/mman.h>
#include <unistd.h>

/// A container's resolv.conf and hosts, which are whatever the user of the container made of them, and what
/// is made of the former by Docker's rules.

using namespace netlab;
using namespace netlab::fuzz;
using namespace netlab::operations;

namespace {

void fuzz_resolv_conf(std::string_view text) {
    const auto reading = read_resolv_conf(text);
    const auto& conf = reading.conf;
    check(conf == parse_resolv_conf(text));
    check(!conf.servers.empty() && conf.servers.size() <= ResolvConf::most_servers);
    check(conf.ndots <= 15 && conf.attempts >= 1 && conf.attempts <= 5);
    check(reading.skipped.size() <= ResolvConfReading::most_skipped);
    for (std::size_t i = 0; i < conf.servers.size(); ++i) {
        check(!conf.servers[i].to_string().empty());
        check(server_timeout(conf, i) >= std::chrono::seconds(1));
    }
    UpstreamSources sources;
    sources.noted = reading.external;
    check(docker_upstreams(sources).servers.size() <= ResolvConf::most_servers);
    // Without a word of its own in the container's the engine takes the host's.
    sources = {{}, ContainerDns{}, DockerdArguments{}, std::string(), std::string(text), std::string(text)};
    check(docker_upstreams(sources).servers.size() <= ResolvConf::most_servers);
}

void fuzz_hosts(std::string_view text) {
    const auto reading = read_hosts(text);
    for (const auto& line : reading.lines) {
        check(!line.names.empty());
        const auto found = hosts_addresses(text, line.names.front(), std::nullopt);
        check(std::ranges::find(found, line.address) != found.end());
        check(!hosts_names(text, line.address).empty());
        // Each line's names are looked for in all lines.
        if (&line - reading.lines.data() == 4) break;
    }
    (void)hosts_addresses(text, "localhost", Family::ipv6);
}

/// The file is the container's: it may be longer than anybody wants to read.
void fuzz_file(std::string_view text) {
    static const int file = ::memfd_create("resolv.conf", MFD_CLOEXEC);
    check(::ftruncate(file, 0) == 0);
    check(::pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    // What lies behind a hole is read, too.
    if (text.starts_with("# long")) check(::ftruncate(file, ContainerText::most + 1) == 0);
    const auto read = read_container_text(file);
    check(read && read->text.size() <= ContainerText::most);
    if (!read->truncated) check(read->text == text);
    if (read->truncated) check(read->text.empty() || read->text.ends_with('\n'));
    constexpr int nobodys = 1 << 20;
    check(!read_container_text(nobodys) && read_container_text(-1)->text.empty());
}

/// An address that somebody wrote: to the kernel and back it is the same.
void fuzz_address(const IpAddress& address) {
    constexpr std::uint16_t port = 53;
    sockaddr_storage raw;
    check(address.to_sockaddr(raw, port) <= sizeof raw && IpAddress::from_sockaddr(raw) == address);
    check(IpAddress::parse(address.to_string()) == address);
    const auto end = endpoint_text(address, port);
    check(end.ends_with(":53") && (end.find(']') != end.npos) == address.is_v6());
    check(!(address.is_multicast() && (address.is_loopback() || address.is_unspecified())));
}

/// "10.0.0.0/8", and whether the first address of the text is in it.
void fuzz_prefix(std::string_view text) {
    const auto prefix = IpPrefix::parse(text.substr(0, text.find('\n')));
    if (!prefix) return;
    check(prefix->contains(prefix->address()) && IpPrefix::parse(prefix->to_string()) == *prefix);
    for (const auto& line : read_hosts(text).lines)
        check(!prefix->is_broadcast(line.address) || prefix->contains(line.address));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    fuzz_resolv_conf(text);
    fuzz_hosts(text);
    fuzz_file(text);
    if (const auto host = parse_numeric_host(text)) fuzz_address(host->address);
    fuzz_prefix(text);
    return 0;
}
