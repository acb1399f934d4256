// Descriptors in GDT and LDT: finding, reading and marking them; LLDT, LTR, LAR, LSL, VERR, VERW.
#include <optional>

#include "cpu-model/segmentation.h"

namespace ringshift {

namespace {

constexpr u16 kRplMask = 3;
constexpr u16 kTableIndicator = 4;

bool is_null(u16 selector) { return (selector & ~kRplMask) == 0; }
u32 error_of(u16 selector) { return selector & ~u32{kRplMask}; }
bool in_ldt(u16 selector) { return (selector & kTableIndicator) != 0; }

Outcome<Descriptor> read_at(Cpu& cpu, u16 selector) {
  const u64 raw = RS_TRY(read_system<u64>(cpu, descriptor_address(cpu, selector)));
  return Descriptor{static_cast<u32>(raw), static_cast<u32>(raw >> 32)};
}

// The descriptor if LAR and the like may look at it at this privilege; null if not. Faults are page faults.
Outcome<std::optional<Descriptor>> visible_descriptor(Cpu& cpu, u16 selector) {
  if (is_null(selector) || !in_descriptor_table(cpu, selector)) return std::nullopt;
  const Descriptor descriptor = RS_TRY(read_at(cpu, selector));
  const u8 dpl = descriptor.dpl();
  const bool hidden = cpu.state.cpl > dpl || (selector & kRplMask) > dpl;
  if (hidden && !descriptor.conforming()) return std::nullopt;
  return descriptor;
}

constexpr u32 bit(unsigned type) { return 1u << type; }
// SDM vol. 2A LAR table 3-53 and LSL table 3-59.
constexpr u32 kLslTypes =
    bit(kTypeTss16) | bit(kTypeLdt) | bit(kTypeTss16Busy) | bit(kTypeTss32) | bit(kTypeTss32Busy);
constexpr u32 kLarTypes = kLslTypes | bit(kTypeCallGate16) | bit(kTypeTaskGate) | bit(kTypeCallGate32);

// System descriptor of LLDT and LTR: in the GDT, of one of the types, present.
Outcome<Descriptor> read_system_descriptor(Cpu& cpu, u16 selector, u32 types) {
  if (in_ldt(selector)) return raise(Fault::gp(error_of(selector)));
  const Descriptor descriptor = RS_TRY(read_descriptor(cpu, selector));
  if (!descriptor.system() || (bit(descriptor.type()) & types) == 0)
    return raise(Fault::gp(error_of(selector)));
  if (!descriptor.present()) return raise(Fault::np(error_of(selector)));
  return descriptor;
}

}  // namespace

Outcome<Descriptor> read_descriptor(Cpu& cpu, u16 selector, Vector error) {
  if (!in_descriptor_table(cpu, selector)) return raise(Fault::with_code(error, error_of(selector)));
  return read_at(cpu, selector);
}

Outcome<> set_accessed(Cpu& cpu, u16 selector, Descriptor& descriptor) {
  constexpr u32 kAccessed = kSegAccessed << 8;
  if ((descriptor.high & kAccessed) != 0) return {};
  descriptor.high |= kAccessed;
  return write_system<u8>(cpu, descriptor_address(cpu, selector) + 5, static_cast<u8>(descriptor.high >> 8));
}

SegmentRegister segment_from(u16 selector, const Descriptor& descriptor) {
  return {selector, 0, descriptor.attributes(), descriptor.limit(), 0, descriptor.base()};
}

Outcome<> load_ldtr(Cpu& cpu, u16 selector) {
  if (is_null(selector)) {
    cpu.state.ldtr = {selector, 0, kSegUnusable, 0, 0, 0};
    return {};
  }
  const Descriptor descriptor = RS_TRY(read_system_descriptor(cpu, selector, bit(kTypeLdt)));
  cpu.state.ldtr = segment_from(selector, descriptor);
  return {};
}

Outcome<> load_tr(Cpu& cpu, u16 selector) {
  if (is_null(selector)) return raise(Fault::gp());
  constexpr u32 kAvailable = bit(kTypeTss16) | bit(kTypeTss32);
  Descriptor descriptor = RS_TRY(read_system_descriptor(cpu, selector, kAvailable));
  constexpr u32 kBusy = 2u << 8;
  descriptor.high |= kBusy;
  RS_TRY(write_system<u8>(cpu, descriptor_address(cpu, selector) + 5, static_cast<u8>(descriptor.high >> 8)));
  cpu.state.tr = segment_from(selector, descriptor);
  return {};
}

Outcome<bool> load_access_rights(Cpu& cpu, u16 selector, u32* rights) {
  const auto descriptor = RS_TRY(visible_descriptor(cpu, selector));
  if (!descriptor) return false;
  if (descriptor->system() && (bit(descriptor->type()) & kLarTypes) == 0) return false;
  *rights = descriptor->high & 0x00f0ff00;
  return true;
}

Outcome<bool> load_segment_limit(Cpu& cpu, u16 selector, u32* limit) {
  const auto descriptor = RS_TRY(visible_descriptor(cpu, selector));
  if (!descriptor) return false;
  if (descriptor->system() && (bit(descriptor->type()) & kLslTypes) == 0) return false;
  *limit = descriptor->limit();
  return true;
}

Outcome<bool> verify_segment(Cpu& cpu, u16 selector, bool write) {
  const auto descriptor = RS_TRY(visible_descriptor(cpu, selector));
  if (!descriptor || descriptor->system()) return false;
  const bool writable = (descriptor->type() & kSegWritable) != 0;  // of code: readable
  if (write) return !descriptor->code() && writable;
  return !descriptor->code() || writable;
}

}  // namespace ringshift
