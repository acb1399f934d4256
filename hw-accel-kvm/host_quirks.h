// HostQuirks: mistakes of hosts that KVM's user must step around.
#pragma once

namespace ringshift {

struct HostQuirks {
  // QEMU's TCG, when it emulates AMD-V, ends with "fatal: invalid tss type" if a guest enters CPL 0 from CPL
  // 3 while the VMCB says that its TSS is busy: its own LTR leaves the available type. Real AMD-V does not
  // look (APM vol. 2 15.5.1); KVM on AMD shows a busy one when asked, whatever it was given.
  bool task_register_not_busy = false;
  // TCG saves no RF in the frame of a fault (docs/qemu-differences.md).
  bool no_resume_flag = false;

  static HostQuirks of_this_host();
};

}  // namespace ringshift
