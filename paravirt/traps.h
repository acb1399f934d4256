// Traps: the guest's trap table, and the frames that exceptions and upcalls bounce off to its kernel.
//
// In place of an IDT and a TSS: set_trap_table, stack_switch and the callbacks. The frame is a native one,
// but that the slot of CS has evtchn_upcall_mask in bits 16-23, and EFLAGS.IF is its opposite.
#pragma once

#include <array>
#include <optional>

#include "cpu-model/cpu.h"
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
  void set_kernel_stack(u16 ss, u32 esp) {
    kernel_ss_ = ss;
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
  // Has the upcall delivered at the next instruction, if it is due.
  void check_upcall() {
    if (info_.upcall_due()) cpu_.control.raise_event(kEventInterrupt);
  }

 private:
  struct Frame;
  bool bounce(const Entry& to, std::optional<u32> error_code, bool resume);
  void enter(const Entry& to, const SegmentRegister& code);
  u32 saved_flags(bool resume) const;
  bool enter_level(u16 cs, u32 eip, const Frame& frame);
  void failsafe(const Frame& frame);

  Cpu& cpu_;
  VcpuInfo& info_;
  DomainEnd& end_;
  std::array<Entry, 256> gates_{};
  u16 kernel_ss_ = 0;
  u32 kernel_esp_ = 0;
};

}  // namespace ringshift::xen
