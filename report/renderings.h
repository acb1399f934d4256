// Renderings of a comparison: a table for the terminal, JSON, CSV, and a page.
#pragma once

#include "base/result.h"
#include "report/comparison.h"

namespace ringshift {

// width: of the terminal; more modes than it takes go to further tables.
std::string comparison_text(const Comparison& comparison, unsigned width);
nlohmann::ordered_json comparison_json(const Comparison& comparison);
std::string comparison_csv(const Comparison& comparison);
// nonce: what the page's own script and style carry, and nothing else can (Content-Security-Policy).
std::string comparison_html(const Comparison& comparison, const std::string& nonce);

}  // namespace ringshift
