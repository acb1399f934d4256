// Fault: a guest exception on its way to delivery. cpu-model/outcome.h has what can raise one.
#pragma once

#include "base/types.h"

namespace ringshift {

// Exception vectors (SDM vol. 3A table 6-1).
enum class Vector : u8 {
  divide_error = 0,
  debug = 1,
  nmi = 2,
  breakpoint = 3,
  overflow = 4,
  bound_range = 5,
  invalid_opcode = 6,
  device_not_available = 7,
  double_fault = 8,
  invalid_tss = 10,
  segment_not_present = 11,
  stack_fault = 12,
  general_protection = 13,
  page_fault = 14,
  x87_error = 16,
  alignment_check = 17,
  machine_check = 18,
  simd_error = 19,
};

// Page-fault error code bits (SDM vol. 3A 4.7).
inline constexpr u32 kPfPresent = 1u << 0;
inline constexpr u32 kPfWrite = 1u << 1;
inline constexpr u32 kPfUser = 1u << 2;
inline constexpr u32 kPfReserved = 1u << 3;
inline constexpr u32 kPfFetch = 1u << 4;

// A fault-class exception: EIP stays at the instruction that caused it. (Traps are delivered with
// deliver_trap, cpu-model/exceptions.h.)
struct Fault {
  Vector vector;
  bool has_error_code;
  u16 error_code;  // no exception has a longer one
  u32 address;     // CR2 for page faults; DR6 bits to set for debug.

  static Fault gp(u32 error = 0) { return with_code(Vector::general_protection, error); }
  static Fault ss(u32 error = 0) { return with_code(Vector::stack_fault, error); }
  static Fault np(u32 error) { return with_code(Vector::segment_not_present, error); }
  static Fault ts(u32 error) { return with_code(Vector::invalid_tss, error); }
  static Fault pf(Gva address, u32 error) { return with_code(Vector::page_fault, error, address); }
  static Fault ac() { return {Vector::alignment_check, true, 0, 0}; }
  static Fault ud() { return {Vector::invalid_opcode, false, 0, 0}; }
  static Fault nm() { return {Vector::device_not_available, false, 0, 0}; }
  static Fault de() { return {Vector::divide_error, false, 0, 0}; }
  static Fault br() { return {Vector::bound_range, false, 0, 0}; }
  static Fault mf() { return {Vector::x87_error, false, 0, 0}; }
  static Fault xm() { return {Vector::simd_error, false, 0, 0}; }
  static Fault db(u32 dr6_bits) { return {Vector::debug, false, 0, dr6_bits}; }

  static Fault with_code(Vector vector, u32 error, u32 address = 0) {
    return {vector, true, static_cast<u16>(error), address};
  }

  bool operator==(const Fault&) const = default;
};
static_assert(sizeof(Fault) == 8);

}  // namespace ringshift
