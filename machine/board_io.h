// BoardIo: a CPU's door to the board: ports, MMIO, interrupt acknowledge, time.
#pragma once

#include <functional>

#include "base/trace.h"
#include "cpu-model/cpu_io.h"
#include "machine/pc_board.h"

namespace ringshift {

class BoardIo final : public CpuIo {
 public:
  // on_service: does what CpuIo::service asks for.
  BoardIo(PcBoard& board, Clock& clock, Tracer& trace, std::function<void(u32)> on_service)
      : board_(board), clock_(clock), trace_(trace), on_service_(std::move(on_service)) {}

  u32 port_in(u16 port, unsigned size) override;
  void port_out(u16 port, unsigned size, u32 value) override;
  u64 mmio_read(Gpa gpa, unsigned size) override;
  void mmio_write(Gpa gpa, unsigned size, u64 value) override;
  int acknowledge_interrupt() override { return board_.router().acknowledge(); }
  u64 read_tsc() override { return clock_.tsc(); }
  const TscScale* tsc_scale() override { return clock_.tsc_scale(); }
  void service(u32 events) override { on_service_(events); }
  void apic_base_changed(u64 value) override { board_.local_apic().set_apic_base(value); }
  void set_ferr(bool level) override { board_.ferr().set(level); }

 private:
  PcBoard& board_;
  Clock& clock_;
  Tracer& trace_;
  std::function<void(u32)> on_service_;
};

}  // namespace ringshift
