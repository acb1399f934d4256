// Cpu: construction, and flushes that reach the Tlb and its observer.
#include "cpu-model/cpu.h"

namespace ringshift {

Cpu::Cpu(PhysicalMap& physical, const CpuidTable& cpuid_table, RunControl& run_control, Tracer& tracer)
    : phys(physical), cpuid(cpuid_table), control(run_control), trace(tracer) {
  phys.add_listener(this, 0);
  reset_vcpu(state, cpuid.signature());
}

Cpu::~Cpu() { phys.remove_listener(this); }

void Cpu::flush_all() {
  tlb.flush_all();
  if (observer != nullptr) observer->on_flush_all();
}

void Cpu::flush_address_space() {
  tlb.flush_non_global();
  if (observer != nullptr) observer->on_flush_address_space();
}

void Cpu::flush_page(Gva gva) {
  const bool large = tlb.flush_page(gva);
  if (observer == nullptr) return;
  // Of a large page the observer may hold any part.
  if (large)
    observer->on_flush_all();
  else
    observer->on_flush_page(gva);
}

void Cpu::on_page_changed(Gpa page) { tlb.flush_physical(page); }

}  // namespace ringshift
