// Traps: the guest's trap table, and the frames that exceptions and upcalls bounce off to its kernel.
//
// In place of an IDT and a TSS: set_trap_table, stack_switch and the callbacks. The frame is a native one,
// but that the slot of CS has evtchn_upcall_mask in bits 16-23, and EFLAGS.IF is its opposite.
#pragma once

#include <array>
#include <optional>

#include "cpu-model/descriptor_memo.h"
#include "paravirt/descriptor_check.h"
#include "paravirt/domain_end.h"
#include "paravirt/vcpu_info.h"

namespace ringshift::xen {

// Where the guest is entered; eip 0: nowhere.
struct Entry {
  u16 cs = 0;
  u32 eip = 0;
  bool masks = false;  // upcalls are masked then
  u8 dpl = 0;          // of the trap table: who may raise it by INT n
};

class Traps {
 public:
  Traps(Cpu& cpu, VcpuInfo& info, DomainEnd& end) : cpu_(cpu), info_(info), end_(end) {}

  bool in_kernel() const { return cpu_.state.cpl == 1; }

  void set_gate(u8 vector, const Entry& gate) { gates_[vector] = gate; }
  void clear_gates() { gates_.fill({}); }
  const Entry& gate(u8 vector) const { return gates_[vector]; }
  // HYPERVISOR_stack_switch: SS as the guest gives it.
  void set_kernel_stack(u32 ss, u32 esp) {
    kernel_ss_ = kernel_selector(static_cast<u16>(ss));
    kernel_esp_ = esp;
  }
  Entry event_callback;
  Entry failsafe_callback;

  // The I/O privilege level that the guest believes to have (PHYSDEVOP_set_iopl).
  u8 iopl = 0;
  bool architectural_iopl = false;  // VMASST_TYPE_architectural_iopl

  // An exception, or INT n, at the EIP that is to be saved. resume: RF is set in the saved flags.
  void inject(u8 vector, std::optional<u32> error_code, bool resume);
  // Whether INT n may be used at the current level.
  bool permits_software(u8 vector) const { return gates_[vector].dpl >= (in_kernel() ? 1 : 3); }
  // The event callback.
  void upcall();
  // HYPERVISOR_iret: the frame at the guest's stack pointer.
  void iret();
  // inject() of INT n and iret() in their usual forms, as DeliveryHook::light_software wants them
  // (light_calls.cpp). False: nothing has changed.
  bool light_inject(u8 vector);
  bool light_iret();
  // Has the upcall delivered at the next instruction, if it is due.
  void check_upcall() {
    if (info_.upcall_due()) cpu_.control.raise_event(kEventInterrupt);
  }

 private:
  using Use = DescriptorMemo::Use;
  // What HYPERVISOR_iret finds on the stack.
  struct Frame {
    u32 eax, eip, cs, flags, esp, ss;
  };
  static constexpr u8 kKernelLevel = 1;
  static constexpr unsigned kIoplShift = 12;
  static constexpr unsigned kMaskShift = 16;  // of evtchn_upcall_mask in the slot of CS
  // Flags that an entry clears, as an interrupt gate does but for IF, which the guest never sees cleared.
  static constexpr u32 kClearedAtEntry = kFlagVm | kFlagRf | kFlagNt | kFlagTf;

  Outcome<SegmentRegister> entered_code(u16 selector);
  Outcome<SegmentRegister> entered_stack(u16 selector, u8 level, Vector vector);
  // What these gave before, for the same descriptor; null: it isn't known.
  const SegmentRegister* known(Use use, u32 selector, u8 level) const {
    return memo_.find(cpu_, use, static_cast<u16>(selector), level);
  }
  bool bounce(const Entry& to, std::optional<u32> error_code, bool resume);
  void enter(const Entry& to, const SegmentRegister& code);
  u32 flags_at_entry() const { return (cpu_.state.eflags() & ~kClearedAtEntry) | kFlagIf | kFlagFixed; }
  u32 saved_flags(bool resume) const {
    const u32 flags = cpu_.state.eflags() & ~(kFlagIf | kFlagIopl);
    return flags | (info_.masked() ? 0 : kFlagIf) | u32{iopl} << kIoplShift | (resume ? kFlagRf : 0);
  }
  // EFLAGS after HYPERVISOR_iret.
  static u32 flags_of(const Frame& frame) {
    constexpr u32 kGuests = kArithmeticFlags | kFlagTf | kFlagDf | kFlagNt | kFlagRf | kFlagAc | kFlagId;
    return (frame.flags & kGuests) | kFlagIf | kFlagFixed;
  }
  bool enter_level(u16 cs, u32 eip, const Frame& frame);
  void failsafe(const Frame& frame);

  Cpu& cpu_;
  VcpuInfo& info_;
  DomainEnd& end_;
  DescriptorMemo memo_;
  std::array<Entry, 256> gates_{};
  u16 kernel_ss_ = 0;
  u32 kernel_esp_ = 0;
};

}  // namespace ringshift::xen
