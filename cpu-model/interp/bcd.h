// Decimal adjustment: the part of the multiply family in bcd.cpp.
#pragma once

#include "cpu-model/interp/handlers.h"

namespace ringshift {

void register_bcd(HandlerTable& table);

}  // namespace ringshift
