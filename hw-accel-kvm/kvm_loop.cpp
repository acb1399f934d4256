// The run loop of a KVM vCPU.
#include "hw-accel-kvm/kvm_loop.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "cpu-model/exceptions.h"
#include "cpu-model/interp/interpreter.h"
#include "hw-accel-kvm/io_breakpoints.h"
#include "hw-accel-kvm/kvm_cpuid.h"
#include "hw-accel-kvm/kvm_events.h"
#include "hw-accel-kvm/kvm_exits.h"
#include "hw-accel-kvm/kvm_failure.h"
#include "hw-accel-kvm/kvm_probe.h"
#include "hw-accel-kvm/state_image.h"

namespace ringshift {

KvmLoop::KvmLoop(Cpu& cpu, const KvmOptions& options, KvmSystem system, KvmVm vm, KvmVcpu vcpu)
    : cpu_(cpu),
      options_(options),
      system_(std::move(system)),
      vm_(std::move(vm)),
      vcpu_(std::move(vcpu)),
      memory_(vm_, cpu.phys),
      time_(system_, vcpu_, options.tsc_khz),
      kick_(cpu.control, vcpu_.shared()),
      has_tsc_aux_(cpu.cpuid.has(CpuFeature::rdtscp)) {}

KvmLoop::~KvmLoop() = default;

Result<void> KvmLoop::prepare() {
  RS_TRY(load_cpuid(vcpu_, cpu_.cpuid));
  if (options_.count_instructions)
    counted_ = std::make_unique<CountedRun>(cpu_, vcpu_, memory_, quirks_, has_tsc_aux_);
  return memory_.follow(cpu_.state.a20_masked != 0);
}

// --- The loop ---

ExitReason KvmLoop::run_counted(CpuIo& io) {
  const Result<ExitReason> reason = counted_->run(io);
  cpu_.io = nullptr;
  if (reason) return *reason;
  failure_ = reason.error().message;
  return ExitReason::failed;
}

ExitReason KvmLoop::run(CpuIo& io) {
  if (counted_ != nullptr) return run_counted(io);
  cpu_.io = &io;
  kick_.begin();
  ExitReason reason = ExitReason::failed;
  for (;;) {
    const Result<Step> step = turn(io);
    if (!step) {
      failure_ = step.error().message;
      in_kvm_ = known_valid_ = false;
      break;
    }
    if (*step) {
      reason = **step;
      break;
    }
  }
  kick_.end();
  cpu_.io = nullptr;
  return reason;
}

Result<KvmLoop::Step> KvmLoop::turn(CpuIo& io) {
  RunControl& control = cpu_.control;
  kick_.rearm();
  const u32 events = control.events.load(std::memory_order_seq_cst);
  if ((events & kEventExit) != 0) {
    control.clear_event(kEventExit);
    return leave(io, ExitReason::requested);
  }
  if ((events & kEventService) != 0) {
    control.clear_event(kEventService);
    io.service(kEventService);
    return Step{};  // it may have raised others
  }
  if (io_traps_ != 0) return trap_after_io(io);
  if (in_kvm_) {
    RS_TRY(attend_in_kvm());
  } else {
    const bool awake = RS_TRY(attend_in_state(io));
    if (cpu_.state.shutdown != 0) return Step{ExitReason::shutdown};
    if (!awake) return leave(io, ExitReason::halted);
    RS_TRY(state_in(io));
  }
  RS_TRY(memory_.follow(cpu_.state.a20_masked != 0));
  RS_TRY(debug_in());
  // KVM loses an interrupt that it was given if the instruction which it still has to finish raises an
  // exception (RDMSR's #GP): both are pending, the exception goes in, and the exit that follows clears the
  // other.
  if (unfinished_ && interrupt_asserted()) return finish_instruction(io);
  RS_TRY(inject(io));
  return enter_and_serve(io);
}

Result<KvmLoop::Step> KvmLoop::enter_and_serve(CpuIo& io) {
  ++counters_.entries;
  const int error = vcpu_.run();
  ran_ = true;
  queued_ = unfinished_ = false;
  if (error == EINTR || error == EAGAIN) {
    ++counters_.kicks;
    return Step{};
  }
  if (error != 0) return tl::unexpected(kvm_error("KVM_RUN", error));
  return serve(io);
}

Result<KvmLoop::Step> KvmLoop::serve(CpuIo& io) {
  kvm_run& run = vcpu_.shared();
  switch (run.exit_reason) {
    case KVM_EXIT_IO:
      ++counters_.io;
      unfinished_ = true;
      RS_TRY(serve_io(io));
      return Step{};
    case KVM_EXIT_MMIO:
      ++counters_.mmio;
      unfinished_ = true;
      serve_mmio(run, cpu_, io);
      return Step{};
    case KVM_EXIT_X86_RDMSR:
    case KVM_EXIT_X86_WRMSR:
      ++counters_.msr;
      unfinished_ = true;
      RS_TRY(serve_msr(io, run.exit_reason == KVM_EXIT_X86_WRMSR));
      return Step{};
    case KVM_EXIT_HLT: {
      ++counters_.halts;
      Step step = RS_TRY(leave(io, ExitReason::halted));
      cpu_.state.halted = 1;
      return step;
    }
    case KVM_EXIT_IRQ_WINDOW_OPEN:
      ++counters_.windows;
      return Step{};
    case KVM_EXIT_INTR:
      return Step{};
    case KVM_EXIT_DEBUG:
      return leave(io, ExitReason::requested);
    case KVM_EXIT_SHUTDOWN:
      return shut_down(io);
    default:
      break;
  }
  if (const auto out = state_out(io); !out) return tl::unexpected(out.error());
  return tl::unexpected(Error{ErrorKind::engine_unavailable, describe_failure(run, cpu_.state)});
}

Result<KvmLoop::Step> KvmLoop::leave(CpuIo& io, ExitReason reason) {
  if (in_kvm_) {
    const Step ended = RS_TRY(finish_instruction(io));
    if (ended) return ended;
    RS_TRY(state_out(io));
  }
  RS_TRY(memory_.tell_of_writes());
  return Step{cpu_.state.shutdown != 0 ? ExitReason::shutdown : reason};
}

// A triple fault. KVM on AMD has reset the vCPU by now, so that what is shown may be the reset state.
Result<KvmLoop::Step> KvmLoop::shut_down(CpuIo& io) {
  RS_TRY(state_out(io));
  // Whether the guest or this host's KVM is to blame, probe guests tell.
  if (const auto probe = probe_kvm(system_); probe && !probe->runs_paged_guests())
    return tl::unexpected(Error{ErrorKind::engine_unavailable, describe_no_paging(cpu_.state)});
  cpu_.state.shutdown = 1;
  return leave(io, ExitReason::shutdown);
}

// --- Events ---

void KvmLoop::step_by_interpreter() {
  ++counters_.interpreted;
  if (stepper_ == nullptr) stepper_ = std::make_unique<Interpreter>(cpu_);
  cpu_.flush_all();
  stepper_->step(false);
}

Result<bool> KvmLoop::attend_in_state(CpuIo& io) {
  RunControl& control = cpu_.control;
  VcpuState& state = cpu_.state;
  if ((control.events.load(std::memory_order_acquire) & kEventNmi) != 0) {
    control.clear_event(kEventNmi);
    state.nmi_pending = 1;
  }
  control.clear_event(kEventInspect);
  // KVM has no way to be told of a debug trap that waits. Behind MOV SS it waits for one instruction more.
  if (state.pending_dr6 != 0 && (state.interrupt_shadow & kShadowMovSs) != 0) step_by_interpreter();
  if (state.pending_dr6 != 0 && state.shutdown == 0) {
    cpu_.flush_all();
    deliver_pending(cpu_);
  }
  if (state.halted == 0) return true;
  if (state.nmi_pending != 0 && state.nmi_masked == 0) {
    state.halted = 0;
    return true;
  }
  if ((control.events.load(std::memory_order_acquire) & kEventInterrupt) == 0 || !interrupts_open(cpu_))
    return false;
  queued_vector_ = io.acknowledge_interrupt();
  if (queued_vector_ < 0) return false;
  state.halted = 0;
  return true;
}

Result<void> KvmLoop::attend_in_kvm() {
  RunControl& control = cpu_.control;
  control.clear_event(kEventInspect);
  if ((control.events.load(std::memory_order_acquire) & kEventNmi) == 0) return {};
  control.clear_event(kEventNmi);
  ++counters_.nmis;
  return vcpu_.ask(KVM_NMI, 0, "KVM_NMI");
}

bool KvmLoop::interrupt_asserted() const {
  return (cpu_.control.events.load(std::memory_order_acquire) & kEventInterrupt) != 0;
}

bool KvmLoop::open_for_interrupts() const {
  return ran_ ? const_cast<KvmVcpu&>(vcpu_).shared().ready_for_interrupt_injection != 0
              : interrupts_open(cpu_);
}

Result<void> KvmLoop::inject(CpuIo& io) {
  kvm_run& run = vcpu_.shared();
  run.request_interrupt_window = 0;
  if (queued_vector_ < 0) {
    if (!interrupt_asserted() || single_step_) return {};
    if (open_for_interrupts()) queued_vector_ = io.acknowledge_interrupt();
  }
  if (queued_vector_ >= 0) {
    kvm_interrupt interrupt{static_cast<u32>(queued_vector_)};
    ++counters_.interrupts;
    ++cpu_.delivered[queued_vector_ & 0xff];
    if (cpu_.trace.on(TracePoint::interrupts))
      cpu_.trace.write("int: v={:02x} injected by kvm\n", queued_vector_);
    queued_vector_ = -1;
    RS_TRY(vcpu_.request(KVM_INTERRUPT, &interrupt, "KVM_INTERRUPT"));
    queued_ = true;
  }
  if (interrupt_asserted()) run.request_interrupt_window = 1;
  return {};
}

// --- State ---

void KvmLoop::restore(const VcpuState& state) {
  cpu_.state = state;
  cpu_.flush_all();
  in_kvm_ = known_valid_ = false;
  io_traps_ = 0;
  if (counted_ != nullptr) counted_->forget();
}

Result<void> KvmLoop::state_in(CpuIo& io) {
  in_kvm_ = true;
  if (known_valid_ && std::memcmp(&known_, &cpu_.state, sizeof known_) == 0) return {};
  ++counters_.transfers_in;
  known_valid_ = ran_ = false;
  StateImage image = image_of(cpu_.state, quirks_);
  RS_TRY(load_image(vcpu_, image, has_tsc_aux_));
  return time_.load(io, cpu_.state);
}

Result<void> KvmLoop::state_out(CpuIo& io) {
  ++counters_.transfers_out;
  const StateImage image = RS_TRY(read_image(vcpu_, has_tsc_aux_));
  take_image(image, cpu_.state);
  cpu_.state.halted = 0;
  RS_TRY(time_.save(io, cpu_.state));
  in_kvm_ = false;
  known_ = cpu_.state;
  cpu_.state.pending_dr6 |= std::exchange(io_traps_, 0);
  known_valid_ = !finish_events(cpu_, image.events);
  if (!known_valid_) ++counters_.events_finished;
  return {};
}

// An access that was served is in the registers only after KVM has run again; it may ask for more of the same
// instruction's.
Result<KvmLoop::Step> KvmLoop::finish_instruction(CpuIo& io) {
  Step step;
  while (unfinished_ && !step) {
    vcpu_.shared().immediate_exit = 1;
    vcpu_.shared().request_interrupt_window = 0;
    step = RS_TRY(enter_and_serve(io));
  }
  return step;
}

Result<void> KvmLoop::serve_io(CpuIo& io) {
  kvm_run& run = vcpu_.shared();
  serve_port_io(run, io);
  io_traps_ |= RS_TRY(match_io_breakpoints_in_kvm(vcpu_, cpu_, run.io.port, run.io.size));
  return {};
}

// An I/O breakpoint is a trap behind its instruction (SDM vol. 3B 18.3.1.1): behind what KVM does of a REP at
// once.
Result<KvmLoop::Step> KvmLoop::trap_after_io(CpuIo& io) {
  const Step ended = RS_TRY(finish_instruction(io));
  if (!ended) RS_TRY(state_out(io));
  return ended;
}

Result<void> KvmLoop::serve_msr(CpuIo& io, bool write) {
  VcpuState& state = cpu_.state;
  RS_TRY(time_.save(io, state));
  if (!write) {
    serve_rdmsr(vcpu_.shared(), cpu_);
    return {};
  }
  const u64 efer = state.efer, apic_base = state.apic_base, tsc_offset = state.tsc_offset;
  serve_wrmsr(vcpu_.shared(), cpu_);
  if (state.tsc_offset != tsc_offset) RS_TRY(time_.load(io, state));
  if (state.efer == efer && state.apic_base == apic_base) return {};
  kvm_sregs2 sregs{};
  RS_TRY(vcpu_.request(KVM_GET_SREGS2, &sregs, "KVM_GET_SREGS2"));
  sregs.efer = state.efer;
  sregs.apic_base = state.apic_base;
  apply_quirks(sregs, quirks_);
  return vcpu_.request(KVM_SET_SREGS2, &sregs, "KVM_SET_SREGS2");
}

// KVM remembers the address at which stepping was asked for, so it is asked for each time.
Result<void> KvmLoop::debug_in() {
  if (!single_step_ && !stepping_) return {};
  kvm_guest_debug debug{};
  if (single_step_) debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
  stepping_ = single_step_;
  return vcpu_.request(KVM_SET_GUEST_DEBUG, &debug, "KVM_SET_GUEST_DEBUG");
}

// --- Reports ---

std::string KvmLoop::tsc_note() const {
  if (time_.follows_clock()) return {};
  return fmt::format("RDTSC runs at the host's {} kHz, not at {} kHz: this host's KVM can't scale it",
                     time_.khz(), options_.tsc_khz);
}

void KvmLoop::report(StatsSink& sink) const {
  if (counted_ != nullptr) return counted_->report(sink);
  const Counters& c = counters_;
  sink.count("kvm", "entries", c.entries);
  sink.count("kvm", "exits: port i/o", c.io);
  sink.count("kvm", "exits: mmio", c.mmio);
  sink.count("kvm", "exits: msr", c.msr);
  sink.count("kvm", "exits: hlt", c.halts);
  sink.count("kvm", "exits: interrupt window", c.windows);
  sink.count("kvm", "exits: kicked", c.kicks);
  sink.count("kvm", "interrupts injected", c.interrupts);
  sink.count("kvm", "nmis injected", c.nmis);
  sink.count("kvm", "states in", c.transfers_in);
  sink.count("kvm", "states out", c.transfers_out);
  sink.count("kvm", "events finished by the cpu model", c.events_finished);
  sink.count("kvm", "instructions interpreted", c.interpreted);
  sink.count("kvm", "memory slots", memory_.slots());
  sink.count("kvm", "memory slot changes", memory_.changes());
  sink.count("kvm", "dirty pages", memory_.dirty_pages());
}

}  // namespace ringshift
