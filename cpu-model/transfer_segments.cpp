// What control transfers ask of the code, stack and task segments that they go to.
#include "cpu-model/transfer_segments.h"

namespace ringshift {

namespace {
// CS's RPL is always CPL (SDM 3A 5.5).
Outcome<SegmentRegister> code_register(Cpu& cpu, u16 selector, Descriptor& descriptor, u8 cpl) {
  RS_TRY(set_accessed(cpu, selector, descriptor));
  return segment_from(static_cast<u16>((selector & 0xfffc) | cpl), descriptor);
}
}  // namespace

Outcome<SegmentRegister> direct_code_segment(Cpu& cpu, u16 selector, Descriptor descriptor) {
  const u8 cpl = cpu.state.cpl;
  const bool allowed = descriptor.conforming() ? descriptor.dpl() <= cpl
                                               : requested_level(selector) <= cpl && descriptor.dpl() == cpl;
  if (!descriptor.code() || !allowed) return raise(Fault::gp(selector_error(selector)));
  if (!descriptor.present()) return raise(Fault::np(selector_error(selector)));
  return code_register(cpu, selector, descriptor, cpl);
}

Outcome<SegmentRegister> return_code_segment(Cpu& cpu, u16 selector) {
  if (is_null_selector(selector)) return raise(Fault::gp());
  Descriptor descriptor = RS_TRY(read_descriptor(cpu, selector));
  const u8 level = requested_level(selector);
  const bool allowed = level >= cpu.state.cpl &&
                       (descriptor.conforming() ? descriptor.dpl() <= level : descriptor.dpl() == level);
  if (!descriptor.code() || !allowed) return raise(Fault::gp(selector_error(selector)));
  if (!descriptor.present()) return raise(Fault::np(selector_error(selector)));
  return code_register(cpu, selector, descriptor, level);
}

Outcome<Descriptor> gate_code_descriptor(Cpu& cpu, u16 selector) {
  if (is_null_selector(selector)) return raise(Fault::gp());
  const Descriptor descriptor = RS_TRY(read_descriptor(cpu, selector));
  if (!descriptor.code() || descriptor.dpl() > cpu.state.cpl)
    return raise(Fault::gp(selector_error(selector)));
  if (!descriptor.present()) return raise(Fault::np(selector_error(selector)));
  return descriptor;
}

Outcome<SegmentRegister> gate_code_register(Cpu& cpu, u16 selector, Descriptor descriptor, u8 cpl) {
  return code_register(cpu, selector, descriptor, cpl);
}

Outcome<SegmentRegister> stack_segment(Cpu& cpu, u16 selector, u8 cpl, Vector vector) {
  const Fault wrong = selector_fault(vector, selector);
  if (is_null_selector(selector)) return raise(wrong);
  Descriptor descriptor = RS_TRY(read_descriptor(cpu, selector, vector));
  const bool writable_data = !descriptor.system() && !descriptor.code() && (descriptor.type() & 2) != 0;
  if (requested_level(selector) != cpl || descriptor.dpl() != cpl || !writable_data) return raise(wrong);
  if (!descriptor.present()) return raise(Fault::ss(selector_error(selector)));
  RS_TRY(set_accessed(cpu, selector, descriptor));
  return segment_from(selector, descriptor);
}

Outcome<Descriptor> task_descriptor(Cpu& cpu, u16 selector, bool busy, Vector vector) {
  const Fault wrong = selector_fault(vector, selector);
  if ((selector & 4) != 0) return raise(wrong);  // A TSS stands in the GDT only (SDM 3A 7.2.2).
  const Descriptor descriptor = RS_TRY(read_descriptor(cpu, selector, vector));
  const u8 busy_bit = busy ? 2 : 0;
  const bool tss =
      descriptor.type() == (kTypeTss16 | busy_bit) || descriptor.type() == (kTypeTss32 | busy_bit);
  if (!descriptor.system() || !tss) return raise(wrong);
  if (!descriptor.present()) return raise(Fault::np(selector_error(selector)));
  return descriptor;
}

}  // namespace ringshift
