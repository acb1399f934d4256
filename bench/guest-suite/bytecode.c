// Bytecode row: a small threaded interpreter, whose every instruction is an indirect jump.
#include "suite.h"

enum op {
  op_set,
  op_add,
  op_shift_right,
  op_triple_and_one,
  op_test_odd,
  op_less,
  op_jump,
  op_count,
  op_end
};

struct code {
  uint8_t op, a, b;
  int8_t to;
};

// The longest Collatz chain among the numbers from 1 to 300.
static const struct code kProgram[] = {
    {op_set, 0, 1, 0},             // 0: n = 1
    {op_set, 3, 0, 0},             // 1: longest = 0
    {op_add, 1, 0, 0},             // 2: x = n (register 1 is zero here)
    {op_set, 2, 0, 0},             // 3: length = 0
    {op_test_odd, 1, 0, 7},        // 4: if x is odd go to 7
    {op_shift_right, 1, 0, 0},     // 5: x = x / 2
    {op_jump, 0, 0, 8},            // 6:
    {op_triple_and_one, 1, 0, 0},  // 7: x = 3 x + 1
    {op_count, 2, 0, 0},           // 8: length = length + 1
    {op_less, 4, 1, 4},            // 9: if 1 < x go to 4 (register 4 is one)
    {op_less, 2, 3, 13},           // 10: if length < longest go to 13
    {op_set, 3, 0, 0},             // 11: longest = 0
    {op_add, 3, 2, 0},             // 12: longest += length
    {op_set, 1, 0, 0},             // 13: x = 0
    {op_count, 0, 0, 0},           // 14: n = n + 1
    {op_less, 0, 5, 2},            // 15: if n < limit go to 2
    {op_end, 3, 0, 0},             // 16:
};

static __attribute__((noinline)) uint32_t interpret(const struct code* program) {
  static const void* const kLabels[] = {&&set,  &&add,   &&shift_right, &&triple_and_one, &&test_odd, &&less,
                                        &&jump, &&count, &&end};
  uint32_t registers[8] = {0, 0, 0, 0, 1, 301, 0, 0};
  const struct code* at = program;
#define NEXT goto* kLabels[at->op]
  NEXT;
set:
  registers[at->a] = at->b, ++at;
  NEXT;
add:
  registers[at->a] += registers[at->b], ++at;
  NEXT;
shift_right:
  registers[at->a] >>= 1, ++at;
  NEXT;
triple_and_one:
  registers[at->a] = 3 * registers[at->a] + 1, ++at;
  NEXT;
test_odd:
  at = registers[at->a] & 1 ? program + at->to : at + 1;
  NEXT;
less:
  at = registers[at->a] < registers[at->b] ? program + at->to : at + 1;
  NEXT;
jump:
  at = program + at->to;
  NEXT;
count:
  ++registers[at->a], ++at;
  NEXT;
end:
  return registers[at->a];
#undef NEXT
}

static uint32_t bytecode(uint32_t count) {
  uint32_t longest = 0;
  while (count--) {
    const struct code* program = kProgram;
    HIDE(program);
    longest = interpret(program);
  }
  return longest;
}

const struct row bytecode_rows[] = {{"bytecode", "indirect", bytecode, 1, 1}, {0}};
