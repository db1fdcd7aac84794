#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/describe.hpp>
#include <boost/mp11/algorithm.hpp>

namespace netlab::api {

/// What a caller may do. Each is granted by itself, by groups in netlabd.toml; uid 0 has all.
enum class Role : std::uint8_t {
    observe,  ///< see targets and what the kernel knows of them
    probe,    ///< send packets from a target's namespace
    trace,    ///< add a trace table to nftables for one flow
    capture,  ///< see other people's packets
    host,     ///< no caps on counts and rates, command lines of processes
};
BOOST_DESCRIBE_ENUM(Role, observe, probe, trace, capture, host)

/// A set of roles.
class Roles {
  public:
    constexpr Roles() = default;
    static constexpr Roles all() { return Roles(0xFF); }
    constexpr void add(Role role) { bits_ = static_cast<std::uint8_t>(bits_ | bit(role)); }
    [[nodiscard]] constexpr bool has(Role role) const { return (bits_ & bit(role)) != 0; }
    [[nodiscard]] std::vector<Role> list() const {
        std::vector<Role> roles;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<Role>>([&](auto role) {
            if (has(role.value)) roles.push_back(role.value);
        });
        return roles;
    }
    friend bool operator==(const Roles&, const Roles&) = default;

  private:
    constexpr explicit Roles(std::uint8_t bits) : bits_(bits) {}
    static constexpr std::uint8_t bit(Role role) {
        return static_cast<std::uint8_t>(1U << static_cast<unsigned>(role));
    }

    std::uint8_t bits_ = 0;
};

}  // namespace netlab::api
