// Validation of page tables, typed references, and changes of single entries (Xen's arch/x86/mm.c).
#include "paravirt/page_tables.h"

#include "paravirt/descriptor_check.h"
#include "paravirt/xen_errors.h"

namespace ringshift::xen {

namespace {

bool is_table(FrameType type) { return type != FrameType::none && type != FrameType::writable; }

// How many of a table's entries are the guest's.
u32 guest_entries(FrameType type) {
  if (type == FrameType::l3) return kL3Entries;
  return type == FrameType::l2_top ? kFirstHypervisorSlot : kEntries;
}

bool bits_allowed(FrameType table, u64 entry) {
  return (entry & ~(table == FrameType::l3 ? kL3Allowed : kPteAllowed)) == 0;
}

FrameType named_by(FrameType table, u32 index) {
  if (table == FrameType::l3) return index == kTopSlot ? FrameType::l2_top : FrameType::l2;
  return FrameType::l1;
}

}  // namespace

bool PageTables::get(u64 mfn, FrameType type) {
  if (!frames_.get(mfn)) return false;
  if (get_type(static_cast<Mfn>(mfn), type)) return true;
  frames_.put(static_cast<Mfn>(mfn));
  return false;
}

void PageTables::put(Mfn mfn) {
  put_type(mfn);
  frames_.put(mfn);
}

// The caller holds a reference to the frame.
bool PageTables::get_type(Mfn mfn, FrameType type) {
  Frame& frame = frames_.at(mfn);
  if (frame.type_count == 0) {
    if (frame.type != type) retype(mfn, type);
    // In use from here on, so that no entry of its own can make it writable.
    frame.type_count = 1;
    if (!is_table(type)) return true;
    frame.validated = validate(mfn, type);
    if (frame.validated) return true;
    frame.type_count = 0;
    return false;
  }
  if (frame.type != type || frames_.full(frame.type_count)) return false;
  // A table that is being validated can't be referred to by itself; the top L2 belongs to one L3 alone.
  if (is_table(type) && (!frame.validated || type == FrameType::l2_top)) return false;
  ++frame.type_count;
  return true;
}

void PageTables::put_type(Mfn mfn) {
  Frame& frame = frames_.at(mfn);
  if (--frame.type_count != 0 || !frame.validated) return;
  frame.validated = false;
  release(mfn, frame.type, guest_entries(frame.type));
}

// The attribute keeps stores to a page table off every fast path, and takes them out of the Tlb and the
// windows where the guest has not flushed (XSA-286 and its like: stale translations must not outlive a type).
void PageTables::retype(Mfn mfn, FrameType type) {
  frames_.at(mfn).type = type;
  const Gpa page = u64{mfn} << kPageShift;
  if (is_table(type)) {
    memory_.map().add_attribute(page, kAttrPageTable);
  } else {
    memory_.map().remove_attribute(page, kAttrPageTable);
  }
}

bool PageTables::validate(Mfn mfn, FrameType type) {
  if (type == FrameType::descriptors) return validate_descriptors(mfn);
  const u32 entries = guest_entries(type);
  for (u32 i = 0; i < entries; ++i) {
    const u64 entry = memory_.entry(mfn, i);
    // Every L3 has a top L2: the hypervisor must be in each address space.
    const bool missing = type == FrameType::l3 && i == kTopSlot && !is_present(entry);
    if (!missing && (!is_present(entry) || get_entry(type, i, entry))) continue;
    release(mfn, type, i);
    return false;
  }
  if (type == FrameType::l2_top) space_.fill_top(mfn);
  return true;
}

bool PageTables::validate_descriptors(Mfn mfn) {
  for (u32 i = 0; i < kEntries; ++i) {
    const u64 old = memory_.entry(mfn, i);
    u64 descriptor = old;
    if (!check_descriptor(descriptor)) return false;
    if (descriptor != old) memory_.set_entry(mfn, i, descriptor);
  }
  return true;
}

// Drops what the entries [0, end) hold.
void PageTables::release(Mfn mfn, FrameType type, u32 end) {
  if (type == FrameType::descriptors) return;
  for (u32 i = 0; i < end; ++i) {
    const u64 entry = memory_.entry(mfn, i);
    if (is_present(entry)) put_entry(type, entry);
  }
}

// The references of a present entry.
bool PageTables::get_entry(FrameType table, u32 index, u64 entry) {
  if (!bits_allowed(table, entry)) return false;
  const u64 mfn = frame_of(entry);
  if (table != FrameType::l1) return get(mfn, named_by(table, index));
  return is_writable(entry) ? get(mfn, FrameType::writable) : frames_.get(mfn);
}

void PageTables::put_entry(FrameType table, u64 entry) {
  const auto mfn = static_cast<Mfn>(frame_of(entry));
  if (table != FrameType::l1 || is_writable(entry)) return put(mfn);
  frames_.put(mfn);
}

int PageTables::pin(u64 mfn, FrameType type) {
  if (!get(mfn, type)) return -XEN_EINVAL;
  Frame& frame = frames_.at(static_cast<Mfn>(mfn));
  if (frame.pinned) {
    put(static_cast<Mfn>(mfn));
    return -XEN_EINVAL;
  }
  frame.pinned = true;
  return 0;
}

int PageTables::unpin(u64 mfn) {
  if (!frames_.is_domains(mfn)) return -XEN_EINVAL;
  Frame& frame = frames_.at(static_cast<Mfn>(mfn));
  if (!frame.pinned) return -XEN_EINVAL;
  frame.pinned = false;
  put(static_cast<Mfn>(mfn));
  return 0;
}

int PageTables::update(u64 mfn, u32 index, u64 value, bool keep_marks) {
  if (!frames_.is_domains(mfn)) return -XEN_EINVAL;
  const auto table = static_cast<Mfn>(mfn);
  const Frame& frame = frames_.at(table);
  const bool used = frame.type_count != 0 && is_table(frame.type);
  if (!used) {
    memory_.set_entry(table, index, value);
    return 0;
  }
  if (frame.type == FrameType::descriptors) return -XEN_EINVAL;
  return change(table, frame.type, index, value, keep_marks);
}

int PageTables::change(Mfn mfn, FrameType table, u32 index, u64 value, bool keep_marks) {
  if (index >= guest_entries(table)) return -XEN_EPERM;
  // The top slot of an L3 in use never changes, so that no address space loses the hypervisor.
  if (table == FrameType::l3 && index == kTopSlot) return -XEN_EINVAL;
  const u64 old = memory_.entry(mfn, index);
  if (keep_marks) value |= old & (kPteAccessed | kPteDirty);
  // What references depend on.
  constexpr u64 kReferences = kPtePresent | kPteWritable | kPteFrame;
  const bool same = is_present(value) && ((value ^ old) & kReferences) == 0;
  if (same) {
    if (!bits_allowed(table, value)) return -XEN_EINVAL;
    memory_.set_entry(mfn, index, value);
    return 0;
  }
  if (is_present(value) && !get_entry(table, index, value)) return -XEN_EINVAL;
  memory_.set_entry(mfn, index, value);
  if (is_present(old)) put_entry(table, old);
  return 0;
}

bool PageTables::plain(u64 mfn) const {
  if (!frames_.is_domains(mfn)) return false;
  const Frame& frame = frames_.at(static_cast<Mfn>(mfn));
  return frame.type_count == 0 || !is_table(frame.type);
}

}  // namespace ringshift::xen
