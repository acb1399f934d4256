// explanation_html: an Explanation as one self-contained page.
//
// No network, no fonts of its own; light and dark as the reader has it; everything by keyboard (links,
// <details>); printed with all of it open.
#pragma once

#include "report/explain/explanation.h"

namespace ringshift {

std::string explanation_html(const Explanation& explanation);

}  // namespace ringshift
