#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>

namespace netlab::front {

namespace asio = boost::asio;
namespace beast = boost::beast;

/// Every await gives a tuple that begins with an error_code: a peer that goes away is no exception.
inline constexpr auto awaiting = asio::as_tuple(asio::use_awaitable);

using Socket = asio::local::stream_protocol::socket;
/// A client's connection: a socket with a deadline for what is under way.
using ClientStream = beast::basic_stream<asio::local::stream_protocol>;

}  // namespace netlab::front
