// Emitter: memory operands: offsets, segments, lookups, windows.
#include <cstddef>

#include "translator/emitter.h"
#include "translator/treatment.h"

namespace ringshift::bt {

using namespace asmjit;  // NOLINT: the assembler's own vocabulary
using namespace asmjit::x86;

namespace {

Gp guest64(unsigned reg) { return gpq(reg); }

Mem state_field(std::size_t offset, u32 size) { return ptr(r13, static_cast<i32>(offset), size); }
Mem segment_field(Seg segment, std::size_t field) {
  const std::size_t at = offsetof(VcpuState, seg) + static_cast<unsigned>(segment) * sizeof(SegmentRegister);
  return state_field(at + field, 4);
}

}  // namespace

void Emitter::load_offset(Gp dst, const Instruction& insn, i32 esp_bias) {
  const Because because(*this, EmissionReason::offset);
  load_address(dst, insn, esp_bias);
}

void Emitter::load_live(Gp dst, OperandField field) {
  const Because because(*this, EmissionReason::live_operand);
  const FieldPlace place = place_of(*insn_, field);
  assembler_.mov(dst.r64(), reinterpret_cast<u64>(live_.bytes + place.offset));
  const Mem operand = ptr(dst.r64(), 0, place.bytes);
  if (place.bytes == 4) return void(assembler_.mov(dst.r32(), operand));
  assembler_.movsx(dst.r32(), operand);
}

void Emitter::load_address(Gp dst, const Instruction& insn, i32 esp_bias) {
  const bool live = live_displacement(insn);
  const i32 displacement = (live ? 0 : insn.displacement) + (insn.base == kEsp ? esp_bias : 0);
  const bool wide = insn.address_size == 4;
  unsigned shift = 0;
  while ((1u << shift) < insn.scale) ++shift;
  if (insn.base == kNoRegister && insn.index == kNoRegister) {
    assembler_.mov(dst.r32(), wide ? displacement : displacement & 0xffff);
  } else if (insn.index == kNoRegister) {
    if (displacement == 0) {
      assembler_.mov(dst.r32(), gpd(insn.base));
    } else {
      assembler_.lea(dst.r32(), ptr(guest64(insn.base), displacement));
    }
  } else if (insn.base == kNoRegister) {
    assembler_.lea(dst.r32(), ptr(0, guest64(insn.index), shift));
    if (displacement != 0) assembler_.lea(dst.r32(), ptr(dst.r64(), displacement));
  } else {
    assembler_.lea(dst.r32(), ptr(guest64(insn.base), guest64(insn.index), shift, displacement));
  }
  if (live) {
    load_live(r10, kLiveDisplacement);
    assembler_.lea(dst.r32(), ptr(dst.r64(), r10));
  }
  if (!wide) assembler_.movzx(dst.r32(), dst.r16());
}

Label Emitter::interpret_cold() {
  const Label label = assembler_.newLabel();
  cold_interprets_.push_back({label, eip_, uses_fpu_state(*insn_), flags_saved_});
  return label;
}

void Emitter::linear_at_r8(Seg segment, u32 size) {
  const SegmentShape shape = mode_.shape(segment);
  if (shape == SegmentShape::flat) return;
  const Because because(*this, EmissionReason::segment);
  if (shape != SegmentShape::based) {
    protect_flags();
    const Label slow = interpret_cold();
    const Mem limit = segment_field(segment, offsetof(SegmentRegister, limit));
    if (shape == SegmentShape::down || shape == SegmentShape::down_64k) {
      const u32 top = shape == SegmentShape::down ? ~u32{0} : 0xffff;
      assembler_.cmp(r8d, limit);
      assembler_.jbe(slow);
      assembler_.cmp(r8d, static_cast<i32>(top - (size - 1)));
      assembler_.ja(slow);
    } else if (size == 1) {
      assembler_.cmp(r8d, limit);
      assembler_.ja(slow);
    } else {
      assembler_.lea(r9, ptr(r8, static_cast<i32>(size - 1)));  // 64 bits: it can't wrap into the segment
      assembler_.mov(r10d, limit);
      assembler_.cmp(r9, r10);
      assembler_.ja(slow);
    }
  }
  assembler_.mov(r9d, segment_field(segment, offsetof(SegmentRegister, base)));
  assembler_.lea(r8d, ptr(r8, r9));
}

void Emitter::check_target(Gp target, u32 operand_size) {
  const u32 most = operand_size == 2 ? 0xffff : 0xffffffff;
  if (mode_.cs_limit() >= most) return;
  const Because because(*this, EmissionReason::target_limit);
  protect_flags();
  assembler_.cmp(target.r32(), static_cast<i32>(mode_.cs_limit()));
  assembler_.ja(interpret_cold());
}

// Whether the operand can stand as gs:[...] in the instruction itself, with 32-bit addressing (its wrap is
// exact).
bool Emitter::folds(const Instruction& insn) const {
  return insn.address_size == 4 && mode_.shape(insn.segment) == SegmentShape::flat &&
         !live_displacement(insn);
}

Mem Emitter::memory(const Instruction& insn, Access access, u32 size, i32 esp_bias) {
  if (shared()) {
    mark();
    return ptr(r11, shared_offset_, size);
  }
  if (!window_ || !folds(insn) || insn.base == kNoRegister) {
    load_offset(r8, insn, esp_bias);
    linear_at_r8(insn.segment, size);
    return memory_at_r8(access, size);
  }
  mark();
  const i32 displacement = insn.displacement + (insn.base == kEsp ? esp_bias : 0);
  unsigned shift = 0;
  while ((1u << shift) < insn.scale) ++shift;
  Mem operand = insn.index == kNoRegister ? ptr(gpd(insn.base), displacement, size)
                                          : ptr(gpd(insn.base), gpd(insn.index), shift, displacement, size);
  operand.setSegment(gs);
  return operand;
}

Mem Emitter::memory_at_r8(Access access, u32 size) {
  if (window_) {
    mark();
    Mem operand = ptr(r8, 0, size);
    operand.setSegment(gs);
    return operand;
  }
  lookup(access, size);
  mark();
  return ptr(r9, r8, 0, 0, size);
}

void Emitter::begin_memory() {
  if (window_ || shared()) return;
  protect_flags();
  retry_ = assembler_.newLabel();
  assembler_.bind(retry_);
}

void Emitter::lookup(Access access, u32 size) {
  const Label slow = look_up(access, size);
  if (span_ != nullptr && !copying_) return go_on_in_copy(slow);
  const bool write = access == Access::write;
  u32 info = size | (write ? AccessInfo::kWrite : 0) | (uses_fpu_state(*insn_) ? AccessInfo::kFpu : 0);
  if (write) info |= (offset() - static_cast<u32>(code_.labelOffset(retry_))) << AccessInfo::kBehindShift;
  cold_.push_back({slow, retry_, eip_, info, flags_saved_});
}

Label Emitter::look_up(Access access, u32 size) {
  const Because because(*this, EmissionReason::lookup);
  const bool write = access == Access::write;
  constexpr unsigned kEntryShift = 5;
  static_assert(sizeof(TlbEntry) == 1u << kEntryShift);
  assembler_.mov(r9d, r8d);
  assembler_.shr(r9d, kPageShift - kEntryShift);
  assembler_.and_(r9d, (Tlb::kEntries - 1) << kEntryShift);
  if (size > 1) {
    assembler_.lea(r10d, ptr(r8, static_cast<i32>(size - 1)));
    assembler_.and_(r10d, ~kPageOffsetMask);
  } else {
    assembler_.mov(r10d, r8d);
    assembler_.and_(r10d, ~kPageOffsetMask);
  }
  const std::size_t tag = write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag);
  assembler_.cmp(r10d, ptr(r14, r9, 0, static_cast<i32>(tag), 4));
  const Label slow = assembler_.newLabel();
  assembler_.jne(slow);
  assembler_.mov(r9, ptr(r14, r9, 0, static_cast<i32>(offsetof(TlbEntry, addend)), 8));
  return slow;
}

}  // namespace ringshift::bt
