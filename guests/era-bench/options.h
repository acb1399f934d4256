// Options of the command line: KEY=VALUE, in any order. Other words are left alone (a loader's file name).
#pragma once

#include "runtime/types.h"

struct Options {
  u32 ms = 20;                 // time for each row
  u32 forks = 200;             // processes of forkwait; the paper's figure is of 40,000
  u32 jobs = 32;               // of the mixed load
  const char* rows = nullptr;  // names, comma-separated; or all
};

Options read_options(const char* line);
bool is_wanted(const Options& options, const char* name);
