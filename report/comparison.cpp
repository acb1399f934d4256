// Checksums over all modes.
#include "report/comparison.h"

#include <set>

namespace ringshift {

const char* name_of(ModeState state) {
  switch (state) {
    case ModeState::complete:
      return "complete";
    case ModeState::partial:
      return "partial";
    case ModeState::unavailable:
      break;
  }
  return "unavailable";
}

std::vector<std::string> Comparison::wrong_checksums() const {
  std::vector<std::string> wrong;
  for (const std::string& row : rows) {
    std::set<std::string> sums;
    for (const ModeResult& mode : modes)
      if (const Cell* cell = mode.cell(row); cell != nullptr && !cell->checksum.empty())
        sums.insert(cell->checksum);
    if (sums.size() > 1) wrong.push_back(row);
  }
  return wrong;
}

}  // namespace ringshift
