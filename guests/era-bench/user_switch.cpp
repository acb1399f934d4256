// Two programs that hand the CPU to each other, and touch their memory in between.
#include "era-bench/user.h"

namespace {

constexpr u32 kLine = 64;

// One word of each cache line; volatile, so that it is read.
[[gnu::always_inline]] inline void touch(u32 bytes) {
  for (u32 at = 0; at < bytes; at += kLine) *reinterpret_cast<volatile u32*>(kHeap + at);
}

}  // namespace

// A pass is there and back: two switches.
u32 user_switch(u32 bytes) {
  user_sample([bytes] {
    touch(bytes);
    system_call(kYield);
  });
  return 0;
}

// Until it is the only one.
u32 user_partner(u32 bytes) {
  for (;;) {
    touch(bytes);
    if (system_call(kYield) == 0) return 0;
  }
}
