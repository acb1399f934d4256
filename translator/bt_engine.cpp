// The engine contract, over the dispatcher.
#include "translator/bt_engine.h"

#include "translator/dispatcher.h"
#include "translator/window_base.h"

namespace ringshift {

class BtEngine::Impl {
 public:
  static Result<std::unique_ptr<Impl>> create(Cpu& cpu, const BtOptions& options) {
    if (options.verify && cpu.control.exact_count)
      return fail(ErrorKind::engine_unavailable, "-d verify doesn't go with -icount: leave one of them out");
    constexpr u64 kLeastCache = 96 * 1024;
    if (options.cache_bytes < kLeastCache)
      return fail(ErrorKind::usage, "a code cache of {} KiB is too small", options.cache_bytes >> 10);
    BtOptions usable = options;
    if (!bt::WindowBase::usable()) {
      if (options.memory == BtOptions::Memory::window)
        return fail(ErrorKind::engine_unavailable,
                    "-bt-memory window: this host doesn't let programs set GS base (FSGSBASE); use soft");
      usable.memory = BtOptions::Memory::soft;
    }
    auto cache = RS_TRY(bt::CodeCache::create(options.cache_bytes));
    auto impl = std::make_unique<Impl>(cpu, std::move(cache), usable);
    RS_TRY(impl->dispatcher.prepare(usable));
    return impl;
  }
  Impl(Cpu& cpu_ref, bt::CodeCache code_cache, const BtOptions& options)
      : cpu(cpu_ref), dispatcher(cpu_ref, std::move(code_cache), options) {}

  Cpu& cpu;
  bt::Dispatcher dispatcher;
};

Result<std::unique_ptr<BtEngine>> BtEngine::create(Cpu& cpu, const BtOptions& options) {
  return std::unique_ptr<BtEngine>(new BtEngine(RS_TRY(Impl::create(cpu, options))));
}

BtEngine::BtEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BtEngine::~BtEngine() = default;

ExitReason BtEngine::run(CpuIo& io) { return impl_->dispatcher.run(io); }

void BtEngine::request_exit() { impl_->cpu.control.raise_event(kEventExit); }

void BtEngine::save(VcpuState& state) const { state = impl_->cpu.state; }

void BtEngine::restore(const VcpuState& state) {
  impl_->cpu.state = state;
  impl_->cpu.flush_all();
  impl_->dispatcher.restored();
  impl_->cpu.control.raise_event(kEventInspect);
}

EngineCapabilities BtEngine::capabilities() const {
  return {.name = "bt", .virtual_time = true, .exact_debug_registers = true};
}

std::string BtEngine::failure() const { return impl_->dispatcher.failure(); }

std::string BtEngine::list_next() { return impl_->dispatcher.list_next(); }

void BtEngine::report(StatsSink& sink) const { impl_->dispatcher.report(sink); }

}  // namespace ringshift
