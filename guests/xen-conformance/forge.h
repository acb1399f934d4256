// What guests that attack Xen's interface share: errors as results, frames that aren't theirs, address
// spaces.
#pragma once

#include "xen-runtime/xen.h"

// A hypercall must have been refused with this error, and no other.
inline void check_error(int result, int error, const char* name) {
  check_equal(static_cast<u32>(-result), static_cast<u32>(error), name);
}
inline void check_success(int result, const char* name) { check_equal(static_cast<u32>(result), 0, name); }

// Whether a page holds this word everywhere.
inline bool is_filled_with(const volatile void* page, u32 word) {
  for (u32 i = 0; i < xen::kPage / sizeof(u32); ++i)
    if (static_cast<const volatile u32*>(page)[i] != word) return false;
  return true;
}
inline void fill(void* page, u32 word) {
  for (u32 i = 0; i < xen::kPage / sizeof(u32); ++i) static_cast<u32*>(page)[i] = word;
}

// A frame that the machine has and the guest has not: the first whose M2P entry does not lead back to it.
u32 foreign_frame();
// A page outside the linear map, with a table that is there: nothing is mapped at it.
u32 hole();

// Tables of an address space of its own: the kernel's first GiB, one directory at 1 GiB, Xen's at the top.
struct Tables {
  u64 *root, *directory, *top, *leaf;  // leaf: a table for the first 2 MiB of the second GiB
};
// All of them plain writable pages still.
Tables make_tables();
// Read-only in the linear map, as they must be to become page tables.
void protect(const Tables& tables);
void unprotect(const Tables& tables);
