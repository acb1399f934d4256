// The choice of -engine auto.
#include "machine/engine_choice.h"

namespace ringshift {

EngineChoice choose_engine(const KvmVerdict& verdict) {
  return {verdict.usable() ? EngineKind::kvm : EngineKind::bt, verdict.why};
}

}  // namespace ringshift
