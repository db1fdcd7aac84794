#include "cli/conntrack_line.hpp"

#include <array>
#include <limits>
#include <optional>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>

namespace netlab::cli {

namespace {

using api::ConntrackRow;

/// Where in a row the parser is.
enum class Place : std::uint8_t { outside, row, direction, translation, end, icmp, status, stale, elsewhere };

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
        row_ = {};
        wrong_ = false;
    }
    const ConntrackRow& finish() { return row_; }
    /// A value is not what it should be.
    [[nodiscard]] bool wrong() const { return wrong_; }

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) { return enter(object_place()); }
    bool on_object_end(std::size_t, error_code&) { return leave(); }
    bool on_array_begin(error_code&) {
        return enter(place() == Place::row && key_ == "status" ? Place::status : Place::elsewhere);
    }
    bool on_array_end(std::size_t, error_code&) { return leave(); }

    bool on_key_part(text part, std::size_t size, error_code&) {
        if (size == part.size()) key_.clear();
        key_.append(part.data(), part.size());
        return true;
    }
    bool on_key(text part, std::size_t size, error_code& error) { return on_key_part(part, size, error); }
    bool on_string_part(text part, std::size_t size, error_code&) {
        if (size == part.size()) string_.clear();
        string_.append(part.data(), part.size());
        return true;
    }
    bool on_string(text part, std::size_t size, error_code& error) {
        on_string_part(part, size, error);
        take_string();
        return true;
    }
    bool on_number_part(text, error_code&) { return true; }
    bool on_int64(std::int64_t number, text, error_code&) {
        take_number(static_cast<std::uint64_t>(number));
        return true;
    }
    bool on_uint64(std::uint64_t number, text, error_code&) {
        take_number(number);
        return true;
    }
    bool on_double(double, text, error_code&) { return true; }
    bool on_bool(bool flag, error_code&) {
        if (place() == Place::row && key_ == "replied") row_.replied = flag;
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
            case Place::row:
                return member_place();
            case Place::direction:
                if (key_ == "source") return end_is(direction_->source);
                if (key_ == "destination") return end_is(direction_->destination);
                if (key_ == "icmp") {
                    direction_->icmp.emplace();
                    return Place::icmp;
                }
                return Place::elsewhere;
            case Place::translation:
                if (key_ == "from") return end_is(translation_->from);
                if (key_ == "to") return end_is(translation_->to);
                return Place::elsewhere;
            default:
                return Place::elsewhere;
        }
    }

    Place member_place() {
        if (key_ == "original" || key_ == "reply") {
            direction_ = key_ == "reply" ? &row_.reply : &row_.original;
            return Place::direction;
        }
        if (key_ == "snat" || key_ == "dnat") {
            translation_ = &(key_ == "snat" ? row_.snat : row_.dnat).emplace();
            return Place::translation;
        }
        if (key_ == "stale") {
            row_.stale.emplace();
            return Place::stale;
        }
        return Place::elsewhere;
    }

    Place end_is(api::ConntrackEnd& end) {
        end_ = &end;
        return Place::end;
    }

    void take_string() {
        switch (place()) {
            case Place::row:
                if (key_ == "protocol") row_.protocol = string_;
                if (key_ == "state") row_.state = string_;
                if (key_ == "helper") row_.helper = string_;
                break;
            case Place::end:
                if (key_ == "name") end_->name = string_;
                if (key_ == "address") take_address();
                break;
            case Place::status:
                row_.status.push_back(string_);
                break;
            case Place::stale:
                if (key_ == "explanation") row_.stale->explanation = string_;
                if (key_ == "suggestion") row_.stale->suggestion = string_;
                break;
            default:
                break;
        }
    }

    void take_address() {
        const auto address = IpAddress::parse(string_);
        wrong_ = wrong_ || !address;
        if (address) end_->address = *address;
    }

    void take_number(std::uint64_t number) {
        const auto small = static_cast<std::uint32_t>(number);
        const auto half = static_cast<std::uint16_t>(number);
        switch (place()) {
            case Place::row:
                if (key_ == "timeout") row_.timeout = small;
                if (key_ == "mark") row_.mark = small;
                if (key_ == "zone") row_.zone = half;
                if (key_ == "id") row_.id = small;
                if (key_ == "use") row_.use = small;
                break;
            case Place::direction:
                if (key_ == "packets") direction_->packets = number;
                if (key_ == "bytes") direction_->bytes = number;
                break;
            case Place::end:
                if (key_ == "port") end_->port = half;
                break;
            case Place::icmp:
                if (key_ == "type") direction_->icmp->type = static_cast<std::uint8_t>(number);
                if (key_ == "code") direction_->icmp->code = static_cast<std::uint8_t>(number);
                if (key_ == "id") direction_->icmp->id = half;
                break;
            default:
                break;
        }
    }

    ConntrackRow row_;
    api::ConntrackDirection* direction_ = nullptr;      ///< of the place `direction` and below
    api::ConntrackTranslation* translation_ = nullptr;  ///< of the place `translation`
    api::ConntrackEnd* end_ = nullptr;                  ///< of the place `end`
    bool wrong_ = false;
    std::string key_;
    std::string string_;
    std::array<Place, deepest> places_{};
    std::size_t depth_ = 0;
};

}  // namespace

struct ConntrackLineReader::Parser {
    boost::json::basic_parser<Handler> json{boost::json::parse_options()};
};

ConntrackLineReader::ConntrackLineReader() : parser_(std::make_unique<Parser>()) {}
ConntrackLineReader::~ConntrackLineReader() = default;

Result<const ConntrackRow*> ConntrackLineReader::read(std::string_view line) {
    auto& json = parser_->json;
    json.reset();
    json.handler().begin();
    boost::system::error_code error;
    json.write_some(false, line.data(), line.size(), error);
    if (error || json.handler().wrong())
        return Error{errc::protocol_error,
                     "netlabd's answer is not understood: " +
                         (error ? error.message() : std::string("an address that is none")),
                     {},
                     {}};
    return &json.handler().finish();
}

}  // namespace netlab::cli
