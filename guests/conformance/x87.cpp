// Guest: x87 and MMX: exceptions, FSW, FCW, FTW, environment images, MMX aliasing, CR0.NE (SDM vol. 1 8, 9;
// 3A 13.2).
#include "runtime/pic.h"

namespace {

enum Status : u32 {
  kIe = 1,
  kDe = 2,
  kZe = 4,
  kOe = 8,
  kUe = 0x10,
  kPe = 0x20,
  kSf = 0x40,
  kEs = 0x80,
  kC1 = 0x200,
  kBusy = 0x8000
};
constexpr u32 kMp = 2, kEm = 4, kTs = 8, kNe = 0x20;

}  // namespace

extern "C" {
alignas(16) u8 g_x87_image[128];
u16 g_x87_word;
float g_x87_single;
double g_x87_double, g_x87_tiny, g_x87_huge;
u32 g_x87_parts[4];
}

namespace {

// Runs FNINIT, then code; returns FSW.
#define X87(code)                                                            \
  ([] {                                                                      \
    u32 status;                                                              \
    asm volatile("fninit\n" code "\n fnstsw %%ax\n movzwl %%ax, %0\n fninit" \
                 : "=r"(status)::"eax", "memory");                           \
    return status;                                                           \
  }())

void test_flags() {
  check_equal(X87(""), 0, "FNINIT clears FSW");
  check_equal(X87("fnstcw g_x87_word") + g_x87_word, 0x37f, "FNINIT sets FCW to 037F");
  check_equal(X87("fld1\n fldz\n fdivrp") & 0x3f, kZe, "1/0: ZE");
  check_equal(X87("fldz\n fldz\n fdivrp") & 0x3f, kIe, "0/0: IE");
  check_equal(X87("fld1\n fchs\n fsqrt") & 0x7f, kIe, "square root of -1: IE, no SF");
  check_equal(X87("fstp %%st(0)") & (kIe | kSf | kC1), kIe | kSf, "stack underflow: IE, SF, C1 clear");
  check_equal(X87("fld1\n fld1\n fld1\n fld1\n fld1\n fld1\n fld1\n fld1\n fld1") & (kIe | kSf | kC1),
              kIe | kSf | kC1, "stack overflow: IE, SF, C1 set");
  check_equal(X87("fldl g_x87_huge\n fmull g_x87_huge\n fstps g_x87_single") & 0x3f, kOe | kPe,
              "overflow: OE, PE");
  check_equal(X87("fldl g_x87_tiny\n fstps g_x87_single") & 0x3f, kUe | kPe, "underflow: UE, PE");
  check_equal(X87("movl $1, g_x87_single\n flds g_x87_single") & 0x3f, kDe, "a denormal operand: DE");
  check_equal(X87("fld1\n fldpi\n fdivrp\n fstps g_x87_single") & 0x3f, kPe, "an inexact result: PE");
  check_equal(X87("fld1\n fld1\n faddp") & 0x3f, 0, "an exact result: nothing");
  check_equal(X87("fldl g_x87_huge\n fistpl g_x87_parts") & 0x3f, kIe, "an integer too large: IE");
  check_equal(g_x87_parts[0], 0x80000000, "which stores the indefinite integer");
  check_equal(X87("fld1\n fldz\n fdivrp\n fnclex") & 0x80ff, 0, "FNCLEX");
  check_equal(X87("fld1\n fld1\n fld1") >> 11 & 7, 5, "TOP after three loads");
  check_equal(X87("fdecstp") >> 11 & 7, 7, "FDECSTP");
  check_equal(X87("fincstp") >> 11 & 7, 1, "FINCSTP");
  check_equal(X87("fld1\n fldz\n fcompp") & 0x4700, 0x100, "FCOM: less sets C0");
  check_equal(X87("fldz\n fld1\n fcompp") & 0x4700, 0, "FCOM: greater clears all");
  check_equal(X87("fld1\n fld1\n fcompp") & 0x4700, 0x4000, "FCOM: equal sets C3");
  check_equal(X87("fldz\n fldz\n fdivrp\n fld1\n fucompp") & 0x4501, 0x4501, "FUCOM with NaN: unordered");
  check_equal(X87("fldz\n fld1\n fxam") & 0x4700, 0x400, "FXAM of 1: normal");
  check_equal(X87("fldz\n fchs\n fxam") & 0x4700, 0x4200, "FXAM of -0: zero, C1");
  check_equal(X87("fxam") & 0x4500, 0x4100, "FXAM of an empty register");
}

u32 unmasked(u16 mask) {
  g_x87_word = mask;
  return X87("fldcw g_x87_word\n fld1\n fldz\n fdivrp");
}

void test_unmasked() {
  check_equal(unmasked(0x37b) & (kEs | kBusy | kZe), kEs | kBusy | kZe,
              "an unmasked exception sets ES and B");
  check_equal(unmasked(0x37f) & (kEs | kBusy), 0, "a masked one doesn't");
  g_x87_word = 0x37b;
  check_equal(X87("fld1\n fldz\n fdivrp\n fldcw g_x87_word") & kEs, kEs,
              "FLDCW that unmasks a pending one sets ES");
  g_x87_word = 0x340;
  check_equal(X87("fldcw g_x87_word\n fnstcw g_x87_word") + g_x87_word, 0x340, "FCW is kept");
}

SNIPPET(divide_then_store, "fninit\n movw $0x37b, g_x87_word\n fldcw g_x87_word\n fld1\n fldz\n fdivrp\n nop",
        "fstpl g_x87_double", "fnclex\n fninit");
SNIPPET(divide_then_wait, "fninit\n movw $0x37b, g_x87_word\n fldcw g_x87_word\n fld1\n fldz\n fdivrp\n nop",
        "fwait", "fnclex\n fninit");
SNIPPET(divide_then_emms, "fninit\n movw $0x37b, g_x87_word\n fldcw g_x87_word\n fld1\n fldz\n fdivrp\n nop",
        "emms", "fnclex\n fninit");
SNIPPET(divide_then_control, "fninit\n movw $0x37b, g_x87_word\n fldcw g_x87_word\n fld1\n fldz\n fdivrp",
        "fnstcw g_x87_word\n fnstsw g_x87_word\n fnclex", "fwait\n fninit");
SNIPPET(restore_pending,
        "fninit\n movw $0x37b, g_x87_word\n fldcw g_x87_word\n fld1\n fldz\n fdivrp\n"
        "fnstenv g_x87_image\n fninit\n fldenv g_x87_image",
        "fwait", "fnclex\n fninit");
SNIPPET(invalid_then_load, "fninit\n movw $0x37e, g_x87_word\n fldcw g_x87_word\n fld1\n fchs\n fsqrt",
        "fld1", "fnclex\n fninit");

void test_traps() {
  const auto reset = [] { asm volatile("fnclex\n fninit"); };
  check_caught(run(divide_then_store), 16, 0, divide_then_store_at, "#MF at the next waiting instruction");
  reset();
  check_caught(run(divide_then_wait), 16, 0, divide_then_wait_at, "#MF at FWAIT");
  reset();
  check_caught(run(divide_then_emms), 16, 0, divide_then_emms_at, "#MF at an MMX instruction");
  reset();
  check_none(run(divide_then_control), "FNSTCW, FNSTSW and FNCLEX don't wait");
  check_caught(run(restore_pending), 16, 0, restore_pending_at, "FLDENV brings a pending exception back");
  reset();
  const Caught c = run(invalid_then_load);
  check_caught(c, 16, 0, invalid_then_load_at, "#MF of IE");
  u16 status;
  asm volatile("fnstsw %0" : "=m"(status));
  check_equal(status & (kEs | kIe), kEs | kIe, "FSW is kept for the handler");
  reset();
}

SNIPPET(x87_op, "", "fld1", "fstp %st(0)");
SNIPPET(wait_op, "", "fwait", "");
SNIPPET(mmx_op, "", "pxor %mm0, %mm0", "emms");

// SDM vol. 3A table 2-2: EM, MP and TS against x87, WAIT and MMX.
void test_availability() {
  static const char* const names[8][3] = {
      {"EM=0 MP=0 TS=0: x87", "EM=0 MP=0 TS=0: WAIT", "EM=0 MP=0 TS=0: MMX"},
      {"EM=0 MP=0 TS=1: x87", "EM=0 MP=0 TS=1: WAIT", "EM=0 MP=0 TS=1: MMX"},
      {"EM=0 MP=1 TS=0: x87", "EM=0 MP=1 TS=0: WAIT", "EM=0 MP=1 TS=0: MMX"},
      {"EM=0 MP=1 TS=1: x87", "EM=0 MP=1 TS=1: WAIT", "EM=0 MP=1 TS=1: MMX"},
      {"EM=1 MP=0 TS=0: x87", "EM=1 MP=0 TS=0: WAIT", "EM=1 MP=0 TS=0: MMX"},
      {"EM=1 MP=0 TS=1: x87", "EM=1 MP=0 TS=1: WAIT", "EM=1 MP=0 TS=1: MMX"},
      {"EM=1 MP=1 TS=0: x87", "EM=1 MP=1 TS=0: WAIT", "EM=1 MP=1 TS=0: MMX"},
      {"EM=1 MP=1 TS=1: x87", "EM=1 MP=1 TS=1: WAIT", "EM=1 MP=1 TS=1: MMX"}};
  const auto expect = [](const Caught& c, u32 vector, const char* at, const char* name) {
    if (vector == 0)
      check_none(c, name);
    else
      check_caught(c, vector, 0, at, name);
  };
  asm volatile("fninit");
  const u32 cr0 = read_cr0();
  for (u32 i = 0; i < 8; ++i) {
    const bool em = (i & 4) != 0, mp = (i & 2) != 0, ts = (i & 1) != 0;
    const u32 with = (cr0 & ~(kMp | kEm | kTs)) | kNe | (em ? kEm : 0) | (mp ? kMp : 0) | (ts ? kTs : 0);
    write_cr0(with);
    const Caught x = run(x87_op), w = run(wait_op), m = run(mmx_op);
    write_cr0(cr0 | kNe);
    expect(x, em || ts ? 7 : 0, x87_op_at, names[i][0]);
    expect(w, mp && ts ? 7 : 0, wait_op_at, names[i][1]);
    expect(m, em ? 6 : ts ? 7 : 0, mmx_op_at, names[i][2]);
  }
}

u32 image32(u32 index) { return *reinterpret_cast<volatile u32*>(g_x87_image + 4 * index); }
u32 image16(u32 index) { return *reinterpret_cast<volatile u16*>(g_x87_image + 2 * index); }

void test_images() {
  X87("fld1\n fldz\n fnstenv g_x87_image");
  check_equal(image32(0) & 0xffff, 0x37f, "FNSTENV: FCW");
  check_equal(image32(1) >> 11 & 7, 6, "FNSTENV: TOP");
  check_equal(image32(2) & 0xffff, 0x1fff, "FNSTENV: tags: ST0 zero, ST1 valid");
  X87("fld1\n data16 fnstenv g_x87_image");
  check_equal(image16(0), 0x37f, "FNSTENV of 16 bits: FCW");
  check_equal(image16(2), 0x3fff, "FNSTENV of 16 bits: tags");
  X87("fnstenv g_x87_image\n fnstcw g_x87_word");
  check_equal(g_x87_word & 0x3f, 0x3f, "FNSTENV masks all exceptions");
  X87("movw $0x340, g_x87_word\n fldcw g_x87_word\n fnstenv g_x87_image\n fldenv g_x87_image\n fnstcw "
      "g_x87_word");
  check_equal(g_x87_word, 0x340, "FLDENV");
  X87("fld1\n fldpi\n fnsave g_x87_image\n fnstsw g_x87_word");
  check_equal(g_x87_word, 0, "FNSAVE initialises");
  check(image32(7) == 0x2168c235 && image32(8) == 0xc90fdaa2, "FNSAVE: ST0 first");
  check_equal(g_x87_image[28 + 18] | g_x87_image[28 + 19] << 8, 0x3fff, "FNSAVE: then ST1");
  X87("frstor g_x87_image\n fstpl g_x87_double\n fstps g_x87_single");
  u32 single;
  memory_copy(&single, &g_x87_single, 4);
  check_equal(single, 0x3f800000, "FRSTOR");
  X87("fldpi\n fld1\n ffree %%st(0)\n fnstenv g_x87_image");
  check_equal(image32(2) & 0xffff, 0x3fff, "FFREE marks a register empty");
}

void test_rounding() {
  const auto round = [](u16 control) {
    g_x87_word = control;
    X87("fldcw g_x87_word\n flds g_x87_single\n fistpl g_x87_parts");
    return g_x87_parts[0];
  };
  const u32 two_and_half = 0x40200000, minus = 0xc0200000;
  memory_copy(&g_x87_single, &two_and_half, 4);
  check_equal(round(0x37f), 2, "2.5 to nearest even");
  check_equal(round(0x77f), 2, "2.5 down");
  check_equal(round(0xb7f), 3, "2.5 up");
  check_equal(round(0xf7f), 2, "2.5 to zero");
  memory_copy(&g_x87_single, &minus, 4);
  check_equal(round(0x77f), static_cast<u32>(-3), "-2.5 down");
  check_equal(round(0xf7f), static_cast<u32>(-2), "-2.5 to zero");
  const auto third = [](u16 control) {
    g_x87_word = control;
    X87("fldcw g_x87_word\n fld1\n fld1\n fld1\n faddp\n fld1\n faddp\n fdivrp\n fstpt g_x87_parts");
    return g_x87_parts[0];
  };
  check_equal(third(0x37f), 0xaaaaaaab, "1/3 in extended precision");
  check_equal(third(0x27f), 0xaaaaa800, "1/3 in double precision");
  check_equal(third(0x07f), 0, "1/3 in single precision");
}

void test_mmx() {
  const Requirement mmx(has_feature(kFeatureMmx), "no MMX");
  if (!skipping()) X87("fld1\n movl $0x12345678, %%eax\n movd %%eax, %%mm3\n fnsave g_x87_image");
  // Only MM7, which FLD1 has left in R7, MM3, and zeros: the tags are of the values, none is empty.
  u32 empty = 0;
  for (u32 i = 0; i < 8; ++i) empty += (image32(2) >> (2 * i) & 3) == 3;
  check_equal(empty, 0, "MMX sets all tags valid");
  check_equal(image32(1) >> 11 & 7, 0, "MMX sets TOP to 0");
  check_equal(*reinterpret_cast<u32*>(g_x87_image + 28 + 30), 0x12345678, "MMX writes the significand");
  check_equal(g_x87_image[28 + 38] | g_x87_image[28 + 39] << 8, 0xffff, "MMX sets the exponent to ones");
  if (!skipping()) X87("pxor %%mm0, %%mm0\n emms\n fnstenv g_x87_image");
  check_equal(image32(2) & 0xffff, 0xffff, "EMMS empties all");
}

u32 g_fpu_interrupts;
// With CR0.NE = 0 the error goes out by FERR# to IRQ 13, and port F0h clears it (SDM vol. 1 8.7.2).
void test_ferr() {
  const Requirement survivable(!on_tcg(), "QEMU's TCG aborts");
  start_pics();
  set_handler([](Frame& frame) {
    if (frame.vector != kPicVectors + 13) return false;
    ++g_fpu_interrupts;
    out8(0xf0, 0);
    asm volatile("fnclex");
    end_of_interrupt(13);
    return true;
  });
  write_cr0(read_cr0() & ~kNe);
  out8(0x21, 0xfb);
  out8(0xa1, 0xdf);
  const auto fail = [](u32) {
    asm volatile(
        "fninit\n movw $0x37b, g_x87_word\n fldcw g_x87_word\n sti\n fld1\n fldz\n fdivrp\n fwait\n"
        "nop\n nop\n cli\n fnclex\n fninit" ::
            : "memory");
  };
  check_none(run(fail), "CR0.NE = 0: no #MF");
  check_equal(g_fpu_interrupts, 1, "CR0.NE = 0: IRQ 13 once");
  run(fail);
  check_equal(g_fpu_interrupts, 2, "CR0.NE = 0: IRQ 13 for the next error");
  write_cr0(read_cr0() | kNe);
  out8(0x21, 0xff);
  out8(0xa1, 0xff);
  set_handler(nullptr);
}

}  // namespace

void guest_main() {
  const u32 huge[2] = {0, 0x7fe00000}, tiny[2] = {0x11111111, 0x00111111};
  memory_copy(&g_x87_huge, huge, 8);
  memory_copy(&g_x87_tiny, tiny, 8);
  write_cr0((read_cr0() & ~(kEm | kTs)) | kNe | kMp);
  test_flags();
  test_unmasked();
  test_traps();
  test_availability();
  test_images();
  test_rounding();
  test_mmx();
  test_ferr();
}
