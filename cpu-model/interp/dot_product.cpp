// DPPS and DPPD step by step.
#include "cpu-model/interp/dot_product.h"

#include <cstring>

#include "cpu-model/interp/fx_image.h"

namespace ringshift {

namespace {

using Floats = float __attribute__((vector_size(16)));
using Doubles = double __attribute__((vector_size(16)));

// One host instruction, `a op b`, under this MXCSR; what it raises.
#define RS_STEP(instruction)                                             \
  u32 before, after;                                                     \
  asm volatile("stmxcsr %[before]\n\tldmxcsr %[mxcsr]\n\t" instruction   \
               " %[b], %[a]\n\tstmxcsr %[after]\n\tldmxcsr %[before]"    \
               : [a] "+x"(a), [before] "=m"(before), [after] "=m"(after) \
               : [b] "x"(b), [mxcsr] "m"(mxcsr));                        \
  return after & kMxcsrExceptions
struct Multiply {
  static u32 run(Floats& a, Floats b, u32 mxcsr) { RS_STEP("mulps"); }
  static u32 run(Doubles& a, Doubles b, u32 mxcsr) { RS_STEP("mulpd"); }
};
struct Add {
  static u32 run(Floats& a, Floats b, u32 mxcsr) { RS_STEP("addps"); }
  static u32 run(Doubles& a, Doubles b, u32 mxcsr) { RS_STEP("addpd"); }
};
#undef RS_STEP

// The steps so far: their flags, and whether an unmasked one has ended the instruction.
class Steps {
 public:
  explicit Steps(u32 mxcsr) : mxcsr_(mxcsr), masked_((mxcsr & ~kMxcsrExceptions) | kMxcsrMasks) {}
  // a = a op b. False: that was the last step.
  template <class Operation, class Vector>
  bool step(Vector& a, Vector b) {
    Vector flushed = a;
    u32 raised = Operation::run(a, b, masked_);
    // Unmasked, underflow counts exact tiny results as well (SDM vol. 1 11.5.2.5): flush-to-zero shows them.
    if ((mxcsr_ & (kMxcsrUnderflow << 7)) == 0)
      raised |= Operation::run(flushed, b, masked_ | kMxcsrFlushToZero) & kMxcsrUnderflow;
    raised_ |= reported_exceptions(raised, mxcsr_);
    return (raised & ~(mxcsr_ >> 7)) == 0;
  }
  u32 raised() const { return raised_; }

 private:
  u32 mxcsr_, masked_;
  u32 raised_ = 0;
};

template <class Vector>
Vector load(const u8* bytes) {
  Vector vector;
  std::memcpy(&vector, bytes, sizeof vector);
  return vector;
}

}  // namespace

u32 dot_product_exceptions(bool is_double, const u8* first, const u8* second, u8 selection, u32 mxcsr) {
  Steps steps(mxcsr);
  if (is_double) {
    auto a = load<Doubles>(first), b = load<Doubles>(second);
    for (int i = 0; i < 2; ++i)
      if (((selection >> (4 + i)) & 1) == 0) a[i] = b[i] = 0;
    if (steps.step<Multiply>(a, b)) {
      Doubles low{a[0], 0}, high{a[1], 0};
      steps.step<Add>(low, high);
    }
    return steps.raised();
  }
  auto a = load<Floats>(first), b = load<Floats>(second);
  for (int i = 0; i < 4; ++i)
    if (((selection >> (4 + i)) & 1) == 0) a[i] = b[i] = 0;
  if (!steps.step<Multiply>(a, b)) return steps.raised();
  Floats even{a[0], a[2], 0, 0}, odd{a[1], a[3], 0, 0};
  if (!steps.step<Add>(even, odd)) return steps.raised();
  Floats low{even[0], 0, 0, 0}, high{even[1], 0, 0, 0};
  steps.step<Add>(low, high);
  return steps.raised();
}

}  // namespace ringshift
