// era-native: those rows of era-bench that need no kernel of its own, as a 32-bit program of the host.
//
// The rows' files are era-bench's, compiled with the same options; only what they stand on is another
// (include/). Stands on Linux's system calls alone, so that no 32-bit C library is needed: era-native 'ms=20
// rows=loop'.
#include "era-bench/ops.h"
#include "era-bench/output.h"
#include "era-bench/rows.h"
#include "era-bench/sampler.h"
#include "era-bench/user.h"
#include "runtime/cpu.h"

namespace {

// Linux's numbers for i386 (arch/x86/entry/syscalls/syscall_32.tbl).
constexpr u32 kExit = 1, kWrite = 4, kMmap = 90, kClock = 265;

u32 host_call(u32 number, u32 first, u32 second = 0, u32 third = 0) {
  u32 result;
  asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third) : "memory");
  return result;
}

u32 g_tsc_khz;

u32 microseconds() {
  struct {
    u32 seconds, nanoseconds;
  } now = {};
  constexpr u32 kMonotonic = 1;
  host_call(kClock, kMonotonic, reinterpret_cast<u32>(&now));
  return now.seconds * 1000000 + now.nanoseconds / 1000;
}

// The least of five, as a wait that was interrupted counts too much; one that took long is none. 32 bits hold
// the cycles of a tenth of a second.
u32 measure_tsc_khz() {
  constexpr u32 kLength = 10000, kTooLong = 100000;
  u32 least = 0xffffffff;
  for (int good = 0; good < 5;) {
    const u64 begin = read_tsc();
    const u32 from = microseconds();
    u32 now = from;
    while (now - from < kLength) now = microseconds();
    const u32 cycles = static_cast<u32>(read_tsc() - begin), taken = now - from;
    if (taken > kTooLong) continue;
    ++good;
    const u32 khz = cycles / taken * 1000 + cycles % taken * 1000 / taken;
    if (khz < least) least = khz;
  }
  return least;
}

// old_mmap's arguments lie in memory.
bool map_heap() {
  constexpr u32 kReadWrite = 3, kPrivateFixedAnonymousPopulated = 0x8032;
  u32 arguments[6] = {kHeap, kHeapBytes, kReadWrite, kPrivateFixedAnonymousPopulated, 0xffffffff, 0};
  return host_call(kMmap, reinterpret_cast<u32>(arguments)) == kHeap;
}

bool is(const char* a, const char* b) {
  while (*a == *b && *a != 0) ++a, ++b;
  return *a == *b;
}

void run_family(const Options& options, Family family) {
  for (u32 i = 0; i < family.count; ++i) {
    const Row& row = family.rows[i];
    if (!is_wanted(options, row.name)) continue;
    g_sampler.start(u64{options.ms} * ops::tsc_khz());
    const char* reason = is(row.name, "cli-sti") ? "a program may not change IF" : row.run(options);
    if (reason != nullptr)
      report_text(row.name, "skip", reason);
    else
      report(row.name, g_sampler);
  }
}

}  // namespace

namespace ops {

void write(const char* text) {
  u32 length = 0;
  while (text[length] != 0) ++length;
  host_call(kWrite, 1, reinterpret_cast<u32>(text), length);
}

void end(bool good) {
  for (;;) host_call(kExit, good ? 0 : 1);
}

u32 tsc_khz() { return g_tsc_khz; }

}  // namespace ops

// stack: the number of arguments, then pointers to them.
extern "C" [[noreturn]] void native_main(const u32* stack) {
  const Options options = read_options(stack[0] > 1 ? reinterpret_cast<const char*>(stack[2]) : "");
  if (!map_heap()) panic("no memory at 40000000h");
  g_tsc_khz = measure_tsc_khz();
  ops::write("# era-bench, interface ");
  ops::write(ops::kInterface);
  ops::write("\n");
  report_fact("tsc-khz", ops::tsc_khz());
  report_fact("ms", options.ms);
  run_family(options, basic_rows());
  run_family(options, compute_rows());
  ops::write("era done\n");
  ops::end(!anything_failed());
}

// The ABI aligns the stack to 16 before a call; programs have no return address at their entry.
asm(R"(
        .globl  _start
_start:
        movl    %esp, %eax
        andl    $-16, %esp
        subl    $12, %esp
        pushl   %eax
        call    native_main
)");
