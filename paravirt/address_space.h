// AddressSpace: CR3 of the guest: the L3 in use, and what changes of page tables mean for translations.
#pragma once

#include <array>
#include <optional>

#include "cpu-model/cpu.h"
#include "paravirt/descriptors.h"
#include "paravirt/page_tables.h"

namespace ringshift::xen {

class AddressSpace {
 public:
  AddressSpace(Cpu& cpu, MachineMemory& memory, PageTables& tables, Descriptors& descriptors)
      : cpu_(cpu), memory_(memory), tables_(tables), descriptors_(descriptors) {
    cpu.supervisor_global = true;
  }
  AddressSpace(const AddressSpace&) = delete;
  ~AddressSpace() { cpu_.supervisor_global = false; }

  // 0 or a negative error number of Xen's.
  int switch_to(u64 l3);
  Mfn current() const { return current_; }
  // Drops all translations that may be stale: the kernel's aren't, mostly, for a changed entry is flushed at
  // once.
  void flush();
  // An entry of a page table as the guest asks for it, with what follows if it is one of the current L3's.
  int update(u64 mfn, u32 index, u64 value, bool keep_marks);
  // The L1 that maps an address below the hypervisor's.
  std::optional<Mfn> l1_of(Gva va) const;

 private:
  // Where an L1 is in this address space.
  struct Place {
    Mfn l1 = ~0u;
    u32 l3_index = 0, l2_index = 0;
    Gva page(u32 index) const { return l3_index << 30 | l2_index << 21 | index << kPageShift; }
  };
  void flush_all();
  void load_registers();
  void flush_pages_of(Mfn l1, u32 index);
  bool is_once(u32 l3_index) const;
  bool names(u32 l3_index, u32 l2_index, Mfn l1) const;
  static constexpr Mfn kNone = ~0u;

  Cpu& cpu_;
  MachineMemory& memory_;
  PageTables& tables_;
  Descriptors& descriptors_;
  Mfn current_ = kNone;
  std::array<Place, 64> places_{};  // found before, by L1
};

}  // namespace ringshift::xen
