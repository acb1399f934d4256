// The page walk: 32-bit paging with PSE, and PAE with NX (SDM vol. 3A 4.3, 4.4).
#pragma once

#include "cpu-model/cpu.h"

namespace ringshift {

enum class AccessKind : u8 { read, write, fetch };

struct PageTranslation {
  Gpa gpa;        // of the byte asked for, A20 applied
  bool writable;  // a write with the same privilege would be allowed, and D is set already
  bool global;
  bool large;       // from a 2 or 4 MiB page
  bool executable;  // a fetch with the same privilege would be allowed (NX)
};

// Walks the guest's page tables for one byte; sets A, and D for a write, with atomic updates of the entries.
// #PF with its exact error code and address; reserved bits are checked. `user`: a CPL 3 access (not one of
// the CPU's own to system structures). Without paging, gva is gpa.
Outcome<PageTranslation> walk(Cpu& cpu, Gva gva, AccessKind kind, bool user);

// As walk(), but changes nothing and raises nothing: for debuggers, traces and reports. False: not mapped.
bool peek(const Cpu& cpu, Gva gva, Gpa* gpa);

// Loads PDPTE registers from memory at CR3 when CR4.PAE and paging are on; #GP on reserved bits (4.4.1).
Outcome<> load_pdptes(Cpu& cpu, u64 cr3);

}  // namespace ringshift
