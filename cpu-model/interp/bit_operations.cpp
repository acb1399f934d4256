// BT, BTS, BTR, BTC, BSF, BSR, POPCNT, by the host's own.
#include "cpu-model/interp/bit_operations.h"

#include <Zydis/Zydis.h>

#include "cpu-model/interp/alu.h"
#include "cpu-model/interp/operands.h"

namespace ringshift {

namespace {

#define RINGSHIFT_BIT_TEST(name, mnemonic)                       \
  template <class T>                                             \
  T name(T value, T bit, FlagsImage& flags) {                    \
    asm(RS_LOAD_FLAGS mnemonic " %[bit], %[value]" RS_SAVE_FLAGS \
        : [value] "+r"(value), "+&a"(flags)                      \
        : [bit] "r"(bit)                                         \
        : "cc");                                                 \
    return value;                                                \
  }
RINGSHIFT_BIT_TEST(bit_bt, "bt")
RINGSHIFT_BIT_TEST(bit_bts, "bts")
RINGSHIFT_BIT_TEST(bit_btr, "btr")
RINGSHIFT_BIT_TEST(bit_btc, "btc")
#undef RINGSHIFT_BIT_TEST

template <class T>
using BitTest = T (*)(T, T, FlagsImage&);

// The operation is in bits 3-4 of the opcode (A3 AB B3 BB), or of ModRM (0F BA /4 to /7).
template <class T>
constexpr BitTest<T> kBitTests[4] = {bit_bt<T>, bit_bts<T>, bit_btr<T>, bit_btc<T>};

template <class T>
Outcome<> bit_test_as(Cpu& cpu, const Instruction& insn) {
  constexpr u32 kBits = sizeof(T) * 8;
  const bool by_immediate = insn.opcode == 0xba;
  const unsigned operation = ((by_immediate ? insn.modrm : insn.opcode) >> 3) & 3;
  const u32 index =
      by_immediate ? insn.immediate & (kBits - 1) : u32{read_register<T>(cpu.state, insn.modrm_reg())};
  const auto change = [&](T value) {
    FlagsImage flags = image_of_flags(cpu.state.rflags);
    value = kBitTests<T>[operation](value, static_cast<T>(index & (kBits - 1)), flags);
    set_flags(cpu.state, flags);
    return value;
  };
  if (!is_memory(insn, 0)) return modify_operand<T>(cpu, insn, 0, change);
  // A bit string: a register's index reaches beyond the operand, either way (SDM vol. 1 3.7.5 and BT).
  u32 offset = effective_address(cpu.state, insn);
  if (!by_immediate) {
    const i32 signed_index = sizeof(T) == 2 ? static_cast<i16>(index) : static_cast<i32>(index);
    offset += static_cast<u32>(signed_index >> (sizeof(T) == 2 ? 4 : 5)) * sizeof(T);
    if (insn.address_size == 2) offset &= 0xffff;
  }
  if (operation == 0) {
    change(RS_TRY(read_memory<T>(cpu, insn.segment, offset)));
    return {};
  }
  return modify_memory<T>(cpu, insn.segment, offset, change);
}

Outcome<> bit_test(Cpu& cpu, const Instruction& insn) {
  return insn.operand_size == 4 ? bit_test_as<u32>(cpu, insn) : bit_test_as<u16>(cpu, insn);
}

// BSF and BSR leave the destination as it was when the source is 0, as all hardware does.
#define RINGSHIFT_SCAN(name, mnemonic)                                    \
  template <class T>                                                      \
  T name(T destination, T source, FlagsImage& flags) {                    \
    asm(RS_LOAD_FLAGS mnemonic " %[source], %[destination]" RS_SAVE_FLAGS \
        : [destination] "+r"(destination), "+&a"(flags)                   \
        : [source] "r"(source)                                            \
        : "cc");                                                          \
    return destination;                                                   \
  }
RINGSHIFT_SCAN(scan_bsf, "bsf")
RINGSHIFT_SCAN(scan_bsr, "bsr")
RINGSHIFT_SCAN(count_ones, "popcnt")
#undef RINGSHIFT_SCAN

template <class T>
using Scan = T (*)(T, T, FlagsImage&);

template <class T>
Outcome<> scan_as(Cpu& cpu, const Instruction& insn, Scan<T> scan) {
  const T source = RS_TRY(read_operand<T>(cpu, insn, 1));
  const unsigned reg = insn.modrm_reg();
  FlagsImage flags = image_of_flags(cpu.state.rflags);
  const T result = scan(read_register<T>(cpu.state, reg), source, flags);
  write_register<T>(cpu.state, reg, result);
  set_flags(cpu.state, flags);
  return {};
}

Outcome<> bsf(Cpu& cpu, const Instruction& insn) {
  return insn.operand_size == 4 ? scan_as<u32>(cpu, insn, scan_bsf<u32>)
                                : scan_as<u16>(cpu, insn, scan_bsf<u16>);
}
Outcome<> bsr(Cpu& cpu, const Instruction& insn) {
  return insn.operand_size == 4 ? scan_as<u32>(cpu, insn, scan_bsr<u32>)
                                : scan_as<u16>(cpu, insn, scan_bsr<u16>);
}
Outcome<> popcnt(Cpu& cpu, const Instruction& insn) {
  return insn.operand_size == 4 ? scan_as<u32>(cpu, insn, count_ones<u32>)
                                : scan_as<u16>(cpu, insn, count_ones<u16>);
}

}  // namespace

void register_bit_operations(HandlerTable& table) {
  for (const ZydisMnemonic mnemonic :
       {ZYDIS_MNEMONIC_BT, ZYDIS_MNEMONIC_BTS, ZYDIS_MNEMONIC_BTR, ZYDIS_MNEMONIC_BTC})
    table.set(mnemonic, bit_test);
  table.set(ZYDIS_MNEMONIC_BSF, bsf);
  table.set(ZYDIS_MNEMONIC_BSR, bsr);
  table.set(ZYDIS_MNEMONIC_POPCNT, popcnt);
}

}  // namespace ringshift
