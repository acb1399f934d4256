// Emission of the shared stubs.
#include "translator/runtime_stubs.h"

#include <cstddef>

#include "translator/jump_lookup.h"
#include "translator/light_transitions.h"
#include "translator/light_writes.h"

namespace ringshift::bt {

using namespace asmjit;  // NOLINT: the assembler's own vocabulary
using namespace asmjit::x86;

namespace {

constexpr unsigned kGuestXmm = 8;

class StubWriter {
 public:
  explicit StubWriter(CodeCache& cache) : base_(cache.next()) {
    code_.init(Environment::host(), reinterpret_cast<u64>(base_));
    code_.attach(&a_);
  }

  // Everything of the guest from VcpuState and BtContext into registers, then on to r11.
  Label emit_resume() {
    const Label resume = a_.newLabel();
    a_.bind(resume);
    for (unsigned i = 0; i < kGuestXmm; ++i)
      a_.movups(xmm(i), context(offsetof(BtContext, xmm) + 16 * i, 16));
    emit_load_mxcsr();
    a_.mov(r12, context(offsetof(BtContext, saved_r12), 8));
    a_.mov(r14, context(offsetof(BtContext, tlb_table), 8));
    emit_load_flags();
    emit_load_general();
    a_.jmp(r11);
    return resume;
  }

  Label emit_enter(const Label& resume) {
    const Label enter = a_.newLabel();
    a_.bind(enter);
    for (const Gp& reg : {rbx, rbp, r12, r13, r14, r15}) a_.push(reg);
    a_.sub(rsp, 8);
    a_.mov(r15, rdi);
    a_.mov(r11, rsi);
    a_.mov(r13, context(offsetof(BtContext, state), 8));
    a_.mov(context(offsetof(BtContext, host_rsp), 8), rsp);
    a_.jmp(resume);
    return enter;
  }

  // Guest state is in VcpuState already: a helper chose to go here.
  Label emit_leave() {
    const Label leave = a_.newLabel();
    a_.bind(leave);
    a_.mov(rsp, context(offsetof(BtContext, host_rsp), 8));
    a_.ldmxcsr(context(offsetof(BtContext, host_mxcsr), 4));
    a_.add(rsp, 8);
    for (const Gp& reg : {r15, r14, r13, r12, rbp, rbx}) a_.pop(reg);
    a_.ret();
    return leave;
  }

  // Spills the guest and calls the helper as helper(context, r11, r8d, r9d).
  Label emit_callout(Helper helper, const Label& resume) {
    const Label callout = a_.newLabel();
    a_.bind(callout);
    emit_store_general();
    for (unsigned i = 0; i < kGuestXmm; ++i)
      a_.movups(context(offsetof(BtContext, xmm) + 16 * i, 16), xmm(i));
    emit_store_mxcsr();
    a_.mov(context(offsetof(BtContext, saved_r12), 8), r12);
    emit_call(reinterpret_cast<u64>(helper));
    a_.mov(r11, rax);
    a_.jmp(resume);
    return callout;
  }

  // Calls the helper as helper(context, r11, r8d, r9d) with the guest's vector state where it is, and goes on
  // where it says. keep(): registers for load(), which sets what the helper's way on wants.
  template <class Keep, class Load>
  Label emit_light(u64 helper, const Keep& keep, const Load& load) {
    const Label callout = a_.newLabel();
    a_.bind(callout);
    emit_store_general();
    keep();
    emit_call(helper);
    a_.mov(context(offsetof(BtContext, continuation), 8), rax);
    load();
    emit_load_flags();
    emit_load_general();
    a_.jmp(context(offsetof(BtContext, continuation), 8));
    return callout;
  }

  Label emit_light_callout(LightHelper helper) {
    return emit_light(
        reinterpret_cast<u64>(helper), [&] { a_.mov(context(offsetof(BtContext, light_site), 8), r11); },
        [&] {
          a_.mov(r14, context(offsetof(BtContext, tlb_table), 8));
          a_.mov(r11, context(offsetof(BtContext, light_site), 8));
          a_.mov(r8d, state(offsetof(VcpuState, rip), 4));
          a_.mov(r10d, r8d);
          a_.xor_(r9d, r9d);
        });
  }

  // For a store that missed: on behind its lookup, with [r9 + r8] its host address, or to `access`.
  Label emit_write() {
    return emit_light(
        reinterpret_cast<u64>(light_write), [&] { a_.mov(context(offsetof(BtContext, write_gva), 4), r8d); },
        [&] {
          a_.mov(r8d, context(offsetof(BtContext, write_gva), 4));
          a_.mov(r9, context(offsetof(BtContext, write_r9), 8));
          a_.mov(r10d, state(offsetof(VcpuState, rip), 4));
          a_.mov(r11, context(offsetof(BtContext, write_r11), 8));
        });
  }

  // Emitter::jump_indirect, once for all.
  Label emit_lookup(const Label& jump) {
    const Label lookup = a_.newLabel();
    a_.bind(lookup);
    emit_jump_lookup(a_, [&] { a_.jmp(jump); });
    return lookup;
  }

  Result<void> finish(CodeCache& cache) {
    if (code_.flatten() != kErrorOk || code_.resolveUnresolvedLinks() != kErrorOk ||
        code_.relocateToBase(reinterpret_cast<u64>(base_)) != kErrorOk)
      return fail(ErrorKind::internal, "the runtime stubs did not assemble");
    std::vector<u8> bytes(code_.codeSize());
    if (code_.copyFlattenedData(bytes.data(), bytes.size()) != kErrorOk)
      return fail(ErrorKind::internal, "the runtime stubs did not assemble");
    cache.append(bytes);
    cache.keep();
    return {};
  }

  const u8* address(const Label& label) const { return base_ + code_.labelOffset(label); }

 private:
  // General registers, EIP and flags to VcpuState; on to the monitor's stack.
  void emit_store_general() {
    for (unsigned i = 0; i < 8; ++i) a_.mov(state(offsetof(VcpuState, gpr) + 8 * i, 4), gpd(i));
    a_.mov(state(offsetof(VcpuState, rip), 4), r10d);
    a_.mov(rsp, context(offsetof(BtContext, host_rsp), 8));
    emit_store_flags();
  }
  // helper(context, r11, r8d, r9d)
  void emit_call(u64 helper) {
    a_.mov(rdi, r15);
    a_.mov(rsi, r11);
    a_.mov(edx, r8d);
    a_.mov(ecx, r9d);
    a_.mov(rax, imm(helper));
    a_.call(rax);
  }
  void emit_load_general() {
    for (unsigned i = 0; i < 8; ++i) a_.mov(gpd(i), state(offsetof(VcpuState, gpr) + 8 * i, 4));
  }

  // The arithmetic flags of VcpuState::rflags into RFLAGS, by SAHF and an overflow: POPFQ costs some 20
  // cycles more. Clobbers eax and ecx.
  void emit_load_flags() {
    a_.mov(ecx, state(offsetof(VcpuState, rflags), 4));
    a_.mov(ah, cl);
    a_.shr(ecx, 11);  // OF
    a_.and_(ecx, 1);
    a_.add(cl, 0x7f);
    a_.sahf();
  }

  // And back. Clobbers eax, ecx, edx.
  void emit_store_flags() {
    a_.lahf();
    a_.seto(al);
    a_.movzx(ecx, ah);
    a_.movzx(eax, al);
    a_.and_(ecx, kHostFlags & 0xff);  // bit 1 reads as 1
    a_.shl(eax, 11);
    a_.or_(ecx, eax);
    a_.mov(edx, state(offsetof(VcpuState, rflags), 4));
    a_.and_(edx, ~kHostFlags);
    a_.or_(ecx, edx);
    a_.mov(state(offsetof(VcpuState, rflags), 4), ecx);
  }

  // LDMXCSR is slow and hardly ever needed: the guest's and the monitor's MXCSR mostly differ in exception
  // flags alone, which the monitor doesn't look at. Clobbers eax.
  void emit_store_mxcsr() {
    constexpr u32 kExceptionFlags = 0x3f;
    const Label same = a_.newLabel();
    a_.stmxcsr(context(offsetof(BtContext, guest_mxcsr), 4));
    a_.mov(eax, context(offsetof(BtContext, guest_mxcsr), 4));
    a_.xor_(eax, context(offsetof(BtContext, host_mxcsr), 4));
    a_.test(eax, ~kExceptionFlags);
    a_.jz(same);
    a_.ldmxcsr(context(offsetof(BtContext, host_mxcsr), 4));
    a_.bind(same);
  }
  void emit_load_mxcsr() {
    const Label same = a_.newLabel();
    a_.stmxcsr(context(offsetof(BtContext, mxcsr_now), 4));
    a_.mov(eax, context(offsetof(BtContext, mxcsr_now), 4));
    a_.cmp(eax, context(offsetof(BtContext, guest_mxcsr), 4));
    a_.je(same);
    a_.ldmxcsr(context(offsetof(BtContext, guest_mxcsr), 4));
    a_.bind(same);
  }

  static Mem state(std::size_t offset, u32 size) { return ptr(r13, static_cast<i32>(offset), size); }
  static Mem context(std::size_t offset, u32 size) { return ptr(r15, static_cast<i32>(offset), size); }

  const u8* base_;
  CodeHolder code_;
  Assembler a_;
};

}  // namespace

Result<RuntimeStubs> emit_runtime_stubs(CodeCache& cache, const Helpers& helpers) {
  StubWriter writer(cache);
  const Label resume = writer.emit_resume();
  const Label enter = writer.emit_enter(resume);
  const Label leave = writer.emit_leave();
  const Label access = writer.emit_callout(helpers.access, resume);
  const Label write = writer.emit_write();
  const Label interpret = writer.emit_callout(helpers.interpret, resume);
  const Label chain = writer.emit_callout(helpers.chain, resume);
  const Label jump = writer.emit_callout(helpers.jump, resume);
  const Label port = writer.emit_callout(helpers.port, resume);
  const Label lookup = writer.emit_lookup(jump);
  const Label events = writer.emit_callout(helpers.events, resume);
  const Label light_segment = writer.emit_light_callout(light_load_segment);
  const Label light_enter = writer.emit_light_callout(light_sysenter);
  const Label light_exit = writer.emit_light_callout(light_sysexit);
  const Label light_return = writer.emit_light_callout(light_iret);
  const Label light_control = writer.emit_light_callout(light_cr0);
  const Label light_identify = writer.emit_light_callout(light_cpuid);
  const Label light_interrupt = writer.emit_light_callout(light_software_interrupt);
  RS_TRY(writer.finish(cache));
  RuntimeStubs stubs;
  stubs.enter = writer.address(enter);
  stubs.leave = writer.address(leave);
  stubs.access = writer.address(access);
  stubs.write = writer.address(write);
  stubs.interpret = writer.address(interpret);
  stubs.chain = writer.address(chain);
  stubs.jump = writer.address(jump);
  stubs.port = writer.address(port);
  stubs.light_segment = writer.address(light_segment);
  stubs.light_sysenter = writer.address(light_enter);
  stubs.light_sysexit = writer.address(light_exit);
  stubs.light_iret = writer.address(light_return);
  stubs.light_cr0 = writer.address(light_control);
  stubs.light_cpuid = writer.address(light_identify);
  stubs.light_interrupt = writer.address(light_interrupt);
  stubs.lookup = writer.address(lookup);
  stubs.events = writer.address(events);
  return stubs;
}

}  // namespace ringshift::bt
