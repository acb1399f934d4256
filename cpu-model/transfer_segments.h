// What control transfers ask of the code, stack and task segments that they go to.
#pragma once

#include "cpu-model/segmentation.h"

namespace ringshift {

inline bool is_null_selector(u16 selector) { return (selector & 0xfffc) == 0; }
// A selector as error codes hold it: index and TI.
inline u32 selector_error(u16 selector) { return selector & 0xfffc; }
inline u8 requested_level(u16 selector) { return selector & 3; }
inline Fault selector_fault(Vector vector, u16 selector) {
  return Fault::with_code(vector, selector_error(selector));
}
// A segment register after a null selector was loaded, or before its descriptor is known.
inline SegmentRegister unusable_segment(u16 selector = 0) { return {selector, 0, kSegUnusable, 0, 0, 0}; }

// The code segment of a far JMP or CALL without a gate (SDM 3A 5.8.1); descriptor: the selector's.
Outcome<SegmentRegister> direct_code_segment(Cpu& cpu, u16 selector, Descriptor descriptor);
// The code segment that a far RET or IRET goes to (5.8.6); its level is the selector's RPL.
Outcome<SegmentRegister> return_code_segment(Cpu& cpu, u16 selector);
// The code segment of a call, interrupt or trap gate, checked but for its privilege against CPL beyond
// DPL <= CPL; marked accessed by gate_code_register when the level is known.
Outcome<Descriptor> gate_code_descriptor(Cpu& cpu, u16 selector);
Outcome<SegmentRegister> gate_code_register(Cpu& cpu, u16 selector, Descriptor descriptor, u8 cpl);

// A stack segment for `cpl`, checked as an inner stack from the TSS is (vector #TS) or as one that a return
// pops (vector #GP); not present is #SS.
Outcome<SegmentRegister> stack_segment(Cpu& cpu, u16 selector, u8 cpl, Vector vector);

// The present TSS, busy or available as asked, that a selector names; else `vector`, or #NP.
Outcome<Descriptor> task_descriptor(Cpu& cpu, u16 selector, bool busy, Vector vector);

// A stack that is all of the address space: 32 bits, no limit, not expand-down.
inline bool flat_stack(const SegmentRegister& ss) {
  return ss.base == 0 && ss.limit == 0xffffffff && ss.usable() &&
         (ss.attributes & (kSegBig | kSegCode | kSegExpandDown)) == kSegBig;
}
// Whether drop_inaccessible_segments (cpu-model/segmentation.h) is sure to have nothing to do at this CPL.
inline bool keeps_data_segments(const VcpuState& state, u8 cpl) {
  for (const Seg segment : {Seg::es, Seg::ds, Seg::fs, Seg::gs})
    if (state.segment(segment).usable() && state.segment(segment).dpl() < cpl) return false;
  return true;
}

// CS, EIP and CPL of a completed transfer.
inline void commit_code(Cpu& cpu, const SegmentRegister& code, u32 eip) {
  cpu.state.segment(Seg::cs) = code;
  cpu.state.cpl = requested_level(code.selector);
  cpu.state.rip = eip;
}

}  // namespace ringshift
