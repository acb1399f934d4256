// The hypervisor's part of each address space: M2P table and descriptor windows.
#include "paravirt/hypervisor_space.h"

#include "base/bits.h"

namespace ringshift::xen {

namespace {
// Read-only, not executable, supervisor.
constexpr u64 kLeaf = kPtePresent | kPteAccessed | kPteNoExecute;
constexpr u64 kTable = kPtePresent | kPteAccessed;

// Flat, present, marked as accessed, with this DPL (SDM vol. 3A 3.4.5).
constexpr u64 flat_segment(unsigned dpl, bool code) {
  const u64 access = 0x90 | (dpl << 5) | (code ? 0x0b : 0x03);
  return 0x00cf'0000'0000'ffff | access << 40;
}
}  // namespace

HypervisorSpace::HypervisorSpace(MachineMemory& memory, FrameTable& frames, u32 shared)
    : memory_(memory), frames_(frames), next_(memory.frames()) {
  shared_next_ = keep_frames(shared);
  shared_end_ = shared_next_ + shared;
  build_m2p();
  build_windows();
}

Mfn HypervisorSpace::keep_frames(u32 count) {
  RS_CHECK(count <= next_);
  next_ -= count;
  for (u32 i = 0; i < count; ++i) {
    frames_.at(next_ + i) = {};
    memory_.clear(next_ + i);
  }
  return next_;
}

bool HypervisorSpace::share_frame(Mfn& mfn) {
  if (shared_next_ == shared_end_) return false;
  mfn = shared_next_++;
  frames_.give(mfn, true);
  return true;
}

void HypervisorSpace::build_m2p() {
  const u64 bytes = u64{memory_.frames()} * sizeof(u32);
  m2p_frames_ = static_cast<u32>(align_up(bytes, u64{kPageSize}) >> kPageShift);
  m2p_ = keep_frames(m2p_frames_);
  for (Mfn mfn = 0; mfn < memory_.frames(); ++mfn) set_m2p(mfn, kInvalidM2p);
  for (u32 first = 0; first < m2p_frames_; first += kEntries) {
    const Mfn l1 = keep_frames(1);
    for (u32 i = 0; i < kEntries && first + i < m2p_frames_; ++i)
      memory_.set_entry(l1, i, entry_for(m2p_ + first + i, kLeaf));
    top_[kFirstHypervisorSlot + first / kEntries] = entry_for(l1, kTable);
  }
}

void HypervisorSpace::build_windows() {
  zeros_ = keep_frames(1);
  reserved_gdt_ = keep_frames(1);
  const auto place = [this](u16 selector, u64 descriptor) {
    memory_.set_entry(reserved_gdt_, (selector & kPageOffsetMask) / 8, descriptor);
  };
  place(kRing1Cs, flat_segment(1, true));
  place(kRing1Ds, flat_segment(1, false));
  place(kRing3Cs, flat_segment(3, true));
  place(kRing3Ds, flat_segment(3, false));
  windows_ = keep_frames(1);
  top_[l2_index(kGdtWindow)] = entry_for(windows_, kTable);
  for (u32 page = 0; page < kWindowPages; ++page) unmap_gdt_page(page);
}

void HypervisorSpace::fill_top(Mfn l2) {
  for (u32 i = kFirstHypervisorSlot; i < kEntries; ++i) memory_.set_entry(l2, i, top_[i]);
}

void HypervisorSpace::set_m2p(Mfn mfn, u32 pfn) {
  constexpr u32 kEach = kPageSize / sizeof(u32);
  memory_.write(m2p_ + mfn / kEach, (mfn % kEach) * sizeof(u32), &pfn, sizeof pfn);
}

void HypervisorSpace::map_gdt_page(u32 page, Mfn mfn) {
  memory_.set_entry(windows_, l1_index(kGdtWindow) + page, entry_for(mfn, kLeaf));
}

void HypervisorSpace::unmap_gdt_page(u32 page) {
  map_gdt_page(page, page == kReservedGdtPage ? reserved_gdt_ : zeros_);
}

void HypervisorSpace::map_ldt_page(u32 page, Mfn mfn) {
  memory_.set_entry(windows_, l1_index(kLdtWindow) + page, entry_for(mfn, kLeaf));
}

void HypervisorSpace::unmap_ldt_page(u32 page) {
  memory_.set_entry(windows_, l1_index(kLdtWindow) + page, 0);
}

}  // namespace ringshift::xen
