// Machine: memory is written in pieces that differ, so that engines keep what they know of the rest.
#include "tests/supervisor/machine.h"

#include <cstring>
#include <optional>

#include "base/check.h"
#include "tests/differential/endless_watch.h"

namespace ringshift::supervisor {

Result<std::unique_ptr<Machine>> Machine::create(const differential::EngineFactory& factory) {
  GuestMemory memory = RS_TRY(GuestMemory::create(kImageSize));
  CpuidTable cpuid = RS_TRY(CpuidTable::create("n270"));
  std::unique_ptr<Machine> machine(new Machine(std::move(memory), std::move(cpuid)));
  machine->engine_ = RS_TRY(factory.create(machine->cpu_));
  return machine;
}

Result<void> Machine::trace(std::string_view points, const std::string& file) {
  RS_TRY(tracer_.open(file.c_str()));
  return tracer_.enable(points);
}

void Machine::fill(std::span<const u8> image) {
  constexpr std::size_t kPiece = 256;
  RS_CHECK(image.size() == kImageSize);
  for (std::size_t at = 0; at < image.size(); at += kPiece)
    if (std::memcmp(memory_.base() + at, image.data() + at, kPiece) != 0)
      RS_CHECK(physical_.write(at, image.data() + at, kPiece));
}

ExitReason Machine::run(VcpuState& state, bool interrupt) {
  control_.clear_event(~u32{0});
  engine_->restore(state);
  if (interrupt) control_.raise_event(kEventInterrupt);
  control_.deadline = limit_ == 0 ? ~u64{0} : control_.retired + limit_;
  // Faults alone, one in the delivery of the other, count no instructions.
  std::optional<differential::EndlessWatch> watch;
  if (limit_ != 0) watch.emplace(control_, kTicks);
  const ExitReason reason = engine_->run(*this);
  engine_->save(state);
  return reason;
}

}  // namespace ringshift::supervisor
