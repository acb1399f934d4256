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
    // A frame that was a table will be one again, read-only meanwhile: windows would pay two host calls each
    // time.
    memory_.map().add_attribute(page, kAttrPageTable | kAttrNoWindow);
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
  if (type == FrameType::l1)
    count_supervisor_entries(mfn);
  else
    ++version_;
  return true;
}

namespace {
bool supervisors(u64 entry) { return is_present(entry) && (entry & kPteUser) == 0; }
}  // namespace

void PageTables::count_supervisor_entries(Mfn l1) {
  u16 count = 0;
  for (u32 i = 0; i < kEntries; ++i) count += supervisors(memory_.entry(l1, i)) ? 1 : 0;
  frames_.at(l1).supervisor_entries = count;
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
  if (type != FrameType::l1) ++version_;
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
  if (!is_writable(entry)) return frames_.get(mfn);
  if (!get(mfn, FrameType::writable)) return false;
  // A program's page now, whatever it was.
  if ((entry & kPteUser) != 0) memory_.map().remove_attribute(mfn << kPageShift, kAttrNoWindow);
  return true;
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
    note_change(mfn, table, old, value);
    return 0;
  }
  if (is_present(value) && !get_entry(table, index, value)) return -XEN_EINVAL;
  memory_.set_entry(mfn, index, value);
  note_change(mfn, table, old, value);
  if (is_present(old)) put_entry(table, old);
  return 0;
}

// What translations of the supervisor's that are cached may depend on.
void PageTables::note_change(Mfn mfn, FrameType table, u64 old, u64 value) {
  if (old == value) return;
  if (table != FrameType::l1) {
    ++version_;
    const bool l2 = table != FrameType::l3;
    if (l2 && is_present(old) && frames_.at(static_cast<Mfn>(frame_of(old))).supervisor_entries != 0)
      supervisor_changed_ = true;
    return;
  }
  u16& count = frames_.at(mfn).supervisor_entries;
  const bool was_none = count == 0;
  if (supervisors(old)) {
    entry_changed_ = true;
    --count;
  }
  if (supervisors(value)) ++count;
  if (was_none != (count == 0)) ++version_;
}

bool PageTables::keeps_supervisor(Mfn from, Mfn to) {
  Answer& answer = answers_[(from * 3 + to) % answers_.size()];
  if (answer.from != from || answer.to != to || answer.version != version_)
    answer = {from, to, version_, compare_supervisor(from, to)};
  return answer.keeps;
}

bool PageTables::compare_supervisor(Mfn from, Mfn to) const {
  for (u32 i = 0; i < kL3Entries; ++i)
    if (!keeps_directory(memory_.entry(from, i), memory_.entry(to, i))) return false;
  return true;
}

// By the entries of two L3s. The hypervisor's part is the same in all.
bool PageTables::keeps_directory(u64 from, u64 to) const {
  if (!is_present(from)) return true;
  const auto old_l2 = static_cast<Mfn>(frame_of(from));
  const auto new_l2 = static_cast<Mfn>(frame_of(to));
  if (is_present(to) && old_l2 == new_l2) return true;
  constexpr u64 kIgnored = kPteAccessed | kPteDirty | kPteAvailable;
  const u32 entries = guest_entries(frames_.at(old_l2).type);
  for (u32 i = 0; i < entries; ++i) {
    const u64 old = memory_.entry(old_l2, i);
    if (!is_present(old) || frames_.at(static_cast<Mfn>(frame_of(old))).supervisor_entries == 0) continue;
    if (!is_present(to) || ((old ^ memory_.entry(new_l2, i)) & ~kIgnored) != 0) return false;
  }
  return true;
}

bool PageTables::plain(u64 mfn) const {
  if (!frames_.is_domains(mfn)) return false;
  const Frame& frame = frames_.at(static_cast<Mfn>(mfn));
  return frame.type_count == 0 || !is_table(frame.type);
}

}  // namespace ringshift::xen
