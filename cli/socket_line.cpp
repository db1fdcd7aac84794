#include "cli/socket_line.hpp"

#include <limits>

#include <boost/json/basic_parser_impl.hpp>

namespace netlab::cli {

namespace {

using api::SocketRow;

/// Where in a row the parser is.
enum class Place : std::uint8_t { outside, row, local, remote, processes, process, timer, elsewhere };

/// What boost::json::basic_parser calls. Strings may come in pieces.
class Handler {
  public:
    static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_array_size = max_object_size;
    static constexpr std::size_t max_key_size = max_object_size;
    static constexpr std::size_t max_string_size = max_object_size;
    using error_code = boost::system::error_code;
    using text = boost::json::string_view;

    void begin() {
        depth_ = 0;
        key_.clear();
        row_.local.address.clear();
        row_.local.port.reset();
        row_.remote.address.clear();
        row_.remote.port.reset();
        row_.interface.reset();
        row_.v6only.reset();
        row_.timer.reset();
        row_.uid.reset();
        row_.peer_inode.reset();
        row_.recv_queue = row_.send_queue = 0;
        row_.inode = 0;
        if (row_.processes) row_.processes->clear();
        has_processes_ = false;
        row_.more_processes.reset();
    }
    const SocketRow& finish() {
        if (!has_processes_) row_.processes.reset();
        return row_;
    }

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) { return enter(object_place()); }
    bool on_object_end(std::size_t, error_code&) { return leave(); }
    bool on_array_begin(error_code&) {
        const bool processes = place() == Place::row && key_ == "processes";
        if (processes) {
            has_processes_ = true;
            if (!row_.processes) row_.processes.emplace();
        }
        return enter(processes ? Place::processes : Place::elsewhere);
    }
    bool on_array_end(std::size_t, error_code&) { return leave(); }

    bool on_key_part(text part, std::size_t size, error_code&) {
        if (size == part.size()) key_.clear();
        key_.append(part.data(), part.size());
        return true;
    }
    bool on_key(text part, std::size_t size, error_code& error) { return on_key_part(part, size, error); }
    bool on_string_part(text part, std::size_t size, error_code&) {
        if (auto* out = string_field()) {
            if (size == part.size()) out->clear();
            out->append(part.data(), part.size());
        }
        return true;
    }
    bool on_string(text part, std::size_t size, error_code& error) {
        return on_string_part(part, size, error);
    }
    bool on_number_part(text, error_code&) { return true; }
    bool on_int64(std::int64_t number, text, error_code&) {
        take_number(number);
        return true;
    }
    bool on_uint64(std::uint64_t, text, error_code&) { return true; }
    bool on_double(double, text, error_code&) { return true; }
    bool on_bool(bool flag, error_code&) {
        if (place() == Place::row && key_ == "v6only") row_.v6only = flag;
        return true;
    }
    bool on_null(error_code&) { return true; }
    bool on_comment_part(text, error_code&) { return true; }
    bool on_comment(text, error_code&) { return true; }

  private:
    static constexpr std::size_t deepest = 32;

    [[nodiscard]] Place place() const { return depth_ == 0 ? Place::outside : places_[depth_ - 1]; }
    bool enter(Place place) {
        if (depth_ == deepest) return false;
        places_[depth_++] = place;
        return true;
    }
    bool leave() {
        --depth_;
        return true;
    }

    Place object_place() {
        switch (place()) {
            case Place::outside:
                return Place::row;
            case Place::processes:
                row_.processes->emplace_back();
                return Place::process;
            case Place::row:
                if (key_ == "local") return Place::local;
                if (key_ == "remote") return Place::remote;
                if (key_ == "timer") {
                    row_.timer.emplace();
                    return Place::timer;
                }
                return Place::elsewhere;
            default:
                return Place::elsewhere;
        }
    }

    std::string* string_field() {
        switch (place()) {
            case Place::row:
                if (key_ == "target") return &row_.target;
                if (key_ == "protocol") return &row_.protocol;
                if (key_ == "state") return &row_.state;
                if (key_ == "interface") return row_.interface ? &*row_.interface : &row_.interface.emplace();
                return nullptr;
            case Place::local:
                return key_ == "address" ? &row_.local.address : nullptr;
            case Place::remote:
                return key_ == "address" ? &row_.remote.address : nullptr;
            case Place::process:
                return key_ == "name" ? &row_.processes->back().name : nullptr;
            case Place::timer:
                return key_ == "name" ? &row_.timer->name : nullptr;
            default:
                return nullptr;
        }
    }

    void take_number(std::int64_t number) {
        const auto small = static_cast<std::uint32_t>(number);
        switch (place()) {
            case Place::row:
                if (key_ == "recv_queue") row_.recv_queue = small;
                if (key_ == "send_queue") row_.send_queue = small;
                if (key_ == "uid") row_.uid = small;
                if (key_ == "inode") row_.inode = static_cast<std::uint64_t>(number);
                if (key_ == "more_processes") row_.more_processes = static_cast<std::uint64_t>(number);
                if (key_ == "peer_inode") row_.peer_inode = static_cast<std::uint64_t>(number);
                break;
            case Place::local:
                if (key_ == "port") row_.local.port = static_cast<std::uint16_t>(number);
                break;
            case Place::remote:
                if (key_ == "port") row_.remote.port = static_cast<std::uint16_t>(number);
                break;
            case Place::process: {
                auto& process = row_.processes->back();
                if (key_ == "pid") process.pid = static_cast<std::int32_t>(number);
                if (key_ == "host_pid") process.host_pid = static_cast<std::int32_t>(number);
                if (key_ == "fd") process.fd = static_cast<std::int32_t>(number);
                break;
            }
            case Place::timer:
                if (key_ == "expires_ms") row_.timer->expires_ms = small;
                if (key_ == "retransmits") row_.timer->retransmits = small;
                break;
            default:
                break;
        }
    }

    SocketRow row_;
    bool has_processes_ = false;
    std::string key_;
    std::array<Place, deepest> places_{};
    std::size_t depth_ = 0;
};

}  // namespace

struct SocketLineReader::Parser {
    boost::json::basic_parser<Handler> json{boost::json::parse_options()};
};

SocketLineReader::SocketLineReader() : parser_(std::make_unique<Parser>()) {}
SocketLineReader::~SocketLineReader() = default;

Result<const api::SocketRow*> SocketLineReader::read(std::string_view line) {
    auto& json = parser_->json;
    json.reset();
    json.handler().begin();
    boost::system::error_code error;
    json.write_some(false, line.data(), line.size(), error);
    if (error)
        return Error{errc::protocol_error, "netlabd's answer is not understood: " + error.message(), {}, {}};
    return &json.handler().finish();
}

}  // namespace netlab::cli
