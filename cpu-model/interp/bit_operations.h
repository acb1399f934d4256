// Bit tests and scans: the part of the shift family in bit_operations.cpp.
#pragma once

#include "cpu-model/interp/handlers.h"

namespace ringshift {

void register_bit_operations(HandlerTable& table);

}  // namespace ringshift
