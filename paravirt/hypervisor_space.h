// HypervisorSpace: what stands in every address space from F5800000 up, and the frames that the monitor
// keeps.
//
// All of it is mapped read-only for the supervisor: ring 1 is that, too. The monitor writes past the page
// tables. The GDT and LDT that the CPU uses are windows on the guest's descriptor frames.
#pragma once

#include <vector>

#include "paravirt/frame_table.h"
#include "paravirt/page_entry.h"

namespace ringshift::xen {

inline constexpr Gva kHypervisorStart = 0xf5800000;
inline constexpr Gva kM2pEnd = 0xf6800000;
inline constexpr Gva kGdtWindow = 0xfe000000;
inline constexpr Gva kLdtWindow = 0xfe010000;
inline constexpr u32 kWindowPages = 16;  // each
inline constexpr u32 kReservedGdtPage = 14;
inline constexpr u32 kFirstHypervisorSlot = l2_index(kHypervisorStart);
inline constexpr u32 kInvalidM2p = ~0u;

// The flat segments of the reserved part of each GDT (xen/arch-x86/xen-x86_32.h).
inline constexpr u16 kRing1Cs = 0xe019;
inline constexpr u16 kRing1Ds = 0xe021;
inline constexpr u16 kRing3Cs = 0xe02b;
inline constexpr u16 kRing3Ds = 0xe033;

class HypervisorSpace {
 public:
  // Takes frames from the top of memory; `shared`: how many to set aside for pages that Xen shares.
  HypervisorSpace(MachineMemory& memory, FrameTable& frames, u32 shared);

  // Frames below are the domain's to have.
  u32 first_kept() const { return next_; }
  // A zeroed frame that Xen shares with the domain: the domain's, writable for ever; none if all are used.
  bool share_frame(Mfn& mfn);

  // The hypervisor's entries of an L2 of the top gigabyte.
  void fill_top(Mfn l2);

  void set_m2p(Mfn mfn, u32 pfn);

  // Pages of the windows. Unmapped GDT pages read as zeros; LDT pages fault.
  void map_gdt_page(u32 page, Mfn mfn);
  void unmap_gdt_page(u32 page);
  void map_ldt_page(u32 page, Mfn mfn);
  void unmap_ldt_page(u32 page);

 private:
  Mfn keep_frames(u32 count);
  void build_m2p();
  void build_windows();

  MachineMemory& memory_;
  FrameTable& frames_;
  Mfn next_;
  Mfn shared_next_ = 0, shared_end_ = 0;
  Mfn m2p_ = 0;
  u32 m2p_frames_ = 0;
  Mfn windows_ = 0;  // the L1 of the descriptor windows
  Mfn zeros_ = 0, reserved_gdt_ = 0;
  u64 top_[kEntries] = {};  // of the top L2, from kFirstHypervisorSlot on
};

}  // namespace ringshift::xen
