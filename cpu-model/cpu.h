// Cpu: a virtual CPU as the system semantics see it: its state, and what it reaches.
//
// The functions of this folder (paging, segmentation, exceptions, far transfers, ...) take a Cpu&; interp and
// the translator's helpers call the same ones, so that each rule of the manual stands once.
#pragma once

#include <memory>
#include <vector>

#include "base/trace.h"
#include "cpu-model/cpu_io.h"
#include "cpu-model/cpuid.h"
#include "cpu-model/delivery_hook.h"
#include "cpu-model/outcome.h"
#include "cpu-model/run_control.h"
#include "cpu-model/tlb.h"
#include "cpu-model/vcpu_state.h"
#include "memory/physical_map.h"

namespace ringshift {

class HostCode;
class DecodeCache;

// Told when address translation changes, so that an engine can drop what it derived (links between pages,
// windows). Called on the vCPU's thread, after the Tlb was flushed.
class MmuObserver {
 public:
  virtual void on_flush_all() = 0;            // CR0.PG/WP, CR4.PSE/PAE/PGE, A20, EFER.NXE, physical map
  virtual void on_flush_address_space() = 0;  // MOV CR3: all but global pages
  virtual void on_flush_page(Gva gva) = 0;    // INVLPG
  // A walk has set A or D in the paging entry at this address.
  virtual void on_entry_marked(Gpa) {}

 protected:
  ~MmuObserver() = default;
};

// One step of the way to a triple fault, for the report (cpu-model/triple_fault.h).
struct DeliveredFault {
  Fault fault;
  u32 eip;
  u16 cs;
  u8 cpl;
};

// What a faulting instruction goes back to. Interpreter::step fills it before a handler runs; REP
// instructions move it forward with what they have committed (interp/handlers.h).
struct RestartPoint {
  u64 gpr[8];
  u64 rip;
  u64 rflags;
  bool again;  // the handler is unfinished and wants another round; nothing is retired yet
};

struct Cpu final : PhysicalMapListener {
  Cpu(PhysicalMap& physical, const CpuidTable& cpuid_table, RunControl& run_control, Tracer& tracer);
  Cpu(const Cpu&) = delete;
  ~Cpu();

  VcpuState state{};
  PhysicalMap& phys;
  const CpuidTable& cpuid;
  RunControl& control;
  Tracer& trace;
  CpuIo* io = nullptr;  // set for the length of ExecutionEngine::run
  Tlb tlb;
  MmuObserver* observer = nullptr;
  DeliveryHook* delivery_hook = nullptr;  // null: the IDT
  // Under CR4.PGE supervisor pages count as global, whatever their entries say: a hypervisor sees to it that
  // they are the same in the address spaces between which it flushes others alone (paravirt/address_space.h).
  bool supervisor_global = false;
  RestartPoint restart{};
  // How many elements of a REP instruction one round of the interpreter does (interp/handlers.h).
  u32 rep_round = 4096;
  // interp's executor of x87 and SSE instructions; made when first needed.
  std::shared_ptr<HostCode> host_code;
  // What interpreters have decoded. One for all of a Cpu (an engine of its own, a translator's fallback): the
  // page attribute behind it can have one owner only.
  std::shared_ptr<DecodeCache> decode_cache;
  // Exceptions raised while one was being delivered; emptied when a delivery ends well.
  std::vector<DeliveredFault> fault_chain;
  // Exceptions delivered, by vector (-stats).
  u64 delivered[256] = {};
  // Unknown MSRs that the guest tried, so that each is told of once (cpu-model/msr.cpp; bounded there).
  std::vector<u32> unknown_msrs;

  bool protected_mode() const { return (state.cr0 & kCr0Pe) != 0; }
  bool v86() const { return (state.rflags & kFlagVm) != 0 && protected_mode(); }
  // Real-address or virtual-8086 mode: selectors are paragraph numbers.
  bool real_segments() const { return !protected_mode() || v86(); }
  bool paging() const { return (state.cr0 & kCr0Pg) != 0; }
  bool user() const { return state.cpl == 3; }
  // The code segment's D and the stack segment's B bits.
  bool code32() const { return (state.segment(Seg::cs).attributes & kSegBig) != 0; }
  bool stack32() const { return (state.segment(Seg::ss).attributes & kSegBig) != 0; }
  unsigned iopl() const { return (state.rflags >> 12) & 3; }
  Gpa a20(Gpa gpa) const { return state.a20_masked ? gpa & ~(Gpa{1} << 20) : gpa; }

  // Flush the Tlb and tell the observer.
  void flush_all();
  void flush_address_space();
  void flush_page(Gva gva);

  // PhysicalMapListener: a page's kind or attributes changed.
  void on_write(Gpa, u32) override {}
  void on_page_changed(Gpa page) override;
};

}  // namespace ringshift
