// The engine contract, over the run loop.
#include "hw-accel-kvm/kvm_engine.h"

#include "hw-accel-kvm/kvm_loop.h"

namespace ringshift {

class KvmEngine::Impl {
 public:
  Impl(Cpu& cpu, const KvmOptions& options, KvmSystem system, KvmVm vm, KvmVcpu vcpu)
      : loop(cpu, options, std::move(system), std::move(vm), std::move(vcpu)) {}
  KvmLoop loop;
};

Result<std::unique_ptr<KvmEngine>> KvmEngine::create(Cpu& cpu, const KvmOptions& options) {
  KvmSystem system = RS_TRY(KvmSystem::open(options.device));
  KvmVm vm = RS_TRY(KvmVm::create(system));
  KvmVcpu vcpu = RS_TRY(KvmVcpu::create(system, vm));
  auto impl = std::make_unique<Impl>(cpu, options, std::move(system), std::move(vm), std::move(vcpu));
  RS_TRY(impl->loop.prepare());
  return std::unique_ptr<KvmEngine>(new KvmEngine(std::move(impl)));
}

KvmEngine::KvmEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KvmEngine::~KvmEngine() = default;

ExitReason KvmEngine::run(CpuIo& io) { return impl_->loop.run(io); }

void KvmEngine::request_exit() { impl_->loop.cpu().control.raise_event(kEventExit); }

void KvmEngine::save(VcpuState& state) const { state = impl_->loop.cpu().state; }

void KvmEngine::restore(const VcpuState& state) { impl_->loop.restore(state); }

EngineCapabilities KvmEngine::capabilities() const {
  return {.name = "kvm", .virtual_time = impl_->loop.counts(), .exact_debug_registers = true};
}

void KvmEngine::report(StatsSink& sink) const { impl_->loop.report(sink); }

std::string KvmEngine::failure() const { return impl_->loop.failure(); }

void KvmEngine::set_single_step(bool on) { impl_->loop.set_single_step(on); }

std::string KvmEngine::tsc_note() const { return impl_->loop.tsc_note(); }

}  // namespace ringshift
