#pragma once

#include "common/frame.hpp"
#include "daemon/front/asio.hpp"
#include "daemon/front/response.hpp"
#include "daemon/front/router.hpp"
#include "daemon/front/workers.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace netlab::front {

/// What became of a relayed stream; filled while it runs, so that it holds also where the relay is cancelled.
struct Relayed {
    std::string_view result = "client_gone";  ///< "ok", the errc of the error that was passed on, or this
    std::uint64_t bytes = 0;                  ///< of the body
    std::optional<frame::Counts> counts{};    ///< the last that the worker said
    bool client_usable = false;               ///< the response is whole: another one may follow
};

/// Passes a worker's frames on as the response to one request, unparsed. An error that comes first gets its
/// own status; a later one is the last line of the stream (a capture is cut off). It reads on only when the
/// client has taken what came before, so a slow client holds up the worker; one that takes nothing for a
/// minute is dropped. Where the client is gone from a route that finishes, it goes on for a second at most to
/// hear what the worker has counted. Everything given must outlive it. To be cancelled when the client of
/// another route goes away.
asio::awaitable<void> relay(ClientStream& client, Worker& worker, const Route& route, Form form,
                            Relayed& out);

/// Writes all of `text`, within a minute; false where the client is gone.
asio::awaitable<bool> write_all(ClientStream& client, std::string text);

}  // namespace netlab::front
