// Descriptors: the guest's GDT and LDT, as windows on frames of the guest's that hold nothing but checked
// descriptors.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "cpu-model/cpu.h"
#include "paravirt/page_tables.h"

namespace ringshift::xen {

class Descriptors {
 public:
  Descriptors(Cpu& cpu, MachineMemory& memory, FrameTable& frames, PageTables& tables, HypervisorSpace& space)
      : cpu_(cpu), memory_(memory), frames_(frames), tables_(tables), space_(space) {}

  // GDTR and LDTR as they stay for the domain's life.
  void start();

  // 0 or a negative error number of Xen's.
  int set_gdt(std::span<const u32> frames, u32 entries);
  int update(u64 machine_address, u64 descriptor);
  int set_ldt(Gva base, u32 entries);
  // Forgets which frames the LDT's pages were: the address space has changed.
  void drop_ldt();
  // #PF at an address of the LDT's window: maps the page, as Xen does when it is first used. Else where the
  // page fault is, for the guest: in its own LDT.
  bool fault_in_ldt(Gva address);
  std::optional<Gva> guest_ldt_address(Gva address) const;

 private:
  Cpu& cpu_;
  MachineMemory& memory_;
  FrameTable& frames_;
  PageTables& tables_;
  HypervisorSpace& space_;
  static constexpr Mfn kNone = ~0u;
  std::array<Mfn, kReservedGdtPage> gdt_ = filled<kReservedGdtPage>();
  std::array<Mfn, kWindowPages> ldt_ = filled<kWindowPages>();
  Gva ldt_base_ = 0;
  u32 ldt_entries_ = 0;

  template <std::size_t kCount>
  static std::array<Mfn, kCount> filled() {
    std::array<Mfn, kCount> all;
    all.fill(kNone);
    return all;
  }
};

}  // namespace ringshift::xen
