// set_gdt, update_descriptor, MMUEXT_SET_LDT (Xen's arch/x86/pv/descriptor-tables.c).
#include "paravirt/descriptors.h"

#include "cpu-model/paging.h"
#include "cpu-model/segmentation.h"
#include "paravirt/descriptor_check.h"
#include "paravirt/xen_errors.h"

namespace ringshift::xen {

namespace {
constexpr u32 kDescriptorBytes = 8;
constexpr u32 kMostLdtEntries = 8192;
constexpr u32 kWindowBytes = kWindowPages * kPageSize;
}  // namespace

void Descriptors::start() {
  cpu_.state.gdtr = {kGdtWindow, kWindowBytes - 1, 0};
  cpu_.state.idtr = {0, 0, 0};
  cpu_.state.ldtr = {0, 0, kSegUnusable, 0, 0, 0};
  cpu_.state.tr = {0, 0, kSegUnusable, 0, 0, 0};
}

int Descriptors::set_gdt(std::span<const u32> frames, u32 entries) {
  if (entries > FIRST_RESERVED_GDT_ENTRY) return -XEN_EINVAL;
  const u32 pages = (entries + kEntries - 1) / kEntries;
  if (frames.size() < pages) return -XEN_EINVAL;
  for (u32 i = 0; i < pages; ++i) {
    if (tables_.get(frames[i], FrameType::descriptors)) continue;
    while (i-- > 0) tables_.put(frames[i]);
    return -XEN_EINVAL;
  }
  for (u32 i = 0; i < kReservedGdtPage; ++i) {
    if (gdt_[i] != kNone) tables_.put(gdt_[i]);
    gdt_[i] = i < pages ? frames[i] : kNone;
    if (gdt_[i] == kNone)
      space_.unmap_gdt_page(i);
    else
      space_.map_gdt_page(i, gdt_[i]);
    cpu_.flush_page(kGdtWindow + i * kPageSize);
  }
  return 0;
}

int Descriptors::update(u64 machine_address, u64 descriptor) {
  const u64 mfn = machine_address >> kPageShift;
  const auto offset = static_cast<u32>(machine_address & kPageOffsetMask);
  if (offset % kDescriptorBytes != 0 || !frames_.is_domains(mfn)) return -XEN_EINVAL;
  if (!check_descriptor(descriptor)) return -XEN_EINVAL;
  const auto table = static_cast<Mfn>(mfn);
  const Frame& frame = frames_.at(table);
  const bool used = frame.type_count != 0;
  if (used && frame.type != FrameType::descriptors && frame.type != FrameType::writable) return -XEN_EINVAL;
  memory_.set_entry(table, offset / kDescriptorBytes, descriptor);
  return 0;
}

int Descriptors::set_ldt(Gva base, u32 entries) {
  if (entries > kMostLdtEntries || (base & kPageOffsetMask) != 0) return -XEN_EINVAL;
  if (entries != 0 && u64{base} + entries * kDescriptorBytes > kHypervisorStart) return -XEN_EINVAL;
  drop_ldt();
  ldt_base_ = base;
  ldt_entries_ = entries;
  constexpr u32 kLdt = kSegPresent | kTypeLdt;
  cpu_.state.ldtr = entries == 0 ? SegmentRegister{0, 0, kSegUnusable, 0, 0, 0}
                                 : SegmentRegister{8, 0, kLdt, entries * kDescriptorBytes - 1, 0, kLdtWindow};
  return 0;
}

void Descriptors::drop_ldt() {
  for (u32 i = 0; i < kWindowPages; ++i) {
    if (ldt_[i] == kNone) continue;
    tables_.put(ldt_[i]);
    ldt_[i] = kNone;
    space_.unmap_ldt_page(i);
    cpu_.flush_page(kLdtWindow + i * kPageSize);
  }
}

std::optional<Gva> Descriptors::guest_ldt_address(Gva address) const {
  if (address < kLdtWindow || address - kLdtWindow >= ldt_entries_ * kDescriptorBytes) return std::nullopt;
  return ldt_base_ + (address - kLdtWindow);
}

bool Descriptors::fault_in_ldt(Gva address) {
  const auto guest = guest_ldt_address(address);
  if (!guest) return false;
  const u32 page = (address - kLdtWindow) >> kPageShift;
  Gpa at = 0;
  if (ldt_[page] != kNone || !peek(cpu_, *guest, &at)) return false;
  const auto mfn = static_cast<Mfn>(at >> kPageShift);
  if (!tables_.get(mfn, FrameType::descriptors)) return false;
  ldt_[page] = mfn;
  space_.map_ldt_page(page, mfn);
  return true;
}

}  // namespace ringshift::xen
