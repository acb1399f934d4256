// Stepping, and what isn't KVM's to step.
#include "hw-accel-kvm/counted_run.h"

#include <cerrno>
#include <cstring>

#include "cpu-model/exceptions.h"
#include "cpu-model/paging.h"
#include "hw-accel-kvm/kvm_exits.h"
#include "hw-accel-kvm/kvm_failure.h"
#include "hw-accel-kvm/kvm_watchdog.h"

namespace ringshift {

namespace {
// FOP, FIP and FDP, which no other engine keeps.
void forget_fpu_pointers(VcpuState& state) {
  constexpr std::size_t kFopAt = 6, kMxcsrAt = 24;  // SDM vol. 1 table 10-2
  std::memset(state.fx.bytes + kFopAt, 0, kMxcsrAt - kFopAt);
}
}  // namespace

CountedRun::CountedRun(Cpu& cpu, KvmVcpu& vcpu, KvmMemory& memory, const HostQuirks& quirks, bool has_tsc_aux)
    : cpu_(cpu),
      vcpu_(vcpu),
      memory_(memory),
      quirks_(quirks),
      has_tsc_aux_(has_tsc_aux),
      decoder_(cpu.cpuid),
      model_(cpu) {}

// --- The loop ---

Result<ExitReason> CountedRun::run(CpuIo& io) {
  RunControl& control = cpu_.control;
  const VcpuState& state = cpu_.state;
  const KvmWatchdog watchdog;
  cpu_.io = &io;
  ExitReason reason = ExitReason::requested;
  for (;;) {
    if ((control.events.load(std::memory_order_acquire) & kEventExit) != 0) {
      control.clear_event(kEventExit);
      break;
    }
    RS_TRY(attend(io));
    if ((control.events.load(std::memory_order_acquire) & kEventExit) != 0) continue;
    if (state.shutdown != 0 || state.halted != 0) {
      reason = state.shutdown != 0 ? ExitReason::shutdown : ExitReason::halted;
      break;
    }
    RS_TRY(step(io));
  }
  RS_TRY(memory_.tell_of_writes());
  return reason;
}

// What is due or waits before the next instruction, but for leaving.
Result<void> CountedRun::attend(CpuIo& io) {
  RunControl& control = cpu_.control;
  const u32 events = control.events.load(std::memory_order_acquire);
  if ((events & kEventService) != 0 || control.retired >= control.deadline) {
    control.clear_event(kEventService);
    io.service(kEventService);
    if ((control.events.load(std::memory_order_acquire) & kEventExit) != 0) return {};
  }
  if (only_interrupt_waits()) return take_interrupt(io);
  const VcpuState& state = cpu_.state;
  const bool waits = state.pending_dr6 != 0 || state.nmi_pending != 0;
  if (control.events.load(std::memory_order_acquire) == 0 && !waits) return {};
  cpu_.flush_all();  // KVM has run since
  if (deliver_pending(cpu_)) ++counters_.model_delivered;
  return {};
}

bool CountedRun::only_interrupt_waits() const {
  const u32 events = cpu_.control.events.load(std::memory_order_acquire);
  const VcpuState& state = cpu_.state;
  return (events & (kEventInterrupt | kEventNmi)) == kEventInterrupt && interrupts_open(cpu_) &&
         state.pending_dr6 == 0 && state.nmi_pending == 0;
}

Result<void> CountedRun::step(CpuIo& io) {
  const StepKind kind = step_kind(cpu_, peek_instruction(cpu_, decoder_));
  if (kind == StepKind::modelled) {
    ++counters_.modelled;
    step_by_model();
    return {};
  }
  RS_TRY(memory_.follow(cpu_.state.a20_masked != 0));
  RS_TRY(load());
  const End end = RS_TRY(step_by_kvm(io, kind));
  if (end == End::raised) return step_what_raises();
  RS_TRY(take(kind));
  cpu_.state.halted = end == End::halted ? 1 : 0;
  ++cpu_.control.retired;
  ++counters_.stepped;
  return {};
}

void CountedRun::step_by_model() {
  cpu_.flush_all();
  model_.step(false);
}

// --- One instruction by KVM ---

Result<CountedRun::End> CountedRun::step_by_kvm(CpuIo& io, StepKind kind) {
  for (;;) {
    const End end = RS_TRY(step_once(io));
    if (end != End::done || kind != StepKind::repeated || RS_TRY(moved_on())) return end;
  }
}

// KVM remembers the address at which stepping was asked for, so it is asked for each time.
Result<void> CountedRun::ask_for_step() {
  kvm_guest_debug debug{};
  debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
  vcpu_.shared().immediate_exit = 0;
  vcpu_.shared().request_interrupt_window = 0;
  return vcpu_.request(KVM_SET_GUEST_DEBUG, &debug, "KVM_SET_GUEST_DEBUG");
}

Result<CountedRun::End> CountedRun::step_once(CpuIo& io) {
  RS_TRY(ask_for_step());
  kvm_run& run = vcpu_.shared();
  for (unsigned interrupted = 0;;) {
    const int error = vcpu_.run();
    if (error == EINTR || error == EAGAIN) {
      if (++interrupted > kPatience)
        return fail(ErrorKind::internal, "KVM does not come back from the instruction at EIP {:08x}",
                    cpu_.state.eip());
      continue;
    }
    if (error != 0) return tl::unexpected(kvm_error("KVM_RUN", error));
    switch (run.exit_reason) {
      case KVM_EXIT_DEBUG:
        return End::done;
      case KVM_EXIT_HLT:
        return End::halted;
      case KVM_EXIT_SHUTDOWN:
        return End::raised;
      case KVM_EXIT_INTR:
        continue;
      case KVM_EXIT_IO:
      case KVM_EXIT_MMIO:
        return finish(io);
      default:
        return fail(ErrorKind::engine_unavailable, "{}", describe_failure(run, cpu_.state));
    }
  }
}

// An access was asked for. KVM completes the instruction when it is entered again, and forgets to stop behind
// one that has written (MMIO, OUTS): so it is entered only to complete it, and not for the guest's code.
Result<CountedRun::End> CountedRun::finish(CpuIo& io) {
  kvm_run& run = vcpu_.shared();
  for (;;) {
    if (run.exit_reason == KVM_EXIT_IO)
      serve_port_io(run, io);
    else
      serve_mmio(run, cpu_, io);
    run.immediate_exit = 1;
    const int error = vcpu_.run();
    if (error == EINTR) break;
    if (error != 0) return tl::unexpected(kvm_error("KVM_RUN", error));
    if (run.exit_reason == KVM_EXIT_DEBUG) return End::done;
    if (run.exit_reason != KVM_EXIT_IO && run.exit_reason != KVM_EXIT_MMIO)
      return fail(ErrorKind::engine_unavailable, "{}", describe_failure(run, cpu_.state));
  }
  kvm_vcpu_events events{};
  RS_TRY(vcpu_.request(KVM_GET_VCPU_EVENTS, &events, "KVM_GET_VCPU_EVENTS"));
  return events.exception.injected != 0 || events.exception.pending != 0 ? End::raised : End::done;
}

// Of a repeated instruction: whether EIP is behind it. The registers are taken, because a later element may
// raise something.
Result<bool> CountedRun::moved_on() {
  kvm_regs regs{};
  RS_TRY(vcpu_.request(KVM_GET_REGS, &regs, "KVM_GET_REGS"));
  if (static_cast<u32>(regs.rip) != cpu_.state.eip()) return true;
  take_registers(regs, cpu_.state);
  return false;
}

// --- State ---

Result<void> CountedRun::load() {
  if (known_valid_ && std::memcmp(&known_, &cpu_.state, sizeof known_) == 0) return {};
  StateImage image = image_of(cpu_.state, quirks_);
  image.sregs.idt.limit = 0;
  return load_image(vcpu_, image, has_tsc_aux_);
}

Result<void> CountedRun::take(StepKind kind) {
  const StateImage image = RS_TRY(read_image(vcpu_, has_tsc_aux_));
  VcpuState& state = cpu_.state;
  const DescriptorTable idtr = state.idtr;
  const u64 dr6 = state.dr[6];
  take_image(image, state);
  // What leaves a shadow is the model's. DR6 tells of KVM's own steps.
  state.interrupt_shadow = 0;
  state.dr[6] = dr6;
  forget_fpu_pointers(state);
  if (kind != StepKind::loads_idtr) state.idtr = idtr;
  if (kind == StepKind::pushes_flags) hide_trap_flag();
  known_ = state;
  known_valid_ = kind != StepKind::loads_idtr;
  return {};
}

// PUSHF has just shown the guest the TF that KVM steps by.
void CountedRun::hide_trap_flag() {
  const u32 mask = cpu_.stack32() ? 0xffffffffu : 0xffffu;
  if (u8* const byte = stack_byte((cpu_.state.reg32(kEsp) + 1) & mask))
    *byte &= static_cast<u8>(~(kFlagTf >> 8));
}

u8* CountedRun::stack_byte(u32 offset) const {
  Gpa gpa = 0;
  const Gva at = static_cast<Gva>(cpu_.state.segment(Seg::ss).base) + offset;
  return peek(cpu_, at, &gpa) && cpu_.phys.kind(gpa) == PageKind::ram ? cpu_.phys.host(gpa) : nullptr;
}

void CountedRun::report(StatsSink& sink) const {
  sink.count("kvm", "instructions stepped", counters_.stepped);
  sink.count("kvm", "instructions left to the cpu model", counters_.modelled);
  sink.count("kvm", "exceptions, INT n and interrupts", counters_.delivered);
  sink.count("kvm", "of those kinds left to the cpu model", counters_.model_delivered);
}

}  // namespace ringshift
