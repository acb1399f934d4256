// Real items: instructions of 16-bit code in real and v8086 mode that reach beyond its registers and data.
#pragma once

#include <vector>

#include "tests/differential/random.h"
#include "tests/differential/sequence.h"

namespace ringshift::supervisor {

// Appends one, or a few that belong together.
void append_real_item(differential::Random& random, std::vector<differential::Item>& items);

}  // namespace ringshift::supervisor
