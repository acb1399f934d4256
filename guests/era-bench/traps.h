// Where traps lead.
#pragma once

#include "runtime/types.h"

// The TSC at the last timer interrupt; 0 before.
extern volatile u64 g_timer_at;

void start_traps();
