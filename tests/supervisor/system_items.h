// System items: instructions that only make sense with the machine's tables, each with operands that mostly
// do.
#pragma once

#include <vector>

#include "tests/differential/random.h"
#include "tests/differential/sequence.h"

namespace ringshift::supervisor {

// Appends one, or a few that belong together. user: the code began at CPL 3, and most of it must not fault
// there.
void append_system_item(differential::Random& random, bool user, bool pae,
                        std::vector<differential::Item>& items);

}  // namespace ringshift::supervisor
