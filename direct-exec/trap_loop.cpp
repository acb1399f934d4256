// The loop of the trap engine, and what each kind of stop comes to.
#include "direct-exec/trap_loop.h"

#include <signal.h>
#include <unistd.h>

#include "cpu-model/exceptions.h"
#include "cpu-model/sysenter.h"
#include "direct-exec/compatibility_mode.h"
#include "direct-exec/next_instruction.h"
#include "direct-exec/view_target.h"

namespace ringshift {

namespace {

constexpr u32 kDr6SingleStep = 1u << 14;
constexpr u32 kViews = 12;
// siginfo's code of a trap by TF, and of INT1 (asm-generic/siginfo.h).
constexpr int kTrapBranch = TRAP_BRKPT, kTrapTrace = TRAP_TRACE;

// For its system calls of 32-bit code, on this CPU; else SYSENTER.
bool linux_uses_syscall() { return __builtin_cpu_is("amd") != 0; }

}  // namespace

TrapLoop::TrapLoop(Cpu& cpu) : cpu_(cpu), interpreter_(cpu), decoder_(cpu.cpuid), direct_(cpu) {
  if (cpu.trace.on(TracePoint::sensitive)) sensitive_ = std::make_unique<SensitiveTable>();
}

TrapLoop::~TrapLoop() {
  if (sensitive_ != nullptr) cpu_.trace.put(sensitive_->text());
  if (cpu_.observer == this) cpu_.observer = next_observer_;
}

// Processes obey the thread that made them only.
Result<void> TrapLoop::prepare() {
  direct_.bring_fpu_home();
  windows_.reset();
  nest_.reset();
  nest_ = RS_TRY(ProcessNest::create(cpu_.phys.memory().fd()));
  RS_TRY(check_compatibility_mode(*nest_));
  WindowLimits limits{.windows = kViews, .vmas = 0, .elsewhere = nullptr};
  limits.elsewhere = [this]() -> Result<std::unique_ptr<WindowTarget>> {
    auto process = RS_TRY(nest_->spawn());
    return std::make_unique<ViewTarget>(std::move(process), nest_->lowest_mapping());
  };
  windows_ = std::make_unique<WindowSet>(cpu_, std::move(limits));
  return {};
}

bool TrapLoop::follow_thread() {
  if (nest_->tracer() == ::gettid()) return true;
  const auto made = prepare();
  if (!made) failure_ = made.error().message;
  return made.has_value();
}

// --- Observing the CPU's flushes ---

void TrapLoop::on_flush_all() {
  windows_->on_flush_all();
  if (next_observer_ != nullptr) next_observer_->on_flush_all();
}

void TrapLoop::on_flush_address_space() {
  windows_->on_flush_address_space();
  if (next_observer_ != nullptr) next_observer_->on_flush_address_space();
}

void TrapLoop::on_flush_page(Gva gva) {
  windows_->on_flush_page(gva);
  if (next_observer_ != nullptr) next_observer_->on_flush_page(gva);
}

void TrapLoop::on_entry_marked(Gpa gpa) {
  if (next_observer_ != nullptr) next_observer_->on_entry_marked(gpa);
}

void TrapLoop::restore(const VcpuState& state) {
  direct_.forget();
  cpu_.state = state;
  cpu_.flush_all();
  // Another engine of the set may be the observer now.
  windows_->on_flush_all();
  cpu_.control.raise_event(kEventInspect);
}

// --- The loop ---

ExitReason TrapLoop::run(CpuIo& io) {
  if (!follow_thread()) return ExitReason::failed;
  cpu_.io = &io;
  if (cpu_.observer != this) {
    next_observer_ = cpu_.observer;
    cpu_.observer = this;
  }
  core_.begin();
  cpu_.control.kick.store(&kick_, std::memory_order_seq_cst);
  const ExitReason reason = loop(io);
  cpu_.control.kick.store(nullptr, std::memory_order_seq_cst);
  core_.end();
  direct_.bring_fpu_home();
  if (next_observer_ != nullptr) cpu_.observer = next_observer_;
  cpu_.io = nullptr;
  return reason;
}

ExitReason TrapLoop::loop(CpuIo& io) {
  const VcpuState& state = cpu_.state;
  for (;;) {
    if (attend(io)) return ExitReason::requested;
    if (state.shutdown != 0) return ExitReason::shutdown;
    if (state.halted != 0) return ExitReason::halted;
    if (!(sensitive_ != nullptr ? turn_watched() : turn())) return ExitReason::failed;
  }
}

// What waits before the next instruction. True: leave.
bool TrapLoop::attend(CpuIo& io) {
  RunControl& control = cpu_.control;
  const u32 events = control.events.load(std::memory_order_acquire);
  if (events == 0) return false;
  if ((events & kEventService) != 0) {
    control.clear_event(kEventService);
    io.service(events);
    core_.look();
  }
  if ((control.events.load(std::memory_order_acquire) & kEventExit) != 0) {
    control.clear_event(kEventExit);
    return true;
  }
  deliver_pending(cpu_);
  return false;
}

// Nothing that came since attend() waits but an interrupt that IF holds off, or what a shadow does.
bool TrapLoop::ready_to_enter() const {
  const u32 events = cpu_.control.events.load(std::memory_order_seq_cst);
  const u32 idle = interrupts_open(cpu_) ? 0 : kEventInterrupt;
  return (events & ~idle) == 0;
}

bool TrapLoop::turn() {
  const Hindrance why = hindrance(cpu_);
  if (why != Hindrance::none) {
    ++counters_.hindered[static_cast<unsigned>(why)];
    direct_.bring_fpu_home();
    emulate();
    return true;
  }
  if (GuestProcess* const process = enter_view()) run_directly(*process);
  return failure_.empty();
}

GuestProcess* TrapLoop::enter_view() {
  ShadowWindow* const window = windows_->enter();
  if (window == nullptr) {
    ++counters_.no_process;
    emulate();
    return nullptr;
  }
  GuestProcess& process = static_cast<ViewTarget&>(window->target()).process();
  direct_.prepare(process);
  if (!process.flush()) {
    // For want of a VMA, or memory: once more with nothing mapped.
    ++counters_.mapping_failures;
    process.ldt_versions.clear();
    window->drop_all();
    window->target().unmap_all();
    direct_.prepare(process);
    if (!process.flush()) {
      failure_ = "a guest process makes its mappings no longer";
      return nullptr;
    }
  }
  process.run_on_cpu(core_.cpu());
  return &process;
}

void TrapLoop::run_directly(GuestProcess& process) {
  kick_.arm(process.pid());
  if (!ready_to_enter()) {
    kick_.disarm();
    return;
  }
  ++counters_.entries;
  const HostStop stop = direct_.run(process, false);
  kick_.disarm();
  serve(stop);
}

// --- Stops ---

void TrapLoop::serve(const HostStop& stop) {
  if (stop.kind == HostStop::Kind::gone) {
    failure_ = "the process that runs the guest's code was ended from outside";
    return;
  }
  if (stop.kind == HostStop::Kind::syscall && direct_.at_vdso()) {
    cpu_.state.set_reg32(kEax, direct_.system_call_number());
    return serve_fast_system_call();
  }
  if (!linux_uses_syscall() && direct_.behind_refused_sysenter(stop)) return serve_fast_system_call();
  if (direct_.left_its_code()) return left_32_bit_mode();
  switch (stop.kind) {
    case HostStop::Kind::syscall:
      return serve_syscall();
    case HostStop::Kind::fault:
      return stop.signal == SIGTRAP ? serve_trap(stop) : serve_fault(stop);
    case HostStop::Kind::kicked:
      ++counters_.kicks;
      return;
    case HostStop::Kind::gone:
      return;
  }
}

// The instruction that the CPU refused: what it means, and what it raises, the CPU model knows.
void TrapLoop::serve_fault(const HostStop& stop) {
  if (stop.signal != SIGSEGV) {
    ++counters_.other_faults;
    return emulate();
  }
  if (stop.code != SEGV_MAPERR && stop.code != SEGV_ACCERR) {
    ++counters_.protection_faults;
    step_back(behind_overflow_trap(cpu_, decoder_));
    return emulate();
  }
  ++counters_.page_faults;
  emulate();
  if (stop.address < u64{4} << 30) map_touched(static_cast<Gva>(stop.address));
}

// The instruction has been executed meanwhile, so that A and D bits are as they must be, and the Tlb tells
// whether a plain store may go there.
void TrapLoop::map_touched(Gva gva) {
  const TlbEntry& entry = cpu_.tlb.entry(gva, cpu_.user());
  const bool written = entry.write_tag == (gva & ~kPageOffsetMask);
  windows_->prefill(gva, written ? AccessKind::write : AccessKind::read);
}

void TrapLoop::serve_trap(const HostStop& stop) {
  if (stop.code == kTrapTrace) {
    // POPF has set TF without a trap; this is the #DB after the instruction that followed.
    cpu_.state.pending_dr6 |= kDr6SingleStep;
    cpu_.control.raise_event(kEventInspect);
    return;
  }
  ++counters_.breakpoints;
  // INT3 (CC, or CD 03) and INT1 are traps: EIP is behind them.
  step_back(stop.code == kTrapBranch || !behind(cpu_, 0xcd, 0x03) ? 1 : 2);
  emulate();
}

void TrapLoop::serve_syscall() {
  ++counters_.syscalls;
  cpu_.state.set_reg32(kEax, direct_.system_call_number());
  step_back(2);  // INT 80h is all that is left
  emulate();
}

// Linux enters its system calls by SYSENTER on CPUs of Intel's, with EIP lost and EBP in place of ESP, which
// are no loss since SYSENTER saves neither; by SYSCALL on AMD's, which the guest's CPU doesn't have. The
// other one each is #UD in compatibility mode, and comes here as any fault does. Where EBP doesn't point to
// memory, as Linux wants it to, EAX is lost too.
void TrapLoop::serve_fast_system_call() {
  ++counters_.syscalls;
  VcpuState& state = cpu_.state;
  if (linux_uses_syscall()) {
    deliver_fault(cpu_, Fault::ud());
  } else {
    state.set_reg32(kEbp, state.reg32(kEsp));
    const Outcome<> entered = sysenter(cpu_);
    if (!entered) deliver_fault(cpu_, entered.error());
  }
  if (state.shutdown != 0) cpu_.control.raise_event(kEventInspect);
}

// A far transfer to a code segment of the host's. The CPU model would have raised #GP there, or made a far
// transfer of the guest's of it. Where that was, and what the registers were, is lost: the guest gets the
// fault late, at the EIP that there is.
void TrapLoop::left_32_bit_mode() {
  ++counters_.escapes;
  deliver_fault(cpu_, Fault::gp(direct_.host_code_selector() & 0xfffcu));
  if (cpu_.state.shutdown != 0) cpu_.control.raise_event(kEventInspect);
}

// --- Emulation ---

void TrapLoop::step_back(u32 bytes) { cpu_.state.rip = cpu_.state.eip() - bytes; }

void TrapLoop::emulate() {
  ++counters_.emulated;
  if (const auto insn = next_instruction(cpu_, decoder_)) {
    if (uses_fpu(*insn)) direct_.bring_fpu_home();
    if (load_alias(cpu_, *insn, direct_.aliases())) return;
  }
  interpreter_.step(false);
}

// --- Reports ---

void TrapLoop::report(StatsSink& sink) const {
  const Counters& c = counters_;
  sink.count("trap", "entries", c.entries);
  sink.count("trap", "exits: page fault", c.page_faults);
  sink.count("trap", "exits: #GP", c.protection_faults);
  sink.count("trap", "exits: other exception", c.other_faults);
  sink.count("trap", "exits: INT3, INT1", c.breakpoints);
  sink.count("trap", "exits: system call", c.syscalls);
  sink.count("trap", "exits: kicked", c.kicks);
  sink.count("trap", "exits: left its code segment", c.escapes);
  sink.count("trap", "instructions emulated", c.emulated);
  sink.count("trap", "interpreted beside -d sensitive", c.watched);
  for (std::size_t i = 1; i < kHindranceNames.size(); ++i)
    sink.count("not directly", kHindranceNames[i], c.hindered[i]);
  sink.count("not directly", "no process", c.no_process);
  sink.count("trap", "segment loads without a trap", direct_.silent_loads());
  sink.count("trap", "of which the CPU model forbids", direct_.late_faults());
  sink.count("trap", "moves of x87 and SSE state", direct_.fpu_moves());
  if (windows_ == nullptr) return;
  const ShadowWindow::Counters windows = windows_->window_counters();
  sink.count("views", "processes", windows_->counters().windows_made);
  sink.count("views", "switches", windows_->counters().switches);
  sink.count("views", "given to other address spaces", windows_->counters().recycled);
  sink.count("views", "fills", windows.fills);
  sink.count("views", "pages mapped", windows.pages_mapped);
  sink.count("views", "made writable", windows.upgrades);
  sink.count("views", "pages compared", windows.resynced_pages);
  sink.count("views", "mappings that failed", c.mapping_failures);
  interpreter_.report_fallbacks(sink, "emulated");
}

}  // namespace ringshift
