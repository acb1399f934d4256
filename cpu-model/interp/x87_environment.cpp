// x87 control: FNINIT, FNCLEX, FWAIT, control and status words, environments and FNSAVE/FRSTOR, from the
// FXSAVE image by hand.
#include "cpu-model/interp/x87_environment.h"

#include <Zydis/Zydis.h>

#include "cpu-model/interp/fpu.h"
#include "cpu-model/interp/operands.h"

namespace ringshift {

namespace {

constexpr unsigned kStBytes = 10;
constexpr unsigned kMaxImage = 28 + 8 * kStBytes;

u8 full_tag(const FxState& fx, unsigned physical) {
  if (!has_bit(fx.bytes[kFxTags], physical)) return 3;  // empty
  const u8* st = fx.bytes + kFxSt + 16 * ((physical - fx_top(fx)) & 7);
  u64 mantissa;
  u16 exponent;
  std::memcpy(&mantissa, st, 8);
  std::memcpy(&exponent, st + 8, 2);
  exponent &= 0x7fff;
  if (exponent == 0) return mantissa == 0 ? 1 : 2;
  return exponent == 0x7fff || !has_bit(mantissa, 63) ? 2 : 0;
}

u16 full_tags(const FxState& fx) {
  u16 tags = 0;
  for (unsigned i = 0; i < 8; ++i) tags |= static_cast<u16>(full_tag(fx, i) << (2 * i));
  return tags;
}

u8 abridged_tags(u16 tags) {
  u8 used = 0;
  for (unsigned i = 0; i < 8; ++i)
    if (((tags >> (2 * i)) & 3) != 3) used |= static_cast<u8>(1u << i);
  return used;
}

// Changes TOP with the physical registers staying where they are; the image holds them in stack order.
void rotate_stack(FxState& fx, unsigned old_top, unsigned new_top) {
  u8 old[8][16];
  std::memcpy(old, fx.bytes + kFxSt, sizeof old);
  for (unsigned i = 0; i < 8; ++i)
    std::memcpy(fx.bytes + kFxSt + 16 * i, old[(i + new_top - old_top) & 7], 16);
}

void initialize(FxState& fx) {
  rotate_stack(fx, fx_top(fx), 0);
  std::memset(fx.bytes, 0, kFxMxcsr);
  fx_put<u16>(fx, kFxFcw, kFcwInitial);
}

// The environment's formats (SDM vol. 1 figures 8-9 to 8-12). Offsets of FCW, FSW and tags are 0, w and 2w.
struct Environment {
  u16 fcw, fsw, tags, fop;
  u32 fip, fdp;
  u16 fcs, fds;
};

Environment environment_of(const FxState& fx) {
  return {fx_fcw(fx),
          fx_fsw(fx),
          full_tags(fx),
          fx_get<u16>(fx, kFxFop),
          fx_get<u32>(fx, kFxFip),
          fx_get<u32>(fx, kFxFdp),
          fx_get<u16>(fx, kFxFcs),
          fx_get<u16>(fx, kFxFds)};
}

template <class T>
void put(u8* to, T value) {
  std::memcpy(to, &value, sizeof value);
}
template <class T>
T get(const u8* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

constexpr u32 kUpper = 0xffff0000;  // what hardware stores in the reserved halves

void encode32(const Environment& env, bool real, u8* out) {
  put<u32>(out, kUpper | env.fcw);
  put<u32>(out + 4, kUpper | env.fsw);
  put<u32>(out + 8, kUpper | env.tags);
  const u32 fop = env.fop & 0x7ff;
  if (real) {
    put<u32>(out + 12, kUpper | (env.fip & 0xffff));
    put<u32>(out + 16, (env.fip >> 16 << 12) | fop);
    put<u32>(out + 20, kUpper | (env.fdp & 0xffff));
    put<u32>(out + 24, env.fdp >> 16 << 12);
  } else {
    put<u32>(out + 12, env.fip);
    put<u32>(out + 16, env.fcs | (fop << 16));
    put<u32>(out + 20, env.fdp);
    put<u32>(out + 24, kUpper | env.fds);
  }
}

void encode16(const Environment& env, bool real, u8* out) {
  put<u16>(out, env.fcw);
  put<u16>(out + 2, env.fsw);
  put<u16>(out + 4, env.tags);
  put<u16>(out + 6, static_cast<u16>(env.fip));
  put<u16>(out + 10, static_cast<u16>(env.fdp));
  if (real) {
    put<u16>(out + 8, static_cast<u16>(((env.fip >> 16) << 12) | (env.fop & 0x7ff)));
    put<u16>(out + 12, static_cast<u16>((env.fdp >> 16) << 12));
  } else {
    put<u16>(out + 8, env.fcs);
    put<u16>(out + 12, env.fds);
  }
}

Environment decode(const u8* in, bool wide, bool real) {
  const unsigned w = wide ? 4 : 2;
  Environment env{get<u16>(in), get<u16>(in + w), get<u16>(in + 2 * w), 0, 0, 0, 0, 0};
  if (wide && !real) {
    env.fip = get<u32>(in + 12);
    env.fcs = get<u16>(in + 16);
    env.fop = get<u16>(in + 18) & 0x7ff;
    env.fdp = get<u32>(in + 20);
    env.fds = get<u16>(in + 24);
    return env;
  }
  env.fip = get<u16>(in + 3 * w);
  env.fdp = get<u16>(in + 5 * w);
  if (!real) {
    env.fcs = get<u16>(in + 8);
    env.fds = get<u16>(in + 12);
    return env;
  }
  const u32 fip_and_fop = wide ? get<u32>(in + 16) : u32{get<u16>(in + 8)};
  const u32 fdp_upper = wide ? get<u32>(in + 24) : u32{get<u16>(in + 12)};
  env.fop = fip_and_fop & 0x7ff;
  env.fip |= fip_and_fop >> 12 << 16;
  env.fdp |= fdp_upper >> 12 << 16;
  return env;
}

// FLDENV's effect but for the registers' place in the image.
void set_environment(FxState& fx, const Environment& env) {
  const u16 fcw = clean_fcw(env.fcw);
  fx_put<u16>(fx, kFxFcw, fcw);
  fx_put<u16>(fx, kFxFsw, with_summary(env.fsw, fcw));
  fx.bytes[kFxTags] = abridged_tags(env.tags);
  fx_put<u16>(fx, kFxFop, env.fop);
  fx_put<u32>(fx, kFxFip, env.fip);
  fx_put<u16>(fx, kFxFcs, env.fcs);
  fx_put<u32>(fx, kFxFdp, env.fdp);
  fx_put<u16>(fx, kFxFds, env.fds);
}

unsigned environment_size(const Instruction& insn) { return insn.operand_size == 4 ? 28 : 14; }

void encode(const Cpu& cpu, const Instruction& insn, u8* out) {
  const Environment env = environment_of(cpu.state.fx);
  if (insn.operand_size == 4)
    encode32(env, cpu.real_segments(), out);
  else
    encode16(env, cpu.real_segments(), out);
}

Outcome<> fnstenv(Cpu& cpu, const Instruction& insn) {
  RS_TRY(require_x87(cpu));
  const unsigned size = environment_size(insn);
  u8 image[kMaxImage];
  encode(cpu, insn, image);
  const Gva gva = RS_TRY(data_address(cpu, insn, size, AccessKind::write, insn.operand_size));
  RS_TRY(write_data(cpu, gva, image, size));
  // All exceptions become masked.
  fx_put<u16>(cpu.state.fx, kFxFcw, fx_fcw(cpu.state.fx) | kFswExceptions);
  settle_x87(cpu);
  return {};
}

Outcome<> fldenv(Cpu& cpu, const Instruction& insn) {
  RS_TRY(require_x87_waiting(cpu));
  const unsigned size = environment_size(insn);
  u8 image[kMaxImage];
  const Gva gva = RS_TRY(data_address(cpu, insn, size, AccessKind::read, insn.operand_size));
  RS_TRY(read_data(cpu, gva, image, size));
  FxState& fx = cpu.state.fx;
  const unsigned old_top = fx_top(fx);
  set_environment(fx, decode(image, insn.operand_size == 4, cpu.real_segments()));
  rotate_stack(fx, old_top, fx_top(fx));
  settle_x87(cpu);
  return {};
}

Outcome<> fnsave(Cpu& cpu, const Instruction& insn) {
  RS_TRY(require_x87(cpu));
  const unsigned size = environment_size(insn);
  u8 image[kMaxImage];
  encode(cpu, insn, image);
  for (unsigned i = 0; i < 8; ++i)
    std::memcpy(image + size + kStBytes * i, cpu.state.fx.bytes + kFxSt + 16 * i, kStBytes);
  const unsigned total = size + 8 * kStBytes;
  const Gva gva = RS_TRY(data_address(cpu, insn, total, AccessKind::write, insn.operand_size));
  RS_TRY(write_data(cpu, gva, image, total));
  initialize(cpu.state.fx);
  settle_x87(cpu);
  return {};
}

Outcome<> frstor(Cpu& cpu, const Instruction& insn) {
  RS_TRY(require_x87_waiting(cpu));
  const unsigned size = environment_size(insn);
  const unsigned total = size + 8 * kStBytes;
  u8 image[kMaxImage];
  const Gva gva = RS_TRY(data_address(cpu, insn, total, AccessKind::read, insn.operand_size));
  RS_TRY(read_data(cpu, gva, image, total));
  FxState& fx = cpu.state.fx;
  set_environment(fx, decode(image, insn.operand_size == 4, cpu.real_segments()));
  for (unsigned i = 0; i < 8; ++i) {
    std::memset(fx.bytes + kFxSt + 16 * i, 0, 16);
    std::memcpy(fx.bytes + kFxSt + 16 * i, image + size + kStBytes * i, kStBytes);
  }
  settle_x87(cpu);
  return {};
}

Outcome<> fninit(Cpu& cpu, const Instruction&) {
  RS_TRY(require_x87(cpu));
  initialize(cpu.state.fx);
  settle_x87(cpu);
  return {};
}

Outcome<> fnclex(Cpu& cpu, const Instruction&) {
  RS_TRY(require_x87(cpu));
  constexpr u16 kCleared = kFswExceptions | kFswStackFault | kFswSummary | kFswBusy;
  fx_put<u16>(cpu.state.fx, kFxFsw, fx_fsw(cpu.state.fx) & static_cast<u16>(~kCleared));
  settle_x87(cpu);
  return {};
}

Outcome<> fnstcw(Cpu& cpu, const Instruction& insn) {
  RS_TRY(require_x87(cpu));
  return write_memory_operand<u16>(cpu, insn, fx_fcw(cpu.state.fx));
}

Outcome<> fnstsw(Cpu& cpu, const Instruction& insn) {
  RS_TRY(require_x87(cpu));
  return write_operand<u16>(cpu, insn, 0, fx_fsw(cpu.state.fx));
}

Outcome<> fwait(Cpu& cpu, const Instruction&) {
  constexpr u32 kBoth = kCr0Mp | kCr0Ts;
  if ((cpu.state.cr0 & kBoth) == kBoth) return raise(Fault::nm());
  if (!x87_pending(cpu.state.fx)) return {};
  return report_x87(cpu);
}

// FNDISI, FNENI and FNSETPM do nothing since the 387.
Outcome<> no_operation(Cpu& cpu, const Instruction&) { return require_x87(cpu); }

}  // namespace

void register_x87_environment(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_FNSTENV, fnstenv);
  table.set(ZYDIS_MNEMONIC_FLDENV, fldenv);
  table.set(ZYDIS_MNEMONIC_FNSAVE, fnsave);
  table.set(ZYDIS_MNEMONIC_FRSTOR, frstor);
  table.set(ZYDIS_MNEMONIC_FNINIT, fninit);
  table.set(ZYDIS_MNEMONIC_FNCLEX, fnclex);
  table.set(ZYDIS_MNEMONIC_FNSTCW, fnstcw);
  table.set(ZYDIS_MNEMONIC_FNSTSW, fnstsw);
  table.set(ZYDIS_MNEMONIC_FWAIT, fwait);
  table.set(ZYDIS_MNEMONIC_FDISI8087_NOP, no_operation);
  table.set(ZYDIS_MNEMONIC_FENI8087_NOP, no_operation);
  table.set(ZYDIS_MNEMONIC_FSETPM287_NOP, no_operation);
}

}  // namespace ringshift
