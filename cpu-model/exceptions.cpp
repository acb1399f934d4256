// Exceptions and interrupts from outside: what is delivered, in which order, and what follows when it fails.
#include "cpu-model/exceptions.h"

#include "cpu-model/double_fault.h"
#include "cpu-model/event_delivery.h"

namespace ringshift {

namespace {

constexpr u32 kDr6Breakpoints = 0xf;
constexpr u32 kDr6AccessDetected = 1u << 13;
constexpr u32 kDr7GeneralDetect = 1u << 13;
// Benign faults in a row (#AC in task after task) would otherwise be as many as the guest can arrange.
constexpr unsigned kLongestChain = 64;

// DR6 accumulates, but for B0-B3, which tell of the last exception (SDM 3B 17.2.3). GD goes so that the
// handler may use the debug registers (17.2.4).
void note_debug_exception(Cpu& cpu, u32 bits) {
  cpu.state.dr[6] = (cpu.state.dr[6] & ~u64{kDr6Breakpoints}) | bits;
  cpu.state.dr[7] &= ~u64{kDr7GeneralDetect};
}

void note_fault(Cpu& cpu, const Fault& fault) {
  if (fault.vector == Vector::page_fault) cpu.state.cr2 = fault.address;
  if (fault.vector == Vector::debug) note_debug_exception(cpu, fault.address);
  cpu.fault_chain.push_back({fault, cpu.state.eip(), cpu.state.segment(Seg::cs).selector, cpu.state.cpl});
}

// Faults save RF set, so that IRET steps over an instruction breakpoint there; the breakpoint's own #DB and
// aborts don't (SDM 3B 17.3.1.1).
bool saves_resume_flag(const Fault& fault) {
  if (fault.vector == Vector::double_fault || fault.vector == Vector::machine_check) return false;
  return fault.vector != Vector::debug || (fault.address & kDr6AccessDetected) != 0;
}

Event event_of(const Fault& fault) {
  return {.vector = static_cast<u8>(fault.vector),
          .kind = EventKind::fault,
          .has_error_code = fault.has_error_code,
          .error_code = fault.error_code,
          .resume = saves_resume_flag(fault)};
}

void shut_down(Cpu& cpu) {
  cpu.state.shutdown = 1;
  if (!cpu.trace.on(TracePoint::interrupts)) return;
  cpu.trace.write("int: triple fault at {:04x}:{:08x}\n", cpu.state.segment(Seg::cs).selector,
                  cpu.state.eip());
}

// An interrupt or trap is benign: what its delivery raises is handled as if it had come alone.
void deliver_or_fault(Cpu& cpu, const Event& event) {
  const Outcome<> done = deliver_event(cpu, event);
  if (!done) deliver_fault(cpu, done.error());
}

}  // namespace

void deliver_fault(Cpu& cpu, const Fault& fault) {
  Fault current = fault;
  note_fault(cpu, current);
  for (;;) {
    const Outcome<> done = deliver_event(cpu, event_of(current));
    if (done) return cpu.fault_chain.clear();
    const Fault nested = done.error();
    note_fault(cpu, nested);
    const std::optional<Fault> next = combine_faults(current, nested);
    if (!next || cpu.fault_chain.size() > kLongestChain) return shut_down(cpu);
    if (*next != nested) note_fault(cpu, *next);
    current = *next;
  }
}

void deliver_debug_trap(Cpu& cpu, u32 dr6_bits) {
  note_debug_exception(cpu, dr6_bits);
  deliver_or_fault(cpu, {.vector = static_cast<u8>(Vector::debug), .kind = EventKind::trap});
}

void deliver_interrupt(Cpu& cpu, u8 vector) {
  deliver_or_fault(cpu, {.vector = vector, .kind = EventKind::external});
}

void deliver_nmi(Cpu& cpu) {
  cpu.state.nmi_pending = 0;
  cpu.state.nmi_masked = 1;
  deliver_or_fault(cpu, {.vector = static_cast<u8>(Vector::nmi), .kind = EventKind::external});
}

bool deliver_pending(Cpu& cpu) {
  VcpuState& state = cpu.state;
  cpu.control.clear_event(kEventInspect);
  if (state.shutdown) return true;
  const u32 events = cpu.control.events.load(std::memory_order_acquire);
  if ((events & kEventNmi) != 0) {
    cpu.control.clear_event(kEventNmi);
    state.nmi_pending = 1;
  }
  // MOV SS holds debug traps and NMIs back for one instruction (SDM 3A 6.8.3); look again after it.
  const bool nmi_waits = state.nmi_pending && !state.nmi_masked;
  if ((state.interrupt_shadow & kShadowMovSs) != 0) {
    if (state.pending_dr6 != 0 || nmi_waits) cpu.control.raise_event(kEventInspect);
    return false;
  }
  if (state.pending_dr6 != 0) {
    const u32 bits = static_cast<u32>(state.pending_dr6);
    state.pending_dr6 = 0;
    deliver_debug_trap(cpu, bits);
    return true;
  }
  if (nmi_waits) {
    deliver_nmi(cpu);
    return true;
  }
  if ((events & kEventInterrupt) == 0 || !interrupts_open(cpu)) return false;
  if (cpu.delivery_hook != nullptr) return cpu.delivery_hook->deliver_interrupt();
  const int vector = cpu.io->acknowledge_interrupt();
  if (vector < 0) return false;
  deliver_interrupt(cpu, static_cast<u8>(vector));
  return true;
}

}  // namespace ringshift
