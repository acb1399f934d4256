// Summary: median, minimum and maximum of what several runs gave.
#pragma once

#include <algorithm>
#include <vector>

namespace ringshift {

struct Summary {
  double median, minimum, maximum;

  // How far the runs lie apart, as a part of the median; 0 if that is 0.
  double spread() const { return median > 0 ? (maximum - minimum) / median : 0; }
};

// values: one at least.
inline Summary summarize(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  const double middle = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {middle, values.front(), values.back()};
}

}  // namespace ringshift
