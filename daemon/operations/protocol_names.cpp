#include "daemon/operations/protocol_names.hpp"

#include <array>

#include <netdb.h>

/// libnftables asks the C library what a protocol is called, and that would look in /etc/protocols, which is
/// out of reach in the sandbox: so the program answers itself. A library's call comes here, as the program's
/// functions go before the C library's.
extern "C" {

protoent* getprotobynumber(int number);
int getprotobynumber_r(int number, protoent* out, char* buffer, size_t size, protoent** result);

}  // extern "C"

namespace {

struct Protocol {
    int number;
    const char* name;
};

/// IANA's, under the names that /etc/protocols has.
constexpr std::array protocols{
    Protocol{0, "ip"},
    Protocol{1, "icmp"},
    Protocol{2, "igmp"},
    Protocol{4, "ipencap"},
    Protocol{6, "tcp"},
    Protocol{8, "egp"},
    Protocol{9, "igp"},
    Protocol{17, "udp"},
    Protocol{33, "dccp"},
    Protocol{41, "ipv6"},
    Protocol{43, "ipv6-route"},
    Protocol{44, "ipv6-frag"},
    Protocol{46, "rsvp"},
    Protocol{47, "gre"},
    Protocol{50, "esp"},
    Protocol{51, "ah"},
    Protocol{58, "ipv6-icmp"},
    Protocol{59, "ipv6-nonxt"},
    Protocol{60, "ipv6-opts"},
    Protocol{88, "eigrp"},
    Protocol{89, "ospf"},
    Protocol{94, "ipip"},
    Protocol{97, "etherip"},
    Protocol{98, "encap"},
    Protocol{103, "pim"},
    Protocol{108, "ipcomp"},
    Protocol{112, "vrrp"},
    Protocol{115, "l2tp"},
    Protocol{124, "isis"},
    Protocol{132, "sctp"},
    Protocol{135, "mobility-header"},
    Protocol{136, "udplite"},
    Protocol{262, "mptcp"},
};

char* no_aliases[] = {nullptr};  // NOLINT: as <netdb.h> has it

bool fill(int number, protoent& out) {
    const auto* name = netlab::operations::protocol_name(number);
    if (name == nullptr) return false;
    out = {const_cast<char*>(name), no_aliases, number};  // nobody writes there
    return true;
}

}  // namespace

const char* netlab::operations::protocol_name(int number) {
    for (const auto& protocol : protocols) {
        if (protocol.number == number) return protocol.name;
    }
    return nullptr;
}

protoent* getprotobynumber(int number) {
    static thread_local protoent found;
    return fill(number, found) ? &found : nullptr;
}

int getprotobynumber_r(int number, protoent* out, char* /*buffer*/, size_t /*size*/, protoent** result) {
    *result = fill(number, *out) ? out : nullptr;
    return 0;
}
