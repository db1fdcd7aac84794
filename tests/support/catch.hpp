#pragma once

#include "common/error.hpp"

#include <catch2/catch.hpp>

/// So that a failed REQUIRE(result) prints the error; Boost's own operator<< wants one for every T.
template <class T>
struct Catch::StringMaker<netlab::Result<T>> {
    static std::string convert(const netlab::Result<T>& result) {
        if (result) return "a value";
        return "error " + std::string(boost::describe::enum_to_string(result.error().code, "?")) + ": " +
               result.error().message;
    }
};
