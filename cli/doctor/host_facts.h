// HostFacts: what of this host decides how well the engines can work.
#pragma once

#include <string>

#include "base/types.h"

namespace ringshift {

struct HostFacts {
  std::string kernel;
  std::string cpu_vendor, cpu_name;
  bool invariant_tsc = false;
  u64 tsc_khz = 0;                // measured against CLOCK_MONOTONIC
  u64 max_map_count = 0;          // 0: unknown
  bool memfd = false;             // guest RAM is one
  bool memfd_executable = false;  // translated code is one
  std::string shmem_huge_pages;   // the chosen word of .../transparent_hugepage/shmem_enabled; empty: unknown
  u64 free_huge_pages = 0;

  static HostFacts of_this_host();
};

}  // namespace ringshift
