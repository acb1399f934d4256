// explanation_text: an Explanation for the terminal.
#pragma once

#include "report/explain/explanation.h"

namespace ringshift {

struct TextOptions {
  bool cold = false;  // the code behind the blocks, too
};

std::string explanation_text(const Explanation& explanation, const TextOptions& options = {});

}  // namespace ringshift
