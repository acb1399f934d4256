// The engine contract, over the run loop.
#include "direct-exec/trap_engine.h"

#include "direct-exec/trap_loop.h"

namespace ringshift {

class TrapEngine::Impl {
 public:
  explicit Impl(Cpu& cpu) : loop(cpu) {}
  TrapLoop loop;
};

Result<std::unique_ptr<TrapEngine>> TrapEngine::create(Cpu& cpu) {
  auto impl = std::make_unique<Impl>(cpu);
  RS_TRY(impl->loop.prepare());
  return std::unique_ptr<TrapEngine>(new TrapEngine(std::move(impl)));
}

TrapEngine::TrapEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TrapEngine::~TrapEngine() = default;

ExitReason TrapEngine::run(CpuIo& io) { return impl_->loop.run(io); }

void TrapEngine::request_exit() { impl_->loop.cpu().control.raise_event(kEventExit); }

void TrapEngine::save(VcpuState& state) const { state = impl_->loop.cpu().state; }

void TrapEngine::restore(const VcpuState& state) { impl_->loop.restore(state); }

EngineCapabilities TrapEngine::capabilities() const {
  return {.name = "trap", .virtual_time = false, .exact_debug_registers = true};
}

void TrapEngine::report(StatsSink& sink) const { impl_->loop.report(sink); }

std::string TrapEngine::failure() const { return impl_->loop.failure(); }

}  // namespace ringshift
