// The part of the x87 family that handles control words and whole environments.
#pragma once

#include "cpu-model/interp/handlers.h"

namespace ringshift {

void register_x87_environment(HandlerTable& table);

}  // namespace ringshift
