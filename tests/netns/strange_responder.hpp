#pragma once

namespace netlab::test {

/// Answers IPv4 echo requests on a tun device as hosts should not, by the last byte of the address asked:
/// .2 twice, .3 after 400 ms, .4 each pair of echoes the later first, .5 with a byte of the payload changed
/// (and a right checksum), .6 with a wrong checksum, .7 cut short, .8 "administratively prohibited", .9 with
/// another program's payload, .10 as it should be, anything else not at all. Makes `tun0` in the current
/// namespace with 10.77.0.1/24, writes a byte to `ready` and never returns.
[[noreturn]] void respond_strangely(int ready);

}  // namespace netlab::test
