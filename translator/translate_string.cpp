// Translations of string instructions without REP. The direction is part of the mode.
#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

u32 element_size(const Instruction& insn) { return (insn.opcode & 1) == 0 ? 1 : insn.operand_size; }

// One string instruction's elements, and its index registers.
class Elements {
 public:
  Elements(Emitter& emitter, const Instruction& insn)
      : emitter_(emitter), insn_(insn), size_(element_size(insn)) {}

  u32 size() const { return size_; }
  Mem source() { return at(insn_.segment, kEsi, Access::read); }
  Mem destination(Access access) { return at(Seg::es, kEdi, access); }
  // Of 16-bit addresses SI and DI alone are part (SDM vol. 1 3.3.7).
  void advance(u8 reg) {
    const i32 step = emitter_.mode().downward() ? -static_cast<i32>(size_) : static_cast<i32>(size_);
    const Emitter::Because because(emitter_, EmissionReason::string_index);
    auto& as = emitter_.as();
    if (insn_.address_size == 4) {
      as.lea(gpd(reg), ptr(gpq(reg), step));
    } else {
      as.lea(r9d, ptr(gpq(reg), step));
      as.mov(gpw(reg), r9w);
    }
  }

 private:
  Mem at(Seg segment, u8 reg, Access access) {
    Instruction element;
    element.segment = segment;
    element.base = reg;
    element.address_size = insn_.address_size;
    return emitter_.memory(element, access, size_);
  }

  Emitter& emitter_;
  const Instruction& insn_;
  u32 size_;
};

}  // namespace

void translate_string(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  Elements elements(emitter, insn);
  const u32 size = elements.size();
  const Gp accumulator = sized(rax, size);
  const Gp value = sized(r11, size);
  auto& as = emitter.as();
  emitter.begin_memory();
  const Emitter::Because because(emitter, emitter.window() ? EmissionReason::window : EmissionReason::ram);
  switch (insn.opcode & 0xfe) {
    case 0xa4:  // MOVS
      as.mov(value, elements.source());
      as.mov(elements.destination(Access::write), value);
      elements.advance(kEsi);
      elements.advance(kEdi);
      break;
    case 0xa6:  // CMPS
      as.mov(value, elements.source());
      as.cmp(value, elements.destination(Access::read));
      elements.advance(kEsi);
      elements.advance(kEdi);
      break;
    case 0xaa:  // STOS
      as.mov(elements.destination(Access::write), accumulator);
      elements.advance(kEdi);
      break;
    case 0xac:  // LODS
      as.mov(accumulator, elements.source());
      elements.advance(kEsi);
      break;
    default:  // SCAS
      as.cmp(accumulator, elements.destination(Access::read));
      elements.advance(kEdi);
      break;
  }
  emitter.settle_flags(insn);
}

namespace {

constexpr u32 kMaxCount = 16384;

// A count that could outrun the guard beside the window, or keep interrupts waiting, goes to the interpreter.
void interpret_long_rep(Emitter& emitter, InterpretSite* site) {
  auto& as = emitter.as();
  const asmjit::Label native = as.newLabel();
  emitter.protect_flags();
  const Emitter::Because because(emitter, EmissionReason::rep_limit);
  as.cmp(ecx, kMaxCount);
  as.jbe(native);
  emitter.interpret_aside(site);
  as.bind(native);
}

// The same for one that mostly ends long before its count does (the end of a string, looked for with a count
// of FFFFFFFF): what is beyond the limit is put aside in r10.
void clip_count(Emitter& emitter) {
  auto& as = emitter.as();
  const asmjit::Label native = as.newLabel();
  emitter.protect_flags();
  const Emitter::Because because(emitter, EmissionReason::rep_limit);
  as.xor_(r10d, r10d);
  as.cmp(ecx, kMaxCount);
  as.jbe(native);
  as.lea(r10d, ptr(rcx, -static_cast<i32>(kMaxCount)));
  as.mov(ecx, kMaxCount);
  as.bind(native);
}

// Behind it: the interpreter goes on if neither the count nor a comparison has ended it.
void interpret_rest(Emitter& emitter, const Instruction& insn, InterpretSite* site) {
  auto& as = emitter.as();
  const Emitter::Because because(emitter, EmissionReason::rep_limit);
  const asmjit::Label done = as.newLabel();
  as.lea(ecx, ptr(rcx, r10));
  insn.has_prefix(kPrefixRepne) ? as.jz(done) : as.jnz(done);
  as.jecxz(ecx, done);
  emitter.interpret_aside(site);
  as.bind(done);
}

}  // namespace

// REP MOVS and STOS, REPE/REPNE CMPS and SCAS through a window: the host's own, on host addresses. The window
// is 4 GiB-aligned, so the low halves of RSI and RDI stay the guest's, also when it faults half way.
void translate_rep(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site, bool clips) {
  const Instruction& insn = guest.insn;
  auto& as = emitter.as();
  const bool source = (insn.opcode & 0xfe) == 0xa4 || (insn.opcode & 0xfe) == 0xa6;
  const bool clipped = clips && ((insn.opcode & 0xfe) == 0xa6 || (insn.opcode & 0xfe) == 0xae);
  clipped ? clip_count(emitter) : interpret_long_rep(emitter, site);
  emitter.restore_flags();
  {
    const Emitter::Because because(emitter, EmissionReason::rep_host);
    as.mov(r9, ptr(r15, offsetof(BtContext, window_base)));  // not RDGSBASE: it may be lost (window_base.h)
    as.lea(rdi, ptr(r9, rdi));
    if (source) as.lea(rsi, ptr(r9, rsi));
    if (emitter.mode().downward()) as.std();
    emitter.mark(clipped);
    as.db(insn.has_prefix(kPrefixRepne) ? 0xf2 : 0xf3);
    if (insn.operand_size == 2) as.db(0x66);
    as.db(insn.opcode);
    if (emitter.mode().downward()) as.cld();
    as.mov(edi, edi);
    if (source) as.mov(esi, esi);
  }
  if (clipped) interpret_rest(emitter, insn, site);
  emitter.resume_here(site);
}

}  // namespace ringshift::bt
