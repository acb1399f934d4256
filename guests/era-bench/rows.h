// The rows: what era-bench measures, a table for each family (rows_*.cpp).
#pragma once

#include "era-bench/options.h"
#include "runtime/types.h"

struct Row {
  const char* name;
  // Fills g_sampler; why it could not, or null.
  const char* (*run)(const Options& options);
};

struct Family {
  const Row* rows;
  u32 count;
};
template <u32 n>
constexpr Family family_of(const Row (&rows)[n]) {
  return {rows, n};
}

Family basic_rows();      // instructions, calls, code that changes
Family hardware_rows();   // control registers and devices
Family boundary_rows();   // system calls and exceptions
Family memory_rows();     // page-table entries
Family switch_rows();     // from one address space to another
Family interrupt_rows();  // the timer
Family process_rows();    // fork, and the mixed load
Family compute_rows();    // what needs no kernel
