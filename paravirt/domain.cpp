// The domain's parts put together, and the ways in: exceptions, INT n, upcalls, and the guest's memory.
#include "paravirt/domain.h"

#include "base/messages.h"
#include "cpu-model/event_delivery.h"
#include "cpu-model/memory_access.h"

namespace ringshift::xen {

namespace {
// shared_info, and the grant table's frames at their most.
constexpr u32 kSharedFrames = 1 + 64;
}  // namespace

Domain::Domain(const DomainSurroundings& around)
    : cpu(around.cpu),
      clock(around.clock),
      power(around.power),
      console(around.console),
      memory(around.map),
      frames(memory.frames()),
      space(memory, frames, kSharedFrames),
      tables(memory, frames, space),
      descriptors(cpu, memory, frames, tables, space),
      address_space(cpu, memory, tables, descriptors),
      info(memory, share_first(space)),
      end(cpu, around.on_crash),
      traps(cpu, info, end),
      privileged(*this),
      time(clock, memory, info, [this] { raise_virq(VIRQ_TIMER); }),
      poll_timer_(clock, [this] { port_pending(); }) {
  register_mmu_update(*this);
  register_mmuext(*this);
  register_memory_hypercalls(*this);
  register_trap_hypercalls(*this);
  register_descriptor_hypercalls(*this);
  register_time_hypercalls(*this);
  register_sched_hypercalls(*this);
  register_general_hypercalls(*this);
  light_software = light_call;
  cpu.delivery_hook = this;
}

Domain::~Domain() { cpu.delivery_hook = nullptr; }

Mfn Domain::share_first(HypervisorSpace& space) {
  Mfn mfn = 0;
  RS_CHECK(space.share_frame(mfn));
  return mfn;
}

// --- Memory

bool Domain::read_frame(Mfn mfn, u32 offset, void* data, u32 length) {
  if (!frames.is_domains(mfn) || offset > kPageSize || length > kPageSize - offset) return false;
  std::memcpy(data, memory.frame(mfn) + offset, length);
  return true;
}

bool Domain::write_frame(Mfn mfn, u32 offset, const void* data, u32 length) {
  if (!tables.plain(mfn) || offset > kPageSize || length > kPageSize - offset) return false;
  memory.write(mfn, offset, data, length);
  return true;
}

namespace {
// The most that the CPU model's slow path takes at a time.
constexpr u32 kPiece = 512;

// Nothing of the hypervisor's is ever an argument, and nothing wraps.
bool guests_range(Gva at, u32 length) { return u64{at} + length <= kHypervisorStart; }
}  // namespace

bool Domain::copy_from_guest(void* data, Gva from, u32 length) {
  if (!guests_range(from, length)) return false;
  if (const u8* const plain = length <= kPageSize ? cpu.tlb.plain_read(from, length, false) : nullptr) {
    std::memcpy(data, plain, length);
    return true;
  }
  for (u32 done = 0; done < length;) {
    const u32 piece = std::min(kPiece, length - done);
    if (!read_linear_slow(cpu, from + done, static_cast<u8*>(data) + done, piece, false)) return false;
    done += piece;
  }
  return true;
}

bool Domain::copy_to_guest(Gva to, const void* data, u32 length) {
  if (!guests_range(to, length)) return false;
  if (u8* const plain = length <= kPageSize ? cpu.tlb.plain_write(to, length, false) : nullptr) {
    std::memcpy(plain, data, length);
    return true;
  }
  for (u32 done = 0; done < length;) {
    const u32 piece = std::min(kPiece, length - done);
    if (!write_linear_slow(cpu, to + done, static_cast<const u8*>(data) + done, piece, false)) return false;
    done += piece;
  }
  return true;
}

// --- Delivery

Outcome<> Domain::deliver(const Event& event) {
  if (event.kind == EventKind::software) return software(event);
  exception(event);
  return {};
}

Outcome<> Domain::software(const Event& event) {
  if (event.vector == kHypercallVector && traps.in_kernel()) {
    hypercall_instruction();
    return {};
  }
  if (!permits_software(event.vector)) return raise(Fault::gp(event.vector * 8u + 2));
  traps.inject(event.vector, std::nullopt, false);
  return {};
}

void Domain::exception(const Event& event) {
  switch (static_cast<Vector>(event.vector)) {
    case Vector::page_fault: {
      const auto address = static_cast<Gva>(cpu.state.cr2);
      if (descriptors.fault_in_ldt(address)) return;
      info.set_cr2(descriptors.guest_ldt_address(address).value_or(address));
      break;
    }
    case Vector::general_protection:
      if (event.error_code == 0 && traps.in_kernel() && privileged.emulate()) return;
      break;
    case Vector::invalid_opcode:
      if (privileged.emulate_forced_cpuid()) return;
      break;
    case Vector::device_not_available:
      // The handler begins with TS clear.
      cpu.state.cr0 &= ~u64{kCr0Ts};
      break;
    default:
      break;
  }
  if (end.crashed()) return;
  traps.inject(event.vector, event.has_error_code ? std::optional<u32>(event.error_code) : std::nullopt,
               event.resume);
}

bool Domain::deliver_interrupt() {
  cpu.control.clear_event(kEventInterrupt);
  if (polling_) {
    polling_ = false;
    poll_timer_.cancel();
    cpu.state.halted = 0;
  }
  if (end.crashed() || !info.upcall_due()) return false;
  if (cpu.trace.on(TracePoint::interrupts)) cpu.trace.write("int: upcall at {:08x}\n", cpu.state.eip());
  traps.upcall();
  return true;
}

void Domain::port_pending() {
  if (polling_) cpu.control.raise_event(kEventInterrupt);
}

void Domain::poll(u64 timeout) {
  polling_ = true;
  if (timeout != 0) poll_timer_.arm(time.to_clock(timeout));
  end.stop();
}

// --- Hypercalls

void Domain::hypercall_instruction() {
  VcpuState& state = cpu.state;
  const u32 number = state.reg32(kEax);
  const HypercallArguments arguments{{state.reg32(kEbx), state.reg32(kEcx), state.reg32(kEdx),
                                      state.reg32(kEsi), state.reg32(kEdi), state.reg32(kEbp)}};
  ++cpu.delivered[kHypercallVector];
  const i32 result = hypercall(number, arguments);
  if (cpu.trace.on(TracePoint::interrupts)) {
    const auto* const entry = hypercalls.find(number);
    cpu.trace.write("hypercall: {} ({}) {:x} {:x} {:x} {:x} = {} at {:08x}\n", number,
                    entry == nullptr ? "?" : entry->name, arguments[0], arguments[1], arguments[2],
                    arguments[3], result, state.eip());
  }
  if (continuation) {
    constexpr u32 kLength = 2;  // of INT 82h
    state.set_reg32(kEbx, (*continuation)[0]);
    state.set_reg32(kEcx, (*continuation)[1]);
    state.set_reg32(kEdx, (*continuation)[2]);
    state.rip = static_cast<u32>(state.rip - kLength);
    continuation.reset();
  } else if (number != __HYPERVISOR_iret) {
    state.set_reg32(kEax, static_cast<u32>(result));
  }
  traps.check_upcall();
}

i32 Domain::hypercall(u32 number, const HypercallArguments& arguments) {
  HypercallTable::Entry* const entry = hypercalls.find(number);
  if (entry != nullptr) {
    ++entry->calls;
    const i32 result = entry->handler(arguments);
    const u32 command = u32{1} << std::min<u32>(arguments[0], 31);
    if (result == -XEN_ENOSYS && (entry->refused & command) == 0) {
      entry->refused |= command;
      tell("xen: {} with {:#x} isn't implemented: -ENOSYS", entry->name, arguments[0]);
    }
    return result;
  }
  const u32 which = std::min<u32>(number, logged_.size() - 1);
  if (!logged_.test(which)) {
    logged_.set(which);
    tell("xen: hypercall {} isn't implemented: -ENOSYS", number);
  }
  return -XEN_ENOSYS;
}

}  // namespace ringshift::xen
