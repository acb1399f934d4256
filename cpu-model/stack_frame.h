// StackFrame and StackReader: pushes and pops of a control transfer, which move (E)SP only at its very end.
//
// Memory below the stack pointer may have been written when a push faults; registers are as they were.
#pragma once

#include "cpu-model/segmentation.h"
#include "cpu-model/stack.h"

namespace ringshift {

// Pushes onto a stack that need not be the current one.
class StackFrame {
 public:
  // cpl: the privilege that the pushes are made with; violation: raised where the segment does not reach.
  StackFrame(const SegmentRegister& ss, u32 esp, u8 cpl, Fault violation)
      : ss_(ss),
        mask_((ss.attributes & kSegBig) != 0 ? 0xffffffffu : 0xffffu),
        esp_(esp),
        user_(cpl == 3),
        violation_(violation) {}
  // The current stack; #SS(0) beyond it.
  static StackFrame current(const Cpu& cpu) {
    return {cpu.state.segment(Seg::ss), cpu.state.reg32(kEsp), cpu.state.cpl, Fault::ss()};
  }

  Outcome<> push(Cpu& cpu, u32 value, unsigned size) {
    const u32 at = (esp_ - size) & mask_;
    if (!reaches(at, size)) return raise(violation_);
    const Gva gva = static_cast<Gva>(ss_.base) + at;
    if (size == 4) {
      RS_TRY(write_linear<u32>(cpu, gva, value, user_));
    } else {
      RS_TRY(write_linear<u16>(cpu, gva, static_cast<u16>(value), user_));
    }
    esp_ = (esp_ & ~mask_) | at;
    return {};
  }
  // ESP as it is to be loaded; a 16-bit stack keeps the upper half that it began with.
  u32 esp() const { return esp_; }

 private:
  bool reaches(u32 at, unsigned size) const {
    if (!ss_.usable()) return false;
    const u64 last = u64{at} + size - 1;
    const bool expand_down = (ss_.attributes & (kSegCode | kSegExpandDown)) == kSegExpandDown;
    return expand_down ? at > ss_.limit && last <= mask_ : last <= ss_.limit;
  }

  SegmentRegister ss_;
  u32 mask_;
  u32 esp_;
  bool user_;
  Fault violation_;
};

// Pops from the current stack, at the current privilege, without moving (E)SP.
class StackReader {
 public:
  explicit StackReader(const Cpu& cpu) : at_(stack_pointer(cpu)), mask_(stack_mask(cpu)) {}

  Outcome<u32> pop(Cpu& cpu, unsigned size) {
    const u32 value = size == 4 ? RS_TRY(read_memory<u32>(cpu, Seg::ss, at_))
                                : u32{RS_TRY(read_memory<u16>(cpu, Seg::ss, at_))};
    skip(size);
    return value;
  }
  // A selector in a slot of `size` bytes.
  Outcome<u16> pop_selector(Cpu& cpu, unsigned size) { return static_cast<u16>(RS_TRY(pop(cpu, size))); }
  void skip(u32 bytes) { at_ = (at_ + bytes) & mask_; }
  // For set_stack_pointer, while SS is still the one that was read from.
  u32 pointer() const { return at_; }

 private:
  u32 at_;
  u32 mask_;
};

}  // namespace ringshift
