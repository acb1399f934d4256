// x87 data processing: every instruction is executed by the host's own FPU on a copy of the guest's state.
//
// Instructions that store or load the environment, and those that do not wait, are x87_environment.cpp's.
#include <Zydis/Zydis.h>

#include "cpu-model/interp/fpu.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/x87_environment.h"

namespace ringshift {

namespace {

struct MemoryForm {
  u8 size;  // bytes; 0: not a data instruction
  bool store;
};

// By opcode - D8 and ModRM's reg field (SDM vol. 2D tables ).
constexpr MemoryForm kLoad16{2, false}, kLoad32{4, false}, kLoad64{8, false}, kLoad80{10, false};
constexpr MemoryForm kStore16{2, true}, kStore32{4, true}, kStore64{8, true}, kStore80{10, true};
constexpr MemoryForm kNone{0, false};
constexpr MemoryForm kMemoryForms[8][8] = {
    {kLoad32, kLoad32, kLoad32, kLoad32, kLoad32, kLoad32, kLoad32, kLoad32},
    {kLoad32, kNone, kStore32, kStore32, kNone, kLoad16, kNone, kNone},
    {kLoad32, kLoad32, kLoad32, kLoad32, kLoad32, kLoad32, kLoad32, kLoad32},
    {kLoad32, kStore32, kStore32, kStore32, kNone, kLoad80, kNone, kStore80},
    {kLoad64, kLoad64, kLoad64, kLoad64, kLoad64, kLoad64, kLoad64, kLoad64},
    {kLoad64, kStore64, kStore64, kStore64, kNone, kNone, kNone, kNone},
    {kLoad16, kLoad16, kLoad16, kLoad16, kLoad16, kLoad16, kLoad16, kLoad16},
    {kLoad16, kStore16, kStore16, kStore16, kLoad80, kLoad64, kStore80, kStore64},
};

// The context's x87 part from the guest's, in a form that no instruction traps on: exceptions that wait (with
// CR0.NE = 0 execution goes on in spite of them) are kept aside and returned.
u16 load_x87(const FxState& fx, HostContext& context) {
  context.fx = fx;
  fx_put<u32>(context.fx, kFxMxcsr, kMxcsrInitial);
  const u16 fcw = clean_fcw(fx_fcw(fx));
  const u16 fsw = fx_fsw(fx);
  const u16 kept = x87_pending(fx) ? fsw & kFswExceptions : 0;
  fx_put<u16>(context.fx, kFxFcw, fcw);
  fx_put<u16>(context.fx, kFxFsw, with_summary(static_cast<u16>(fsw & ~kept), fcw));
  return kept;
}

// FIP, FDP and FOP become 0: the host's would be the monitor's addresses, and engines that run x87 code in
// place do not know the guest's.
void commit_x87(Cpu& cpu, const HostContext& context, u16 kept) {
  FxState& fx = cpu.state.fx;
  std::memcpy(fx.bytes, context.fx.bytes, kFxFop);
  std::memset(fx.bytes + kFxFop, 0, kFxMxcsr - kFxFop);
  std::memcpy(fx.bytes + kFxSt, context.fx.bytes + kFxSt, kFxXmm - kFxSt);
  fx_put<u16>(fx, kFxFsw, fx_fsw(fx) | kept);
  settle_x87(cpu);
}

// An unmasked exception other than precision leaves the destination in memory alone (SDM vol. 1 8.5).
bool store_suppressed(const FxState& fx) {
  return (fx_fsw(fx) & ~fx_fcw(fx) & kFswExceptions & ~kFswPrecision) != 0;
}

Outcome<> x87_memory(Cpu& cpu, const Instruction& insn) {
  const MemoryForm form = kMemoryForms[insn.opcode & 7][insn.modrm_reg()];
  if (form.size == 0) return raise(Fault::ud());
  HostContext context;
  // 80-bit operands are checked as 64-bit ones are (SDM vol. 3A table 6-7).
  const u32 alignment = form.size == 10 ? 8 : form.size;
  const AccessKind kind = form.store ? AccessKind::write : AccessKind::read;
  const Gva gva = RS_TRY(data_address(cpu, insn, form.size, kind, alignment));
  if (!form.store) {
    RS_TRY(read_data(cpu, gva, context.memory, form.size));
  } else {
    RS_TRY(probe_write(cpu, gva, form.size, cpu.user()));  // also for a store that will be suppressed
  }
  load_context(cpu, context);
  const u16 kept = load_x87(cpu.state.fx, context);
  run_on_host(cpu, insn, context);
  if (form.store && !store_suppressed(context.fx)) RS_TRY(write_data(cpu, gva, context.memory, form.size));
  commit_x87(cpu, context, kept);
  return {};
}

Outcome<> x87(Cpu& cpu, const Instruction& insn) {
  RS_TRY(require_x87_waiting(cpu));
  if (insn.opcode < 0xd8 || insn.opcode > 0xdf || !insn.has_modrm) return raise(Fault::ud());
  if (insn.memory_form()) return x87_memory(cpu, insn);
  HostContext context;
  load_context(cpu, context);
  const u16 kept = load_x87(cpu.state.fx, context);
  run_on_host(cpu, insn, context);
  commit_x87(cpu, context, kept);
  commit_registers(cpu, context);  // FCOMI and its like set flags
  return {};
}

constexpr ZydisMnemonic kDataProcessing[] = {
#define M(name) ZYDIS_MNEMONIC_##name
    M(F2XM1),   M(FABS),    M(FADD),    M(FADDP),    M(FBLD),    M(FBSTP),   M(FCHS),   M(FCMOVB),
    M(FCMOVBE), M(FCMOVE),  M(FCMOVNB), M(FCMOVNBE), M(FCMOVNE), M(FCMOVNU), M(FCMOVU), M(FCOM),
    M(FCOMI),   M(FCOMIP),  M(FCOMP),   M(FCOMPP),   M(FCOS),    M(FDECSTP), M(FDIV),   M(FDIVP),
    M(FDIVR),   M(FDIVRP),  M(FFREE),   M(FFREEP),   M(FIADD),   M(FICOM),   M(FICOMP), M(FIDIV),
    M(FIDIVR),  M(FILD),    M(FIMUL),   M(FINCSTP),  M(FIST),    M(FISTP),   M(FISTTP), M(FISUB),
    M(FISUBR),  M(FLD),     M(FLD1),    M(FLDCW),    M(FLDL2E),  M(FLDL2T),  M(FLDLG2), M(FLDLN2),
    M(FLDPI),   M(FLDZ),    M(FMUL),    M(FMULP),    M(FNOP),    M(FPATAN),  M(FPREM),  M(FPREM1),
    M(FPTAN),   M(FRNDINT), M(FSCALE),  M(FSIN),     M(FSINCOS), M(FSQRT),   M(FST),    M(FSTP),
    M(FSTPNCE), M(FSUB),    M(FSUBP),   M(FSUBR),    M(FSUBRP),  M(FTST),    M(FUCOM),  M(FUCOMI),
    M(FUCOMIP), M(FUCOMP),  M(FUCOMPP), M(FXAM),     M(FXCH),    M(FXTRACT), M(FYL2X),  M(FYL2XP1),
#undef M
};

}  // namespace

void register_x87(HandlerTable& table) {
  for (const ZydisMnemonic mnemonic : kDataProcessing) table.set(mnemonic, x87);
  register_x87_environment(table);
}

}  // namespace ringshift
