#include "daemon/front/own_workers.hpp"

namespace netlab::front {

std::string words_of(const Error& error) {
    return error.details.empty() ? error.message : error.message + ": " + error.details.front();
}

}  // namespace netlab::front
