// FrameTable: whose each machine frame is, what it may be used as, and how often it is referred to.
//
// The rules are Xen's (xen/arch/x86/mm.c). A frame has one type at a time; while its type count isn't 0 it
// can't become another, so a page table is never writable to the guest. Every mapping holds a reference, and
// one that is writable a typed one.
#pragma once

#include <vector>

#include "base/types.h"
#include "paravirt/domain_memory.h"

namespace ringshift::xen {

enum class FrameOwner : u8 {
  monitor,  // never the guest's
  domain,
  nobody,  // the guest has given it back
};

enum class FrameType : u8 {
  none,
  l1,
  l2,
  l2_top,  // the L2 of the top gigabyte, which has the hypervisor's entries in it
  l3,
  descriptors,
  writable,
};

struct Frame {
  FrameOwner owner = FrameOwner::monitor;
  FrameType type = FrameType::none;
  bool validated = false;  // a page table or descriptor page whose contents were checked, and hold references
  bool pinned = false;
  bool shared = false;  // Xen's own, shared with the domain: writable for ever
  u32 count = 0;        // references; the allocation's own is one
  u32 type_count = 0;
  u16 supervisor_entries = 0;  // of an L1: entries that are present, without U
};

class FrameTable {
 public:
  // Like Xen's counters, which have room for no more. A test gives less.
  static constexpr u32 kMaxReferences = (1u << 26) - 1;

  explicit FrameTable(u32 frames, u32 max_references = kMaxReferences)
      : frames_(frames), max_references_(max_references) {}

  u32 size() const { return static_cast<u32>(frames_.size()); }
  bool is_domains(u64 mfn) const { return mfn < frames_.size() && frames_[mfn].owner == FrameOwner::domain; }
  // mfn: of a frame that there is.
  Frame& at(Mfn mfn) { return frames_[mfn]; }
  const Frame& at(Mfn mfn) const { return frames_[mfn]; }

  // Makes it the domain's, zeroed by the caller. shared: for ever writable, never a page table.
  void give(Mfn mfn, bool shared = false);
  // Back from the domain; false if anything still refers to it.
  bool take(Mfn mfn);

  // One more reference; false if the frame isn't the domain's, or has too many.
  bool get(u64 mfn);
  void put(Mfn mfn) { --frames_[mfn].count; }
  bool full(u32 count) const { return count >= max_references_; }

 private:
  std::vector<Frame> frames_;
  u32 max_references_;
};

}  // namespace ringshift::xen
