// explanation_json: an Explanation as JSON; docs/explain.md lists its members.
#pragma once

#include "report/explain/explanation.h"

namespace ringshift {

std::string explanation_json(const Explanation& explanation);

}  // namespace ringshift
