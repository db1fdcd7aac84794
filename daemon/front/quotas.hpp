#pragma once

#include "common/api/cost.hpp"
#include "common/error.hpp"

#include <cstddef>
#include <map>

#include <sys/types.h>

/// How much each user may have under way, so that one cannot keep the others from their work.
namespace netlab::front {

/// [limits] of netlabd.toml, for each user. uid 0 has no quota: it is who has to find out why all is slow.
struct QuotaLimits {
    std::size_t operations = 64;
    double packets_per_second = 200'000;
    std::uint64_t capture_bytes = 1ULL << 30;
};

class Quotas {
  public:
    explicit Quotas(QuotaLimits limits) : limits_(limits) {}
    Quotas(const Quotas&) = delete;
    Quotas& operator=(const Quotas&) = delete;

    /// One operation's part of its user's quota; given back at its end. The Quotas outlive it.
    class Share {
      public:
        Share() = default;
        Share(Share&& other) noexcept;
        Share& operator=(Share&& other) noexcept;
        ~Share();

      private:
        friend class Quotas;
        Share(Quotas& quotas, uid_t user, const api::Cost& cost)
            : quotas_(&quotas), user_(user), cost_(cost) {}
        void give_back();

        Quotas* quotas_ = nullptr;
        uid_t user_ = 0;
        api::Cost cost_;
    };

    /// errc::limit_exceeded, which says of what there would be too much, and how much is allowed.
    [[nodiscard]] Result<Share> take(uid_t user, const api::Cost& cost);

    /// Users that have something under way.
    [[nodiscard]] std::size_t users() const { return used_.size(); }

  private:
    struct Used {
        std::size_t operations = 0;
        api::Cost cost;
    };

    QuotaLimits limits_;
    std::map<uid_t, Used> used_;
};

}  // namespace netlab::front
