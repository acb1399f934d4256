// Image: what RAM holds when a case begins: descriptor tables, page tables, handlers, then the arenas.
#pragma once

#include <vector>

#include "base/types.h"
#include "tests/supervisor/layout.h"

namespace ringshift::supervisor {

// pae: the page tables that the tasks' TSSs name, with NX, or those of 32-bit paging. Both are there.
std::vector<u8> make_image(bool pae, Ending ending);

}  // namespace ringshift::supervisor
