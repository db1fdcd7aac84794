#include "daemon/operations/engine_http.hpp"
#include "daemon/operations/engine_json.hpp"
#include "daemon/operations/operation.hpp"

namespace netlab::operations::inspect_engine {

namespace {

struct Handles {
    UniqueFd socket;
};

Result<Handles> prepare(Namespaces& namespaces, const api::InspectEngineRequest& request,
                        const api::Context&) {
    auto socket = connect_engine(namespaces, request.socket);
    if (!socket) return socket.error();
    return Handles{std::move(*socket)};
}

Error refused(std::string_view what, const EngineResponse& response) {
    std::string message =
        "the engine refuses to " + std::string(what) + ": status " + std::to_string(response.status);
    if (const auto words = engine_json::parse_message(response.body); !words.empty()) message += ", " + words;
    return {errc::engine_unavailable, std::move(message), {}, {}};
}

class Inspection {
  public:
    Inspection(int socket, const api::InspectEngineRequest& request, Output& output)
        : engine_(socket, output), request_(request), output_(output) {}

    Result<void> all() {
        const auto response = engine_.get("/containers/json?all=1");
        if (!response) return response.error();
        if (response->status != 200) return refused("list its containers", *response);
        const auto listed = engine_json::parse_list(response->body, request_.runtime);
        if (!listed) return listed.error();
        for (const auto& container : *listed) {
            if (auto result = one(container.id, &container.record); !result) return result;
        }
        return {};
    }

    /// `otherwise`: what is said of a container that is there and that the engine cannot inspect.
    Result<void> one(const std::string& id, const api::ContainerRecord* otherwise) {
        if (!engine_json::is_proper_id(id)) return {};
        const auto response = engine_.get("/containers/" + id + "/json");
        if (!response) return response.error();
        if (response->status == 404) {
            api::ContainerRecord gone;
            gone.target.runtime = request_.runtime;
            gone.target.id = id;
            gone.gone = true;
            output_.record(gone);
            return {};
        }
        if (response->status == 200) {
            if (const auto record = engine_json::parse_container(response->body, request_.runtime)) {
                output_.record(*record);
                return {};
            }
        }
        if (otherwise != nullptr) output_.record(*otherwise);
        return {};
    }

  private:
    EngineConnection engine_;
    const api::InspectEngineRequest& request_;
    Output& output_;
};

Result<void> run(Handles& handles, const api::InspectEngineRequest& request, const api::Context&,
                 Output& output) {
    Inspection inspection(handles.socket.get(), request, output);
    if (request.all) return inspection.all();
    for (const auto& id : request.containers) {
        if (auto result = inspection.one(id, nullptr); !result) return result;
    }
    return {};
}

const Registration<api::InspectEngineRequest> registered{
    operation<prepare, run>({.engines = true, .cpu_seconds = 60, .address_space = 512ULL << 20})};

}  // namespace

}  // namespace netlab::operations::inspect_engine
