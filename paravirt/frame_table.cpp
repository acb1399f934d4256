// Ownership of machine frames, and their untyped references.
#include "paravirt/frame_table.h"

namespace ringshift::xen {

void FrameTable::give(Mfn mfn, bool shared) {
  Frame& frame = frames_[mfn];
  frame = {};
  frame.owner = FrameOwner::domain;
  frame.count = 1;
  if (!shared) return;
  frame.shared = true;
  frame.type = FrameType::writable;
  frame.type_count = 1;
}

bool FrameTable::take(Mfn mfn) {
  Frame& frame = frames_[mfn];
  if (frame.owner != FrameOwner::domain || frame.shared || frame.count != 1 || frame.type_count != 0)
    return false;
  frame = {};
  frame.owner = FrameOwner::nobody;
  return true;
}

bool FrameTable::get(u64 mfn) {
  if (!is_domains(mfn)) return false;
  Frame& frame = frames_[mfn];
  if (full(frame.count)) return false;
  ++frame.count;
  return true;
}

}  // namespace ringshift::xen
