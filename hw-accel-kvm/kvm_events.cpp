// Finishing what KVM had begun.
#include "hw-accel-kvm/kvm_events.h"

#include <utility>

#include "cpu-model/exceptions.h"

namespace ringshift {

namespace {
constexpr u8 kDebugVector = static_cast<u8>(Vector::debug);
constexpr u32 kDr6Causes = 0xf | 1u << 13 | 1u << 14 | 1u << 15;

// INT3 and INTO: EIP is still the instruction's, which raises it again.
bool is_software(u8 vector) {
  return vector == static_cast<u8>(Vector::breakpoint) || vector == static_cast<u8>(Vector::overflow);
}

// Without KVM_CAP_EXCEPTION_PAYLOAD KVM has put CR2 and DR6 in place already.
void deliver_exception(Cpu& cpu, const kvm_vcpu_events& events) {
  const u8 vector = events.exception.nr;
  if (vector == kDebugVector) {
    // What waits besides (an I/O breakpoint's trap) is one #DB with it.
    const auto waits = static_cast<u32>(std::exchange(cpu.state.pending_dr6, 0));
    return deliver_debug_trap(cpu, waits | (static_cast<u32>(cpu.state.dr[6]) & kDr6Causes));
  }
  Fault fault{static_cast<Vector>(vector), events.exception.has_error_code != 0,
              static_cast<u16>(events.exception.error_code), static_cast<u32>(cpu.state.cr2)};
  deliver_fault(cpu, fault);
}
}  // namespace

bool finish_events(Cpu& cpu, const kvm_vcpu_events& events) {
  const bool exception =
      (events.exception.injected != 0 || events.exception.pending != 0) && !is_software(events.exception.nr);
  // Of INT n, too, EIP is the instruction's.
  const bool interrupt = events.interrupt.injected != 0 && events.interrupt.soft == 0;
  if (!exception && !interrupt) return false;
  cpu.flush_all();  // the Tlb may be of another time
  if (exception) deliver_exception(cpu, events);
  if (interrupt && cpu.state.shutdown == 0) deliver_interrupt(cpu, events.interrupt.nr);
  return true;
}

}  // namespace ringshift
