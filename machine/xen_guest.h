// XenGuest: a machine's inside under -guest-abi xen-pv: the domain and what is behind its rings, in place of
// a board.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cpu-model/cpu_io.h"
#include "machine/machine_config.h"
#include "paravirt/domain_devices.h"

namespace ringshift {

// A domain has no ports and no device memory: time and service calls are all that its CPU asks for.
class XenIo final : public CpuIo {
 public:
  XenIo(Clock& clock, std::function<void(u32)> on_service)
      : clock_(clock), on_service_(std::move(on_service)) {}

  u32 port_in(u16, unsigned) override { return ~0u; }
  void port_out(u16, unsigned, u32) override {}
  u64 mmio_read(Gpa, unsigned) override { return ~u64{0}; }
  void mmio_write(Gpa, unsigned, u64) override {}
  int acknowledge_interrupt() override { return -1; }
  u64 read_tsc() override { return clock_.tsc(); }
  const TscScale* tsc_scale() override { return clock_.tsc_scale(); }
  void service(u32 events) override { on_service_(events); }
  void apic_base_changed(u64) override {}
  void set_ferr(bool) override {}

 private:
  Clock& clock_;
  std::function<void(u32)> on_service_;
};

class XenGuest {
 public:
  // around.console: what console_io and the console ring write to.
  XenGuest(const xen::DomainSurroundings& around, std::function<void(u32)> on_service);
  XenGuest(const XenGuest&) = delete;

  // Builds a new domain, in memory that is zero; the CPU's state becomes its entry state.
  Result<void> boot(const MachineConfig& config, i64 utc);
  CpuIo& io() { return io_; }
  xen::Domain& domain() { return *domain_; }

 private:
  xen::DomainSurroundings around_;
  XenIo io_;
  std::unique_ptr<xen::Domain> domain_;
  std::unique_ptr<xen::DomainDevices> devices_;  // of domain_, and gone before it
};

}  // namespace ringshift
