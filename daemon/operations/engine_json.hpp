#pragma once

#include "common/api/watch.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/stream_parser.hpp>

/// What engines say, as records: the JSON of Docker's API (20.10 to 29) and of Podman's compatible one. Pure.
/// Whatever the JSON holds, nothing is thrown: a member of another type than it should be counts as absent.
namespace netlab::operations::engine_json {

/// Of GET /containers/ID/json. errc::protocol_error where it is no object with an ID and a name.
[[nodiscard]] Result<api::ContainerRecord> parse_container(std::string_view body, api::Runtime runtime);

/// One row of GET /containers/json: enough to know a container by, not to enter it.
struct ListedContainer {
    std::string id;
    api::ContainerRecord record;
};

/// Rows without a proper ID are left out. errc::protocol_error where it is no array.
[[nodiscard]] Result<std::vector<ListedContainer>> parse_list(std::string_view body, api::Runtime runtime);

/// One object of GET /events; nullopt where it changes nothing that netlab knows.
[[nodiscard]] std::optional<api::EngineRecord> parse_event(const boost::json::value& event,
                                                           api::Runtime runtime);

/// {"message":"…"} of an answer with an error status; empty where it is something else.
[[nodiscard]] std::string parse_message(std::string_view body);

/// Letters, digits and ".-_", 128 at most: may stand in a path.
[[nodiscard]] bool is_proper_id(std::string_view id);

/// Takes a stream of JSON objects apart, however it is cut and whatever white space stands between them.
class ObjectStream {
  public:
    ObjectStream();

    /// The objects that are complete with `bytes`. errc::protocol_error where it is no JSON, errc::too_large
    /// for an object of more than 1 MiB; the stream is of no more use then.
    [[nodiscard]] Result<std::vector<boost::json::value>> feed(std::string_view bytes);

  private:
    boost::json::stream_parser parser_;
    std::size_t size_ = 0;  ///< of the object that is being read; 0 between two
};

}  // namespace netlab::operations::engine_json
