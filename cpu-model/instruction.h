// Instruction: one decoded guest instruction, compact, as interp and the translator share it.
#pragma once

#include <memory>
#include <span>

#include "base/types.h"
#include "cpu-model/vcpu_state.h"

namespace ringshift {

enum class OperandKind : u8 {
  none,
  gpr8,  // reg 0-3 AL..BL, 4-7 AH..BH
  gpr16,
  gpr32,
  segment,  // reg is a Seg
  control,
  debug,
  memory,       // the Instruction's address fields
  immediate,    // Instruction::immediate (or immediate2 for a second one)
  relative,     // a branch displacement, in Instruction::immediate, from the next instruction
  far_pointer,  // selector in immediate2, offset in immediate
  st,           // x87 register
  mmx,
  xmm,
  other,
};

struct Operand {
  OperandKind kind = OperandKind::none;
  u8 reg = 0;
  u16 bytes = 0;        // size of the operand in bytes
  bool hidden = false;  // implied by the opcode and not written in assembly
};

inline constexpr u8 kNoRegister = 0xff;

enum InstructionPrefix : u8 {
  kPrefixLock = 1,
  kPrefixRep = 2,
  kPrefixRepne = 4,
  kPrefixOperandSize = 8,
  kPrefixAddressSize = 16,
  kPrefixSegment = 32,
};

enum class OpcodeMap : u8 { one_byte, map_0f, map_0f38, map_0f3a };

struct Instruction {
  u16 mnemonic = 0;  // ZydisMnemonic
  u8 length = 0;     // bytes, prefixes included
  u8 prefixes = 0;   // InstructionPrefix bits present
  OpcodeMap map = OpcodeMap::one_byte;
  u8 opcode = 0;
  u8 operand_size = 4;  // effective: 2 or 4 bytes
  u8 address_size = 4;  // effective: 2 or 4 bytes
  bool has_modrm = false;
  u8 modrm_offset = 0;      // of the ModRM byte in bytes[], if has_modrm
  u8 immediate_offset = 0;  // of the first immediate in bytes[]; 0: none
  u8 modrm = 0;             // mod, reg, rm as encoded
  u8 prefix_length = 0;     // bytes of legacy prefixes
  u8 operand_count = 0;     // visible operands
  Operand operands[4];

  // Effective address: segment:[base + index * scale + displacement], wrapping at address_size.
  Seg segment = Seg::ds;  // override applied
  u8 base = kNoRegister;
  u8 index = kNoRegister;
  u8 scale = 1;
  i32 displacement = 0;
  bool memory_written = false;  // the memory operand is (or may be) written
  u32 immediate = 0;            // sign-extended to 32 bits where the instruction does so
  u32 immediate2 = 0;

  u32 flags_read = 0;       // EFLAGS bits tested
  u32 flags_written = 0;    // EFLAGS bits modified, set, cleared or left undefined (may be conditional)
  u32 flags_undefined = 0;  // the part of flags_written that the manual leaves undefined
  u16 isa_set = 0;          // ZydisISASet
  u8 bytes[15] = {};

  bool has_prefix(InstructionPrefix p) const { return (prefixes & p) != 0; }
  u8 modrm_reg() const { return (modrm >> 3) & 7; }
  u8 modrm_rm() const { return modrm & 7; }
  bool memory_form() const { return has_modrm && modrm < 0xc0; }
};

// How code bytes are to be read.
enum class CodeMode : u8 {
  real16,  // real-address and v8086 mode, D = 0
  protected16,
  protected32,
  real32,  // real-address mode with a big CS ("unreal"); rare
};

enum class DecodeStatus : u8 {
  ok,
  truncated,  // needs more bytes than were given (the next page)
  too_long,   // over 15 bytes: #GP(0)
  undefined,  // #UD: not an instruction, or one that CPUID lacks
};

class CpuidTable;

// Decodes one instruction. Instructions that the CPUID table lacks are `undefined`; VEX, EVEX and XOP always.
class Decoder {
 public:
  explicit Decoder(const CpuidTable& cpuid);
  ~Decoder();
  DecodeStatus decode(std::span<const u8> bytes, CodeMode mode, Instruction& out) const;

 private:
  struct Modes;  // a ZydisDecoder for each CodeMode
  std::unique_ptr<Modes> modes_;
  bool isa_[512] = {};  // ZydisISASet that the CPU has
};

}  // namespace ringshift
