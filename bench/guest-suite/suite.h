// Row: one line of the suite: a piece of work that can be repeated, timed and checked.
#pragma once

#include <stdint.h>

struct row {
  const char* name;
  const char* group;  // rows of one group are averaged by vs-qemu
  // Does `count` rounds. What it returns depends on `count` only, so that every machine must agree on it.
  uint32_t (*run)(uint32_t count);
  uint32_t operations;  // in a round; the time that is printed is that of one operation
  uint32_t check;       // rounds of the run whose result is printed
};

// The rows of each file; the last has no name.
extern const struct row integer_rows[];
extern const struct row bytecode_rows[];
extern const struct row x87_rows[];
extern const struct row sse_rows[];
extern const struct row memory_rows[];
extern const struct row syscall_rows[];
extern const struct row process_rows[];
extern const struct row fault_rows[];
extern const struct row code_rows[];
extern const struct row serial_rows[];

// Ends the row with a message in the place of its figures; for what the system refuses.
_Noreturn void give_up(const char* why);

// Times a row for about `milliseconds` and prints its line:
//   row NAME GROUP NANOSECONDS CHECKSUM
// or "row NAME GROUP failed: WHY". Returns 0 if it was measured.
int measure(const struct row* row, unsigned milliseconds);

// What the program does as process 1: never returns.
_Noreturn void run_as_init(void);
// Runs the rows and groups named in a list with commas, and returns how many failed. "all" means all, but the
// serial row only in a guest of our own, whose console is nobody's terminal.
int run_rows(const char* list, int own_guest, unsigned milliseconds);
// Prints "NAME GROUP" of each row.
void list_rows(void);

// Keeps a value, and all memory, out of the compiler's sight.
#define HIDE(value) __asm__ volatile("" : "+g"(value) : : "memory")

static inline uint32_t mix(uint32_t sum, uint32_t value) {
  sum = (sum ^ value) * 0x9e3779b1u;
  return sum ^ (sum >> 15);
}

// A generator that is the same everywhere (xorshift32).
static inline uint32_t next_random(uint32_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}
