// grouped: a count as people read it: 2,280,034.
#pragma once

#include <fmt/format.h>

#include <string>

#include "base/types.h"

namespace ringshift {

inline std::string grouped(u64 number) {
  const std::string digits = fmt::format("{}", number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace ringshift
