#include "tests/netns/strange_responder.hpp"

#include "daemon/operations/icmp.hpp"
#include "tests/netns/operation_process.hpp"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>

namespace netlab::test {

namespace {

using Clock = std::chrono::steady_clock;
using Packet = std::vector<std::uint8_t>;

constexpr std::size_t ip_header = 20;

void put_checksum(Packet& packet, std::size_t from, std::size_t size, std::size_t at) {
    packet[at] = packet[at + 1] = 0;
    const auto sum = operations::icmp::internet_checksum(std::span(packet).subspan(from, size));
    packet[at] = static_cast<std::uint8_t>(sum >> 8);
    packet[at + 1] = static_cast<std::uint8_t>(sum);
}

void seal(Packet& packet) {
    packet[2] = static_cast<std::uint8_t>(packet.size() >> 8);
    packet[3] = static_cast<std::uint8_t>(packet.size());
    put_checksum(packet, 0, ip_header, 10);
    put_checksum(packet, ip_header, packet.size() - ip_header, ip_header + 2);
}

/// The request turned round.
Packet reply_to(const Packet& request) {
    Packet reply = request;
    std::swap_ranges(reply.begin() + 12, reply.begin() + 16, reply.begin() + 16);
    reply[ip_header] = 0;
    seal(reply);
    return reply;
}

Packet prohibited(const Packet& request) {
    Packet error(ip_header + 8);
    std::copy_n(request.begin(), ip_header, error.begin());
    std::swap_ranges(error.begin() + 12, error.begin() + 16, error.begin() + 16);
    error[ip_header] = 3;
    error[ip_header + 1] = 13;
    error.insert(error.end(), request.begin(), request.begin() + ip_header + 8);
    seal(error);
    return error;
}

class Responder {
  public:
    explicit Responder(int tun) : tun_(tun) {}

    [[noreturn]] void run() {
        for (;;) {
            pollfd readable{tun_, POLLIN, 0};
            const auto left = late_.empty() ? Clock::duration(-1) : late_.front().first - Clock::now();
            const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
            ::poll(&readable, 1, late_.empty() ? -1 : static_cast<int>(std::max<long>(0, ms)));
            while (!late_.empty() && late_.front().first <= Clock::now()) {
                send(late_.front().second);
                late_.pop_front();
            }
            if ((readable.revents & POLLIN) == 0) continue;
            Packet packet(65'536);
            const auto size = ::read(tun_, packet.data(), packet.size());
            if (size < std::ptrdiff_t{ip_header + 8}) continue;
            packet.resize(static_cast<std::size_t>(size));
            if (packet[0] == 0x45 && packet[9] == 1 && packet[ip_header] == 8) answer(packet);
        }
    }

  private:
    void send(const Packet& packet) const { (void)!::write(tun_, packet.data(), packet.size()); }

    void answer(const Packet& request) {
        auto reply = reply_to(request);
        switch (request[19]) {
            case 2:
                send(reply);
                send(reply);
                break;
            case 3:
                late_.emplace_back(Clock::now() + std::chrono::milliseconds(400), reply);
                break;
            case 4:
                if (held_.empty()) {
                    held_ = reply;
                } else {
                    send(reply);
                    send(held_);
                    held_.clear();
                }
                break;
            case 5:
                reply.back() ^= 0x40;
                seal(reply);
                send(reply);
                break;
            case 6:
                reply[ip_header + 2] ^= 0x01;
                send(reply);
                break;
            case 7:
                reply.resize(reply.size() - 4);
                seal(reply);
                send(reply);
                break;
            case 8:
                send(prohibited(request));
                break;
            case 9:
                std::fill(reply.begin() + ip_header + 8, reply.begin() + ip_header + 24, std::uint8_t{0x55});
                seal(reply);
                send(reply);
                break;
            case 10:
                send(reply);
                break;
            default:
                break;
        }
    }

    int tun_;
    std::deque<std::pair<Clock::time_point, Packet>> late_;
    Packet held_;
};

}  // namespace

void respond_strangely(int ready) {
    const int tun = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::strcpy(request.ifr_name, "tun0");
    if (tun < 0 || ::ioctl(tun, TUNSETIFF, &request) != 0) std::_Exit(1);
    if (!shell("ip addr add 10.77.0.1/24 dev tun0 && ip link set tun0 up")) std::_Exit(1);
    if (::write(ready, "r", 1) != 1) std::_Exit(1);
    Responder(tun).run();
}

}  // namespace netlab::test
