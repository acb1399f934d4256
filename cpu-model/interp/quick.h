// Quick handlers: the commonest instructions in their commonest forms, each a function of its own.
//
// They are chosen when an instruction is decoded, by mnemonic, operand size and form, so that nothing of that
// is looked at when it runs. Unlike other handlers they change registers and flags only after all that can
// fault, so the interpreter takes no snapshot for them. What differs from the plainest case inside (a segment
// that isn't flat, a Tlb miss) is left to the general code.
#pragma once

#include "cpu-model/interp/alu.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/operands.h"

namespace ringshift {

// The quick handler of an instruction, or null.
Handler quick_handler(const Instruction& insn);

// By family; null if the form isn't theirs.
Handler quick_integer(const Instruction& insn);
Handler quick_moves(const Instruction& insn);
Handler quick_flow(const Instruction& insn);

namespace quick {

// Destination, then source: register, memory, immediate.
enum class Form : u8 { rr, ri, rm, mr, mi, none };

inline Form form_of(const Instruction& insn) {
  const auto is_register = [](OperandKind kind) {
    return kind == OperandKind::gpr8 || kind == OperandKind::gpr16 || kind == OperandKind::gpr32;
  };
  const OperandKind to = insn.operands[0].kind;
  const OperandKind from = insn.operands[1].kind;
  if (is_register(to)) {
    if (is_register(from)) return Form::rr;
    if (from == OperandKind::immediate) return Form::ri;
    if (from == OperandKind::memory) return Form::rm;
  } else if (to == OperandKind::memory) {
    if (is_register(from)) return Form::mr;
    if (from == OperandKind::immediate) return Form::mi;
  }
  return Form::none;
}

// kNoRegister & 15 is 15, and R15 is zero in a 32-bit guest, so that no test is needed for either register.
static_assert((kNoRegister & 15) == 15);
inline u32 address_of(const VcpuState& state, const Instruction& insn) {
  const u32 offset = static_cast<u32>(insn.displacement) + static_cast<u32>(state.gpr[insn.base & 15]) +
                     static_cast<u32>(state.gpr[insn.index & 15]) * insn.scale;
  return insn.address_size == 2 ? offset & 0xffff : offset;
}

// Where sizeof(T) bytes at segment:offset stand in host memory, if the access may go straight there; else
// null.
template <class T, bool kWrite>
inline u8* plain_place(Cpu& cpu, Seg seg, u32 offset) {
  const SegmentRegister& segment = cpu.state.segment(seg);
  const Gva gva = static_cast<Gva>(segment.base) + offset;
  const TlbEntry& entry = cpu.tlb.entry(gva, cpu.user());
  const bool plain = plainly_allowed(segment, offset, sizeof(T)) &&
                     (kWrite ? entry.write_tag : entry.read_tag) == (gva & ~kPageOffsetMask) &&
                     (gva & kPageOffsetMask) <= kPageSize - sizeof(T) && (cpu.state.rflags & kFlagAc) == 0;
  return plain ? reinterpret_cast<u8*>(entry.addend + gva) : nullptr;
}

template <class T>
[[gnu::noinline]] Outcome<T> load_slowly(Cpu& cpu, Seg segment, u32 offset) {
  return read_memory<T>(cpu, segment, offset);
}
template <class T>
[[gnu::noinline]] Outcome<> store_slowly(Cpu& cpu, Seg segment, u32 offset, T value) {
  return write_memory<T>(cpu, segment, offset, value);
}

template <class T>
[[gnu::always_inline]] inline Outcome<T> load_at(Cpu& cpu, Seg segment, u32 offset) {
  const u8* place = plain_place<T, false>(cpu, segment, offset);
  if (place == nullptr) [[unlikely]]
    return load_slowly<T>(cpu, segment, offset);
  T value;
  std::memcpy(&value, place, sizeof(T));
  return value;
}
template <class T>
[[gnu::always_inline]] inline Outcome<> store_at(Cpu& cpu, Seg segment, u32 offset, T value) {
  u8* place = plain_place<T, true>(cpu, segment, offset);
  if (place == nullptr) [[unlikely]]
    return store_slowly<T>(cpu, segment, offset, value);
  std::memcpy(place, &value, sizeof(T));
  return {};
}
template <class T>
[[gnu::always_inline]] inline Outcome<T> load(Cpu& cpu, const Instruction& insn) {
  return load_at<T>(cpu, insn.segment, address_of(cpu.state, insn));
}
template <class T>
[[gnu::always_inline]] inline Outcome<> store(Cpu& cpu, const Instruction& insn, T value) {
  return store_at<T>(cpu, insn.segment, address_of(cpu.state, insn), value);
}

template <class T>
inline T source_register(const Cpu& cpu, const Instruction& insn) {
  return read_register<T>(cpu.state, insn.operands[1].reg & 7);
}
template <class T>
inline T destination_register(const Cpu& cpu, const Instruction& insn) {
  return read_register<T>(cpu.state, insn.operands[0].reg & 7);
}
template <class T>
inline void set_destination(Cpu& cpu, const Instruction& insn, T value) {
  write_register<T>(cpu.state, insn.operands[0].reg & 7, value);
}

// The source operand of a form.
template <class T, Form kForm>
[[gnu::always_inline]] inline Outcome<T> source(Cpu& cpu, const Instruction& insn) {
  if constexpr (kForm == Form::rr || kForm == Form::mr)
    return source_register<T>(cpu, insn);
  else if constexpr (kForm == Form::rm)
    return load<T>(cpu, insn);
  else
    return static_cast<T>(insn.immediate);
}

// Picks from a family of functions `get.template operator()<T, Form>()` by operand size and form.
template <class T, class Get>
Handler pick_form(Form form, Get&& get) {
  switch (form) {
    case Form::rr:
      return get.template operator()<T, Form::rr>();
    case Form::ri:
      return get.template operator()<T, Form::ri>();
    case Form::rm:
      return get.template operator()<T, Form::rm>();
    case Form::mr:
      return get.template operator()<T, Form::mr>();
    case Form::mi:
      return get.template operator()<T, Form::mi>();
    case Form::none:
      break;
  }
  return nullptr;
}
template <class Get>
Handler pick(const Instruction& insn, Get&& get) {
  const Form form = form_of(insn);
  switch (insn.operands[0].bytes) {
    case 1:
      return pick_form<u8>(form, get);
    case 2:
      return pick_form<u16>(form, get);
    case 4:
      return pick_form<u32>(form, get);
    default:
      return nullptr;
  }
}

}  // namespace quick

}  // namespace ringshift
