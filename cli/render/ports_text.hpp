#pragma once

#include "cli/render/table.hpp"
#include "common/api/ports.hpp"

#include <string>
#include <vector>

/// `netlab ports` as a person reads it.
namespace netlab::cli::ports_text {

[[nodiscard]] std::vector<std::string> headings(bool wide);
[[nodiscard]] std::vector<Cell> line(const api::PortRow& row, bool wide);

/// Instead of a table: who lives in one namespace, and so would have the same ports; "" where nobody does.
[[nodiscard]] std::string sharing(const api::InspectionReport& report);

/// Below the table: what is wrong and what to do; with `notes` also what is worth knowing. What is the same
/// of several rows is said once. "" where there is nothing to say.
class Remarks {
  public:
    void add(const api::PortRow& row, bool notes);
    [[nodiscard]] std::string text() const;

  private:
    struct Remark {
        std::string target;
        std::vector<std::string> ports;
        std::string text;
    };
    void add(const api::PortRow& row, std::string text);

    std::vector<Remark> remarks_;
};

}  // namespace netlab::cli::ports_text
