// LongModeForm: an instruction of 32-bit code in bytes that do the same in 64-bit mode.
//
// With an address-size prefix and without REX, most instructions do: operands keep their widths, addresses
// are of 32 bits and wrap there, and the upper halves of registers become 0. Not those that use the stack,
// that load or store segment registers, that 64-bit mode hasn't (BCD, BOUND, PUSHA), or whose addresses have
// 16 bits.
#pragma once

#include <optional>
#include <span>

#include "base/types.h"
#include "tests/differential/zydis_decoding.h"

namespace ringshift::differential {

struct LongModeForm {
  // Of JMP [RIP + disp32], which follows the bytes; a taken branch goes past it.
  static constexpr u8 kJumpLength = 6;

  u8 bytes[15];
  u8 length = 0;
  u8 guest_length = 0;
  i32 displacement = 0;  // of a branch in the guest
};

class LongModeForms {
 public:
  // Of the instruction at the front of 32-bit code; nothing if there is none. Each is decoded as 64-bit mode
  // would, and compared with what it was, operand by operand.
  std::optional<LongModeForm> find(std::span<const u8> code) const;

 private:
  ZydisDecoder legacy_ = zydis_decoder(ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
  ZydisDecoder long_ = zydis_decoder(ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
};

}  // namespace ringshift::differential
