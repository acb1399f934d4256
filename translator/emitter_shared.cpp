// Emitter: lookups that several instructions share, and the copies that do without.
#include "translator/emitter.h"

namespace ringshift::bt {

using namespace asmjit;  // NOLINT: the assembler's own vocabulary
using namespace asmjit::x86;

void Emitter::begin_shared(const SharedLookup& shared) {
  protect_flags();
  const Because because(*this, EmissionReason::shared_lookup);
  assembler_.lea(r8d, ptr(gpq(shared.base), shared.low));
  const Label copy = look_up(shared.write ? Access::write : Access::read, shared.bytes);
  assembler_.lea(r11, ptr(r9, r8));
  span_ = &spans_.emplace_back(SharedSpan{&shared, copy, assembler_.newLabel(), false, {}});
}

void Emitter::end_shared() {
  assembler_.bind(span_->rejoin);
  span_->flags_saved = flags_saved_;
  span_ = nullptr;
}

// r11 would be lost where the miss is filled, and what was looked up may not hold any more behind it.
void Emitter::go_on_in_copy(Label missed) {
  if (span_->entries.empty() || span_->entries.back().eip != eip_)
    span_->entries.push_back({eip_, assembler_.newLabel()});
  shared_misses_.push_back({missed, span_->entries.back().label, flags_saved_, owner_});
}

// The copies are the first of the cold code, if there are any.
void Emitter::begin_cold() {
  if (!starts_.empty() && starts_.back().guest_offset == InstructionStart::kCold) return;
  starts_.push_back({offset(), InstructionStart::kCold});
  if (notes_ != nullptr) notes_->cold_offset = offset();
}

const SharedLookup& Emitter::begin_copy(unsigned span) {
  begin_cold();
  span_ = &spans_[span];
  copying_ = true;
  flags_saved_ = true;  // as the shared lookup left them
  note_reason();
  assembler_.bind(span_->copy);
  return *span_->lookup;
}

// At an instruction's start. Who comes from the hot code has the flags in RFLAGS.
void Emitter::enter_copy(u32 eip) {
  for (const CopyEntry& entry : span_->entries) {
    if (entry.eip != eip) continue;
    restore_flags();
    assembler_.bind(entry.label);
  }
}

void Emitter::end_copy(unsigned span) {
  if (spans_[span].flags_saved)
    protect_flags();
  else
    restore_flags();
  assembler_.jmp(spans_[span].rejoin);
  copying_ = false;
  span_ = nullptr;
}

void Emitter::emit_shared_misses() {
  for (const SharedMiss& miss : shared_misses_) {
    owner_ = miss.owner;
    const Because because(*this, EmissionReason::cold_shared);
    assembler_.bind(miss.label);
    if (miss.flags_saved) emit_restore_flags();
    assembler_.jmp(miss.target);
  }
}

}  // namespace ringshift::bt
