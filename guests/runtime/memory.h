// Filling and copying of memory; the compiler may call memset and memcpy for itself.
#pragma once

#include "runtime/types.h"

void memory_set(void* to, int value, u32 bytes);
void memory_copy(void* to, const void* from, u32 bytes);
