#include "common/json.hpp"

#include "common/text.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>

namespace netlab::json {

namespace {

std::string field(std::string_view path) {
    return path.empty() ? std::string("the request") : "field " + quoted(path);
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
    const auto names = nearest(word, known);
    if (!names.empty()) return "did you mean " + join_or(names) + "?";
    return known.empty() ? std::string() : "known: " + join_or(known);
}

void append(std::string& out, const boost::json::value& value);

void append_object(std::string& out, const boost::json::object& object) {
    out += '{';
    bool first = true;
    for (const auto& entry : object) {
        if (!std::exchange(first, false)) out += ',';
        detail::append_text(out, entry.key());
        out += ':';
        append(out, entry.value());
    }
    out += '}';
}

void append(std::string& out, const boost::json::value& value) {
    if (const auto* object = value.if_object()) return append_object(out, *object);
    if (const auto* text = value.if_string()) return detail::append_text(out, *text);
    if (const auto* number = value.if_double()) return detail::append_number(out, *number);
    if (const auto* array = value.if_array()) {
        out += '[';
        bool first = true;
        for (const auto& element : *array) {
            if (!std::exchange(first, false)) out += ',';
            append(out, element);
        }
        out += ']';
        return;
    }
    out += boost::json::serialize(value);
}

std::string_view kind_name(const boost::json::value& value) {
    switch (value.kind()) {
        case boost::json::kind::null:
            return "null";
        case boost::json::kind::bool_:
            return "true or false";
        case boost::json::kind::int64:
        case boost::json::kind::uint64:
        case boost::json::kind::double_:
            return "a number";
        case boost::json::kind::string:
            return "a string";
        case boost::json::kind::array:
            return "an array";
        case boost::json::kind::object:
            return "an object";
    }
    return "something else";
}

boost::json::parse_options limits() {
    boost::json::parse_options options;
    options.max_depth = 32;
    return options;
}

/// Hears the members of each object by their names; of what else Boost.JSON's basic_parser tells, nothing.
class MemberNames {
  public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = max_object_size;
    static constexpr std::size_t max_key_size = max_object_size;
    static constexpr std::size_t max_string_size = max_object_size;
    using Code = boost::system::error_code;
    using Text = std::string_view;

    bool on_object_begin(Code&) {
        open_.emplace_back();
        return true;
    }
    bool on_object_end(std::size_t, Code&) {
        open_.pop_back();
        return true;
    }
    bool on_key_part(Text part, std::size_t, Code&) {
        name_ += part;
        return true;
    }
    bool on_key(Text part, std::size_t, Code& error) {
        name_ += part;
        if (!open_.back().insert(name_).second) {
            twice_ = std::move(name_);
            error = boost::system::errc::make_error_code(boost::system::errc::invalid_argument);
            return false;
        }
        name_.clear();
        return true;
    }
    bool on_document_begin(Code&) { return true; }
    bool on_document_end(Code&) { return true; }
    bool on_array_begin(Code&) { return true; }
    bool on_array_end(std::size_t, Code&) { return true; }
    bool on_string_part(Text, std::size_t, Code&) { return true; }
    bool on_string(Text, std::size_t, Code&) { return true; }
    bool on_number_part(Text, Code&) { return true; }
    bool on_int64(std::int64_t, Text, Code&) { return true; }
    bool on_uint64(std::uint64_t, Text, Code&) { return true; }
    bool on_double(double, Text, Code&) { return true; }
    bool on_bool(bool, Code&) { return true; }
    bool on_null(Code&) { return true; }
    bool on_comment_part(Text, Code&) { return true; }
    bool on_comment(Text, Code&) { return true; }

    [[nodiscard]] const std::optional<std::string>& twice() const { return twice_; }

  private:
    std::vector<std::set<std::string>> open_;  ///< the objects that the parser is in
    std::string name_;
    std::optional<std::string> twice_;
};

}  // namespace

namespace detail {

void append_text(std::string& out, std::string_view text) {
    const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; };
    if (std::ranges::all_of(text, is_plain)) {
        out.append(1, '"').append(text).append(1, '"');
        return;
    }
    // Boost.JSON escapes what RFC 8259 demands and passes other bytes through, so they must be UTF-8 before.
    out += boost::json::serialize(boost::json::string(valid_utf8(text)));
}

void append_number(std::string& out, double number) {
    if (!std::isfinite(number)) {
        out += "null";
        return;
    }
    std::array<char, 32> text;
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
    out.append(text.data(), error == std::errc{} ? end : text.data());
}

Error expected(std::string_view path, std::string_view what, const boost::json::value& got) {
    std::string message = field(path) + ": expected " + std::string(what) + ", got ";
    message += got.is_number() ? write(got) : std::string(kind_name(got));
    return {errc::bad_request, std::move(message), {}, {}};
}

Error unknown_field(std::string_view path, std::string_view name, const std::vector<std::string>& known) {
    std::string message = "unknown field " + quoted(name);
    if (!path.empty()) message += " in " + field(path);
    return {errc::unknown_field, std::move(message), did_you_mean(name, known), {}};
}

Error unknown_word(std::string_view path, std::string_view word, const std::vector<std::string>& known) {
    return {errc::bad_request,
            field(path) + ": " + quoted(word) + " is not one of its words",
            did_you_mean(word, known),
            {}};
}

std::string child(std::string_view path, std::string_view name) {
    return path.empty() ? std::string(name) : std::string(path) + "." + std::string(name);
}

}  // namespace detail

Result<boost::json::value> parse(std::string_view text) {
    boost::json::parser parser({}, limits());
    boost::system::error_code error;
    const auto consumed = parser.write_some(text.data(), text.size(), error);
    if (error) {
        return Error{errc::bad_request,
                     "not JSON: " + error.message() + " at byte " + std::to_string(consumed),
                     {},
                     {}};
    }
    if (text.find_first_not_of(" \t\r\n", consumed) != text.npos) {
        return Error{
            errc::bad_request, "not JSON: something follows at byte " + std::to_string(consumed), {}, {}};
    }
    return parser.release();
}

Result<boost::json::value> parse_request(std::string_view text) {
    auto value = parse(text);
    if (!value) return value;
    boost::json::basic_parser<MemberNames> parser(limits());
    boost::system::error_code error;
    (void)parser.write_some(false, text.data(), text.size(), error);
    const auto& twice = parser.handler().twice();
    if (twice) return Error{errc::bad_request, "the member " + quoted(*twice) + " is there twice", {}, {}};
    return value;
}

std::string write(const boost::json::value& value) {
    std::string out;
    append(out, value);
    return out;
}

std::string write_error(const Error& error) {
    boost::json::object body;
    body["code"] = boost::json::string(described::enumerator_name(error.code));
    body["message"] = error.message;
    if (!error.hint.empty()) body["hint"] = error.hint;
    if (!error.details.empty()) body["details"] = encode(error.details);
    return write(boost::json::object{{"error", std::move(body)}});
}

}  // namespace netlab::json
