// What x87, MMX and SSE instructions share.
#include "cpu-model/interp/fpu.h"

#include "cpu-model/effective_address.h"
#include "cpu-model/interp/alu.h"
#include "cpu-model/segmentation.h"

namespace ringshift {

Outcome<> require_x87(const Cpu& cpu) {
  if ((cpu.state.cr0 & (kCr0Em | kCr0Ts)) != 0) [[unlikely]]
    return raise(Fault::nm());
  return {};
}

Outcome<> require_x87_waiting(Cpu& cpu) {
  RS_TRY(require_x87(cpu));
  if (!x87_pending(cpu.state.fx)) [[likely]]
    return {};
  return report_x87(cpu);
}

Outcome<> report_x87(Cpu& cpu) {
  if ((cpu.state.cr0 & kCr0Ne) != 0) return raise(Fault::mf());
  if (cpu.state.ferr_pending == 0 && cpu.io != nullptr) cpu.io->set_ferr(true);
  cpu.state.ferr_pending = 1;
  return {};
}

Outcome<> require_mmx(Cpu& cpu) {
  if ((cpu.state.cr0 & kCr0Em) != 0) return raise(Fault::ud());
  return require_x87_waiting(cpu);
}

Outcome<> require_sse(const Cpu& cpu) {
  if ((cpu.state.cr0 & kCr0Em) != 0 || (cpu.state.cr4 & kCr4OsFxsr) == 0) return raise(Fault::ud());
  if ((cpu.state.cr0 & kCr0Ts) != 0) return raise(Fault::nm());
  return {};
}

void settle_x87(Cpu& cpu) {
  FxState& fx = cpu.state.fx;
  fx_put<u16>(fx, kFxFsw, with_summary(fx_fsw(fx), fx_fcw(fx)));
  if (cpu.state.ferr_pending == 0 || x87_pending(fx)) [[likely]]
    return;
  cpu.state.ferr_pending = 0;
  if (cpu.io != nullptr) cpu.io->set_ferr(false);
}

void load_context(const Cpu& cpu, HostContext& context) {
  for (unsigned i = 0; i < 8; ++i) context.gpr[i] = cpu.state.reg32(i);
  context.flags_image = image_of_flags(cpu.state.rflags);
}

void commit_registers(Cpu& cpu, const HostContext& context) {
  for (unsigned i = 0; i < 8; ++i) cpu.state.set_reg32(i, context.gpr[i]);
  set_flags(cpu.state, static_cast<FlagsImage>(context.flags_image));
}

void run_on_host(Cpu& cpu, const Instruction& insn, HostContext& context) {
  if (cpu.host_code == nullptr) [[unlikely]]
    cpu.host_code = std::make_shared<HostCode>();
  cpu.host_code->run(insn, context);
}

Outcome<Gva> data_address(Cpu& cpu, const Instruction& insn, u32 size, AccessKind kind, u32 alignment) {
  const Gva gva = RS_TRY(linear_address(cpu, insn.segment, effective_address(cpu.state, insn), size, kind));
  if ((gva & (alignment - 1)) == 0) [[likely]]
    return gva;
  if ((cpu.state.rflags & kFlagAc) != 0 && (cpu.state.cr0 & kCr0Am) != 0 && cpu.user())
    return raise(Fault::ac());
  return gva;
}

Outcome<Gva> aligned_address(Cpu& cpu, const Instruction& insn, u32 size, AccessKind kind) {
  const Gva gva = RS_TRY(linear_address(cpu, insn.segment, effective_address(cpu.state, insn), size, kind));
  if ((gva & 15) != 0) return raise(Fault::gp());
  return gva;
}

Outcome<> read_data(Cpu& cpu, Gva gva, void* out, u32 size) {
  if (const u8* const at = cpu.tlb.plain_read(gva, size, cpu.user())) [[likely]] {
    std::memcpy(out, at, size);
    return {};
  }
  return read_linear_slow(cpu, gva, out, size, cpu.user());
}

Outcome<> write_data(Cpu& cpu, Gva gva, const void* data, u32 size) {
  if (u8* const at = cpu.tlb.plain_write(gva, size, cpu.user())) [[likely]] {
    std::memcpy(at, data, size);
    return {};
  }
  return write_linear_slow(cpu, gva, data, size, cpu.user());
}

}  // namespace ringshift
