// Turns of engines.
#include "machine/engine_rotation.h"

#include "machine/engine_factory.h"

namespace ringshift {

Result<std::vector<EngineTurn>> turns_in_ns(const MachineConfig& config) {
  std::vector<EngineTurn> turns = config.engine_turns->turns;
  if (config.engine_turns->counted) {
    if (!config.icount_shift)
      return fail(ErrorKind::usage, "-engine-switch counts instructions only under -icount; give a time");
    for (EngineTurn& turn : turns) turn.length <<= *config.icount_shift;
  }
  for (const EngineTurn& turn : turns) {
    const bool known = std::any_of(config.engines.begin(), config.engines.end(),
                                   [&](EngineKind kind) { return engine_name(kind) == turn.engine; });
    if (!known) return fail(ErrorKind::usage, "-engine-switch: -engine doesn't name '{}'", turn.engine);
  }
  return turns;
}

EngineRotation::EngineRotation(EngineSet& engines, std::vector<EngineTurn> turns, Clock& clock,
                               RunControl& control)
    : engines_(engines), turns_(std::move(turns)), clock_(clock), timer_(clock, [this, &control] {
        due_ = true;
        control.raise_event(kEventExit);
      }) {
  RS_CHECK(!turns_.empty());
}

void EngineRotation::begin(std::size_t turn) {
  now_ = turn;
  due_ = false;
  const auto switched = engines_.switch_to(turns_[turn].engine);
  RS_CHECK(switched);  // turns_in_ns() looked for it
  timer_.arm(clock_.now_ns() + turns_[turn].length);
}

void EngineRotation::start() { begin(0); }

void EngineRotation::turn_if_due() {
  if (due_) begin((now_ + 1) % turns_.size());
}

}  // namespace ringshift
