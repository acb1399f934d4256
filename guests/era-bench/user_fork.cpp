// Programs that make processes: forkwait, and a load like a build's.
#include "era-bench/user.h"

namespace {

constexpr u32 kWrittenPages = 32;  // of the parent, before it forks
constexpr u32 kSourceBytes = 16 << 10, kScratchPages = 24, kLinesOfWork = 8;

[[gnu::always_inline]] inline void write_pages(u32 linear, u32 pages) {
  for (u32 i = 0; i < pages; ++i) *reinterpret_cast<volatile u32*>(linear + i * kPage) = i;
}

[[noreturn, gnu::always_inline]] inline void leave(u32 value) {
  system_call(kExit, value);
  __builtin_unreachable();
}

// FNV-1a over the words of the text, as a compiler's symbol table would.
[[gnu::always_inline]] inline u32 hash_words(const u8* text, u32 bytes) {
  u32 total = 0, hash = 2166136261;
  for (u32 i = 0; i < bytes; ++i) {
    if (text[i] == ' ') {
      total += hash;
      hash = 2166136261;
    } else {
      hash = (hash ^ text[i]) * 16777619;
    }
  }
  return total + hash;
}

// One "compiler": reads its source, counts on scratch memory, writes its output, with system calls all along.
[[noreturn]] void compile(u32 job) {
  u8* source = reinterpret_cast<u8*>(kHeap + (1 << 20));
  u32 sum = job;
  system_call(kRead, reinterpret_cast<u32>(source), kSourceBytes);
  for (u32 line = 0; line < kLinesOfWork; ++line) {
    sum = sum * 33 + hash_words(source + line * (kSourceBytes / kLinesOfWork), kSourceBytes / kLinesOfWork);
    write_pages(kHeap + (2 << 20) + line * (kScratchPages / kLinesOfWork) * kPage,
                kScratchPages / kLinesOfWork);
    for (u32 i = 0; i < 4; ++i) system_call(kNothing);
    system_call(kYield);
  }
  for (u32 i = 0; i < kPage; ++i) source[i] = static_cast<u8>(source[i] + sum);  // "object code"
  leave(sum ^ system_call(kWrite, reinterpret_cast<u32>(source), kPage));
}

}  // namespace

// The paper's forkwait: fork, the child exits at once, wait; 40,000 times there.
u32 user_forkwait(u32 forks) {
  write_pages(kHeap, kWrittenPages);
  for (u32 i = 0; i < forks; ++i) {
    const u64 begin = user_tsc();
    if (system_call(kFork) == 0) leave(i);
    if (system_call(kWait) != i) return 1;
    system_call(kSample, user_cycles_since(begin));
  }
  return 0;
}

// Two jobs at a time, as make -j2. A sample is of both.
u32 user_mixed(u32 jobs) {
  u32 sum = 0;
  write_pages(kHeap, kWrittenPages);
  for (u32 job = 0; job < jobs; job += 2) {
    const u64 begin = user_tsc();
    if (system_call(kFork) == 0) compile(job);
    if (system_call(kFork) == 0) compile(job + 1);
    sum += system_call(kWait);
    sum += system_call(kWait);
    system_call(kSample, user_cycles_since(begin));
  }
  return sum;
}
