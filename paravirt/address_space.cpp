// MMUEXT_NEW_BASEPTR and its like.
#include "paravirt/address_space.h"

#include "paravirt/xen_errors.h"

namespace ringshift::xen {

// Nothing is global in the guest's tables, so MOV CR3 flushes all of them, also where it is the same L3. What
// is sure to be there again with the same entries may stay: the kernel, as a rule.
int AddressSpace::switch_to(u64 l3) {
  bool keeps_supervisor = true;
  if (l3 != current_) {
    if (!tables_.get(l3, FrameType::l3)) return -XEN_EINVAL;
    descriptors_.drop_ldt();
    const Mfn old = current_;
    current_ = static_cast<Mfn>(l3);
    load_registers();
    keeps_supervisor = old != kNone && tables_.keeps_supervisor(old, current_);
    if (old != kNone) tables_.put(old);
  }
  if (keeps_supervisor)
    flush();
  else
    flush_all();
  return 0;
}

void AddressSpace::flush() {
  if (tables_.supervisor_changed()) return flush_all();
  cpu_.flush_address_space();
}

void AddressSpace::flush_all() {
  cpu_.flush_all();
  tables_.note_full_flush();
}

// The PDPTE registers hold a copy (SDM vol. 3A 4.4.1), with nothing in it but the frame: what an L3 entry of
// PAE has besides is reserved.
void AddressSpace::load_registers() {
  cpu_.state.cr3 = u64{current_} << kPageShift;
  for (u32 i = 0; i < kL3Entries; ++i) {
    const u64 entry = memory_.entry(current_, i);
    cpu_.state.pdpte[i] = is_present(entry) ? entry & (kPteFrame | kPtePresent) : 0;
  }
}

int AddressSpace::update(u64 mfn, u32 index, u64 value, bool keep_marks) {
  const int error = tables_.update(mfn, index, value, keep_marks);
  if (error != 0) return error;
  if (tables_.take_entry_changed()) flush_pages_of(static_cast<Mfn>(mfn), index);
  if (mfn == current_) {
    load_registers();
    flush_all();
  }
  return 0;
}

// The pages that an entry of an L1 maps here. An L1 that isn't in this address space has no translation that
// outlives a switch.
void AddressSpace::flush_pages_of(Mfn l1, u32 index) {
  const bool one_place = tables_.at_one_place(l1);
  Place& known = places_[l1 % places_.size()];
  if (one_place && known.l1 == l1 && names(known.l3_index, known.l2_index, l1) && is_once(known.l3_index))
    return cpu_.flush_page(known.page(index));
  for (u32 i = 0; i < kL3Entries; ++i) {
    if (!is_present(cpu_.state.pdpte[i])) continue;
    for (u32 k = 0; k < kEntries; ++k) {
      if (!names(i, k, l1)) continue;
      known = {l1, i, k};
      cpu_.flush_page(known.page(index));
      if (one_place && is_once(i)) return;
    }
  }
}

// Whether the L2 of one L3 entry isn't another's as well.
bool AddressSpace::is_once(u32 l3_index) const {
  for (u32 i = 0; i < kL3Entries; ++i)
    if (i != l3_index && cpu_.state.pdpte[i] == cpu_.state.pdpte[l3_index]) return false;
  return true;
}

bool AddressSpace::names(u32 l3_index, u32 l2_index, Mfn l1) const {
  const u64 directory = cpu_.state.pdpte[l3_index];
  if (!is_present(directory)) return false;
  const u64 entry = memory_.entry(static_cast<Mfn>(frame_of(directory)), l2_index);
  return is_present(entry) && frame_of(entry) == l1;
}

std::optional<Mfn> AddressSpace::l1_of(Gva va) const {
  if (va >= kHypervisorStart) return std::nullopt;
  const u64 l3_entry = cpu_.state.pdpte[l3_index(va)];
  if (!is_present(l3_entry)) return std::nullopt;
  const u64 l2_entry = memory_.entry(static_cast<Mfn>(frame_of(l3_entry)), l2_index(va));
  if (!is_present(l2_entry)) return std::nullopt;
  return static_cast<Mfn>(frame_of(l2_entry));
}

}  // namespace ringshift::xen
