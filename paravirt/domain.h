// Domain: one Xen x86-32 PAE paravirtual domain with one virtual CPU: its parts, and how the CPU reaches
// them.
//
// Guest memory is machine memory: mfn = gpa >> 12. The guest's kernel runs at CPL 1. Exceptions, INT n and
// interrupts come here instead of to an IDT (DeliveryHook); INT 82h of the kernel is a hypercall.
#pragma once

#include <array>
#include <bitset>
#include <string>

#include "cpu-model/cpu.h"
#include "cpu-model/delivery_hook.h"
#include "devices/backend/char_backend.h"
#include "devices/cpu_signals.h"
#include "paravirt/address_space.h"
#include "paravirt/descriptors.h"
#include "paravirt/domain_end.h"
#include "paravirt/domain_time.h"
#include "paravirt/hypercall_table.h"
#include "paravirt/privileged.h"
#include "paravirt/traps.h"
#include "paravirt/xen_errors.h"

namespace ringshift::xen {

inline constexpr u16 kDomainId = 1;
inline constexpr u8 kHypercallVector = 0x82;
inline constexpr i32 kXenVersion = 4 << 16 | 17;  // XENVER_version

// What a domain is built into; all of it outlives the domain.
struct DomainSurroundings {
  Cpu& cpu;
  Clock& clock;
  PhysicalMap& map;
  PowerControl& power;
  CharBackend& console;  // what console_io writes to
  std::function<void(std::string)> on_crash;
};

class Domain final : public DomainMemory, public DeliveryHook {
 public:
  explicit Domain(const DomainSurroundings& around);
  Domain(const Domain&) = delete;
  ~Domain() override;

  // The parts, for the hypercalls and back ends that work on them.
  Cpu& cpu;
  Clock& clock;
  PowerControl& power;
  CharBackend& console;
  MachineMemory memory;
  FrameTable frames;
  HypervisorSpace space;
  PageTables tables;
  Descriptors descriptors;
  AddressSpace address_space;
  VcpuInfo info;
  DomainEnd end;
  Traps traps;
  Privileged privileged;
  std::function<void(u32 virq)> raise_virq = [](u32) {};
  // Whether a port is pending, for SCHEDOP_poll.
  std::function<bool(u32 port)> port_is_pending = [](u32) { return false; };
  DomainTime time;
  HypercallTable hypercalls;
  using HypercallFunction = i32 (*)(Domain&, const HypercallArguments&);
  void add_hypercall(u32 number, std::string_view name, HypercallFunction function) {
    hypercalls.set(number, name, [this, function](const HypercallArguments& arguments) {
      return function(*this, arguments);
    });
  }

  u32 domain_frames = 0;  // what the domain may have at most
  std::string command_line;

  // The upcall has become pending; a port has. From back ends and timers.
  void upcall_pending() { traps.check_upcall(); }
  void port_pending();
  // Waits for a port or a time (SCHEDOP_poll).
  void poll(u64 timeout);

  // A frame that Xen shares with the domain (shared_info, grant table); none if there are no more.
  bool share_frame(Mfn& mfn) { return space.share_frame(mfn); }

  // DomainMemory.
  bool read_frame(Mfn mfn, u32 offset, void* data, u32 length) override;
  bool write_frame(Mfn mfn, u32 offset, const void* data, u32 length) override;
  bool copy_from_guest(void* data, Gva from, u32 length) override;
  bool copy_to_guest(Gva to, const void* data, u32 length) override;
  using DomainMemory::copy_from_guest;
  using DomainMemory::copy_to_guest;

  // DeliveryHook.
  Outcome<> deliver(const Event& event) override;
  bool deliver_interrupt() override;

  // DeliveryHook::light_software (light_calls.cpp).
  static Light light_call(DeliveryHook& hook, u8 vector);

  // One hypercall; unknown ones are -ENOSYS, and logged once each.
  i32 hypercall(u32 number, const HypercallArguments& arguments);
  // A long list is left in the middle when something waits for the vCPU's thread: the guest executes the
  // hypercall again, with other values for its first three arguments (in a multicall: in its entry).
  using Continuation = std::array<u32, 3>;
  bool should_pause() const { return cpu.control.events.load(std::memory_order_relaxed) != 0; }
  std::optional<Continuation> continuation;
  bool in_multicall = false;

 private:
  Outcome<> software(const Event& event);
  // INT3 and INTO are anyone's.
  bool permits_software(u8 vector) const {
    return vector == static_cast<u8>(Vector::breakpoint) || vector == static_cast<u8>(Vector::overflow) ||
           traps.permits_software(vector);
  }
  Light light_hypercall();
  void hypercall_instruction();
  void exception(const Event& event);
  static Mfn share_first(HypervisorSpace& space);

  std::bitset<256> logged_;
  bool polling_ = false;
  Clock::Timer poll_timer_;
};

// Whom an operation is about: 0, or a negative error number. There is this domain, and no other.
int check_foreign_domain(u32 domid);

// Each in a file of its own.
void register_mmu_update(Domain& domain);             // mmu_update, update_va_mapping
void register_mmuext(Domain& domain);                 // mmuext_op
void register_memory_hypercalls(Domain& domain);      // memory_op
void register_trap_hypercalls(Domain& domain);        // set_trap_table, stack_switch, callbacks, iret, ...
void register_descriptor_hypercalls(Domain& domain);  // set_gdt, update_descriptor
void register_time_hypercalls(Domain& domain);        // set_timer_op, vcpu_op
void register_sched_hypercalls(Domain& domain);       // sched_op
void register_general_hypercalls(Domain& domain);     // xen_version, console_io, vm_assist, multicall, ...

}  // namespace ringshift::xen
