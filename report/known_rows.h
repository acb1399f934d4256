// KnownRows: what the rows of era-bench are, and the paper's figures for those that it has.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace ringshift {

struct KnownRow {
  std::string_view name, group, about;
};

// In cycles of their 3.8 GHz Pentium 4 (K. Adams and O. Agesen, ASPLOS 2006, figures 3 and 4).
struct PaperRow {
  std::string_view row, theirs;
  double native, translation, vt_x;
};

std::span<const KnownRow> known_rows();
std::span<const PaperRow> paper_rows();
const KnownRow* find_known_row(std::string_view name);

}  // namespace ringshift
