// What two exceptions in a row become (SDM vol. 3A tables 6-4 and 6-5).
#pragma once

#include <optional>

#include "cpu-model/outcome.h"

namespace ringshift {

enum class FaultClass : u8 { benign, contributory, page_fault, double_fault };

constexpr FaultClass classify_fault(Vector vector) {
  switch (vector) {
    case Vector::divide_error:
    case Vector::invalid_tss:
    case Vector::segment_not_present:
    case Vector::stack_fault:
    case Vector::general_protection:
      return FaultClass::contributory;
    case Vector::page_fault:
      return FaultClass::page_fault;
    case Vector::double_fault:
      return FaultClass::double_fault;
    default:
      return FaultClass::benign;
  }
}

// The exception to deliver when `second` is raised by the delivery of `first`; none: shutdown.
constexpr std::optional<Fault> combine_faults(const Fault& first, const Fault& second) {
  const FaultClass before = classify_fault(first.vector);
  const FaultClass after = classify_fault(second.vector);
  if (after == FaultClass::benign) return second;
  if (before == FaultClass::double_fault) return std::nullopt;
  const bool becomes_double = (before == FaultClass::contributory && after == FaultClass::contributory) ||
                              before == FaultClass::page_fault;
  if (becomes_double) return Fault{Vector::double_fault, true, 0, 0};
  return second;
}

}  // namespace ringshift
