#include "daemon/front/quotas.hpp"

#include <string>
#include <utility>

namespace netlab::front {

namespace {

Error over(std::string what) {
    return {errc::limit_exceeded,
            std::move(what),
            "wait until others of yours have ended; [limits] in netlabd.toml has the quota of a user",
            {}};
}

std::string mebibytes(std::uint64_t bytes) {
    constexpr std::uint64_t mebibyte = 1ULL << 20;
    return std::to_string((bytes + mebibyte - 1) / mebibyte) + " MiB";
}

std::string whole(double number) {
    return std::to_string(static_cast<std::uint64_t>(number));
}

}  // namespace

Quotas::Share::Share(Share&& other) noexcept
    : quotas_(std::exchange(other.quotas_, nullptr)), user_(other.user_), cost_(other.cost_) {}

Quotas::Share& Quotas::Share::operator=(Share&& other) noexcept {
    if (this == &other) return *this;
    give_back();
    quotas_ = std::exchange(other.quotas_, nullptr);
    user_ = other.user_;
    cost_ = other.cost_;
    return *this;
}

Quotas::Share::~Share() {
    give_back();
}

void Quotas::Share::give_back() {
    if (quotas_ == nullptr) return;
    const auto found = quotas_->used_.find(user_);
    auto& used = found->second;
    used.cost.packets_per_second -= cost_.packets_per_second;
    used.cost.capture_bytes -= cost_.capture_bytes;
    // With the last one goes what rounding has left of the rest.
    if (--used.operations == 0) quotas_->used_.erase(found);
    quotas_ = nullptr;
}

Result<Quotas::Share> Quotas::take(uid_t user, const api::Cost& cost) {
    if (user == 0) return Share();
    const auto known = used_.find(user);
    const auto used = known == used_.end() ? Used{} : known->second;
    if (used.operations >= limits_.operations)
        return over("you have " + std::to_string(used.operations) +
                    " operations under way, as many as one user may");
    if (used.cost.packets_per_second + cost.packets_per_second > limits_.packets_per_second) {
        return over("this would send up to " + whole(cost.packets_per_second) +
                    " packets a second, and yours " + whole(used.cost.packets_per_second) +
                    " already: one user may send " + whole(limits_.packets_per_second));
    }
    if (used.cost.capture_bytes + cost.capture_bytes > limits_.capture_bytes) {
        return over("this would need up to " + mebibytes(cost.capture_bytes) +
                    " for packets that wait, and yours " + mebibytes(used.cost.capture_bytes) +
                    " already: one user may have " + mebibytes(limits_.capture_bytes));
    }
    auto& mine = used_[user];
    ++mine.operations;
    mine.cost.packets_per_second += cost.packets_per_second;
    mine.cost.capture_bytes += cost.capture_bytes;
    return Share(*this, user, cost);
}

}  // namespace netlab::front
