// Guest: three instructions, each after much else, that a translator with a seeded fault gets wrong
// (tests/lockstep): CMC, a read one byte past a segment's limit, and code patched by a single byte.
#include "runtime/runtime.h"

namespace {

constexpr u32 kRounds = 3000;
alignas(16) u8 g_data[512];

SNIPPET(seeded_limit, "movl 4(%esp), %ebx\n movl $0x30, %eax\n movl %eax, %fs", "movl %fs:(%ebx), %eax", "");
extern "C" u32 not_carry_of_doubled(u32 value);
extern "C" u32 patched();
extern "C" u8 seeded_smc_at[];
asm(R"(
        .globl  not_carry_of_doubled, seeded_flag_at, patched, seeded_smc_at
        .pushsection .text
not_carry_of_doubled:
        movl    4(%esp), %eax
        addl    %eax, %eax
seeded_flag_at:
        cmc
        movl    $0, %eax
        adcl    $0, %eax
        ret
        .popsection
        .pushsection .smc, "awx"
patched:
        xorl    %eax, %eax
        incl    %eax
seeded_smc_at:
        addl    $0x100, %eax
        ret
        .popsection
)");

void flag() {
  bool good = true;
  for (u32 i = 0; i < kRounds; ++i) good = good && not_carry_of_doubled(0x80000000 + i) == 0;
  check(good, "CMC with carry");
  check_equal(not_carry_of_doubled(5), 1, "CMC without carry");
}

void limit() {
  g_gdt[6] = make_descriptor(reinterpret_cast<u32>(g_data), 0xff, 0x93, 4);
  bool good = true;
  for (u32 i = 0; i < kRounds; ++i) good = good && !run(seeded_limit, i % 0xfd).any;
  check(good, "reads within the limit");
  check_caught(run(seeded_limit, 0xfd), 13, 0, seeded_limit_at, "#GP(0): one byte past the limit");
}

void patch() {
  bool good = true;
  volatile u32* const word = reinterpret_cast<u32*>(seeded_smc_at + 1);
  for (u32 i = 0; i < kRounds; ++i) {
    *word = i;
    good = good && patched() == i + 1;
  }
  check(good, "patched words");
  *word = 0x1234;
  check_equal(patched(), 0x1235, "patched word");
  // The opcode: an operand that is patched so often may be one that translated code reads in place.
  *reinterpret_cast<volatile u8*>(seeded_smc_at) = 0x2d;  // SUB
  check_equal(patched(), 1 - 0x1234u, "patched byte");
}

}  // namespace

void guest_main() {
  flag();
  limit();
  patch();
  finish();
}
