// Guest: SSE: availability, MXCSR, #XM, alignment, FXSAVE's layout, denormals (SDM vol. 1 10, 11; 3A 14).
#include "runtime/runtime.h"

namespace {

constexpr u32 kMp = 2, kEm = 4, kTs = 8, kNe = 0x20, kOsFxsr = 0x200, kOsXmmExcpt = 0x400;
constexpr u32 kMasked = 0x1f80;
enum Flag : u32 { kIe = 1, kDe = 2, kZe = 4, kOe = 8, kUe = 0x10, kPe = 0x20 };

}  // namespace

extern "C" {
alignas(16) u8 g_sse_image[544];
alignas(16) u32 g_sse_a[4], g_sse_b[4], g_sse_result[4];
u32 g_sse_csr;
}

namespace {

// a op b of scalars under an MXCSR; returns MXCSR's flags.
#define SCALAR(op)                                                                      \
  [](u32 a, u32 b, u32 csr) {                                                           \
    g_sse_a[0] = a;                                                                     \
    g_sse_b[0] = b;                                                                     \
    g_sse_csr = csr;                                                                    \
    asm volatile("ldmxcsr g_sse_csr\n movss g_sse_a, %%xmm0\n " op                      \
                 " g_sse_b, %%xmm0\n movss %%xmm0, g_sse_result\n stmxcsr g_sse_csr" :: \
                     : "memory");                                                       \
    const u32 flags = g_sse_csr & 0x3f;                                                 \
    g_sse_csr = kMasked;                                                                \
    asm volatile("ldmxcsr g_sse_csr");                                                  \
    return flags;                                                                       \
  }

constexpr u32 kOne = 0x3f800000, kThree = 0x40400000, kTiny = 0x00800000, kDenormal = 0x00000001,
              kMax = 0x7f7fffff, kSignalling = 0x7f800001, kQuiet = 0x7fc00001;

void test_flags() {
  const auto div = SCALAR("divss");
  const auto mul = SCALAR("mulss");
  const auto add = SCALAR("addss");
  const auto sqrt = SCALAR("sqrtss");
  const auto ucomi = SCALAR("ucomiss");
  const auto comi = SCALAR("comiss");
  check_equal(div(kOne, 0, kMasked), kZe, "1/0: ZE");
  check_equal(g_sse_result[0], 0x7f800000, "1/0 is infinite");
  check_equal(div(0, 0, kMasked), kIe, "0/0: IE");
  check_equal(g_sse_result[0], 0xffc00000, "0/0 is the indefinite NaN");
  check_equal(mul(kMax, kMax, kMasked), kOe | kPe, "overflow: OE, PE");
  check_equal(mul(kTiny, kTiny, kMasked), kUe | kPe, "underflow: UE, PE");
  check_equal(div(kOne, kThree, kMasked), kPe, "inexact: PE");
  check_equal(g_sse_result[0], 0x3eaaaaab, "1/3 to nearest");
  check_equal(div(kOne, kThree, kMasked | 0x2000) + g_sse_result[0] - kPe, 0x3eaaaaaa, "1/3 down");
  check_equal(div(kOne, kThree, kMasked | 0x4000) + g_sse_result[0] - kPe, 0x3eaaaaab, "1/3 up");
  check_equal(div(kOne, kThree, kMasked | 0x6000) + g_sse_result[0] - kPe, 0x3eaaaaaa, "1/3 to zero");
  check_equal(add(kDenormal, kOne, kMasked), kDe | kPe, "a denormal operand: DE");
  check_equal(add(kSignalling, kOne, kMasked), kIe, "a signalling NaN: IE");
  check_equal(g_sse_result[0], kSignalling | 0x400000, "which becomes quiet");
  check_equal(add(kQuiet, kOne, kMasked), 0, "a quiet NaN: nothing");
  check_equal(sqrt(0, kOne | 0x80000000, kMasked), kIe, "square root of -1: IE");
  check_equal(ucomi(kQuiet, kOne, kMasked), 0, "UCOMISS of a quiet NaN: nothing");
  check_equal(comi(kQuiet, kOne, kMasked), kIe, "COMISS of a quiet NaN: IE");
  check_equal(mul(kTiny, 0x3f000000, kMasked | 0x8000), kUe | kPe, "FTZ: UE, PE");
  check_equal(g_sse_result[0], 0, "FTZ: the result is zero");
  mul(kTiny, 0x3f000000, kMasked);
  check_equal(g_sse_result[0], 0x00400000, "without FTZ it is denormal");
  check_equal(add(kOne, kOne, kMasked | kIe), kIe, "flags are sticky");
  asm volatile("fxsave g_sse_image" ::: "memory");
  const u32 mask = *reinterpret_cast<u32*>(g_sse_image + 28);
  const Requirement daz((mask & 0x40) != 0, "no DAZ");
  check_equal(skipping() ? 0 : add(kDenormal, 0, kMasked | 0x40), 0, "DAZ: no DE");
  check_equal(g_sse_result[0], 0, "DAZ: the operand is zero");
}

SNIPPET(divide_by_zero,
        "movl 4(%esp), %eax\n movl %eax, g_sse_csr\n ldmxcsr g_sse_csr\n xorps %xmm1, %xmm1\n"
        " movss g_sse_a, %xmm0",
        "divss %xmm1, %xmm0", "");
SNIPPET(flag_then_unmask, "movl $0x1d84, g_sse_csr", "ldmxcsr g_sse_csr", "addss %xmm2, %xmm2");
SNIPPET(bad_csr, "movl 4(%esp), %eax\n movl %eax, g_sse_csr", "ldmxcsr g_sse_csr", "");
SNIPPET(movaps_at, "movl 4(%esp), %ebx", "movaps (%ebx), %xmm0", "");
SNIPPET(movups_at, "movl 4(%esp), %ebx", "movups (%ebx), %xmm0", "");
SNIPPET(addps_at, "movl 4(%esp), %ebx", "addps (%ebx), %xmm2", "");
SNIPPET(movntps_at, "movl 4(%esp), %ebx", "movntps %xmm0, (%ebx)", "");
SNIPPET(movss_at, "movl 4(%esp), %ebx", "movss (%ebx), %xmm0", "");
SNIPPET(fxsave_at, "movl 4(%esp), %ebx", "fxsave (%ebx)", "");
SNIPPET(fxrstor_at, "movl 4(%esp), %ebx", "fxrstor (%ebx)", "");
SNIPPET(xorps_op, "", "xorps %xmm0, %xmm0", "");
SNIPPET(stmxcsr_op, "", "stmxcsr g_sse_csr", "");
SNIPPET(prefetch_op, "", "prefetcht0 0", "");
SNIPPET(sfence_op, "", "sfence", "");
SNIPPET(movnti_op, "movl $0x5a5a, %eax", ".byte 0x0f, 0xc3, 0x05\n .long g_sse_result", "");
SNIPPET(fxsave_op, "", "fxsave g_sse_image", "");

void reset() {
  g_sse_csr = kMasked;
  asm volatile("ldmxcsr g_sse_csr");
}

void test_traps() {
  g_sse_a[0] = kOne;
  asm volatile("xorps %xmm2, %xmm2");
  check_caught(run(divide_by_zero, 0x1d80), 19, 0, divide_by_zero_at, "#XM: ZE unmasked");
  asm volatile("stmxcsr g_sse_csr" ::: "memory");
  check_equal(g_sse_csr, 0x1d84, "#XM: MXCSR has the flag");
  float xmm0;
  asm volatile("movss %%xmm0, %0" : "=m"(xmm0));
  u32 bits;
  memory_copy(&bits, &xmm0, 4);
  check_equal(bits, kOne, "#XM: the register is as before");
  reset();
  check_none(run(divide_by_zero, 0x1f80), "ZE masked");
  check_none(run(flag_then_unmask), "LDMXCSR that unmasks a flag raises nothing");
  reset();
  write_cr4(read_cr4() & ~kOsXmmExcpt);
  check_caught(run(divide_by_zero, 0x1d80), 6, 0, divide_by_zero_at, "#UD for #XM without OSXMMEXCPT");
  write_cr4(read_cr4() | kOsXmmExcpt);
  reset();
  check_caught(run(bad_csr, 0x00010000), 13, 0, bad_csr_at, "#GP(0): LDMXCSR with bit 16");
  check_caught(run(bad_csr, 0x80001f80), 13, 0, bad_csr_at, "#GP(0): LDMXCSR with bit 31");
  asm volatile("fxsave g_sse_image" ::: "memory");
  g_sse_image[27] = 0x80;
  check_caught(run(fxrstor_at, reinterpret_cast<u32>(g_sse_image)), 13, 0, fxrstor_at_at,
               "#GP(0): FXRSTOR with MXCSR's reserved bits");
  g_sse_image[27] = 0;
  reset();
}

void test_alignment() {
  const u32 odd = reinterpret_cast<u32>(g_sse_image) + 4;
  check_caught(run(movaps_at, odd), 13, 0, movaps_at_at, "#GP(0): MOVAPS");
  check_none(run(movups_at, odd), "MOVUPS");
  check_none(run(movss_at, odd + 1), "MOVSS");
  check_caught(run(addps_at, odd), 13, 0, addps_at_at, "#GP(0): ADDPS");
  check_caught(run(movntps_at, odd), 13, 0, movntps_at_at, "#GP(0): MOVNTPS");
  check_caught(run(fxsave_at, odd + 4), 13, 0, fxsave_at_at, "#GP(0): FXSAVE");
  check_caught(run(fxrstor_at, odd + 4), 13, 0, fxrstor_at_at, "#GP(0): FXRSTOR");
}

// SDM vol. 3A table 14-1: CR0.EM, CR0.TS and CR4.OSFXSR.
void test_availability() {
  const u32 cr0 = read_cr0();
  write_cr0(cr0 | kEm);
  check_caught(run(xorps_op), 6, 0, xorps_op_at, "#UD: SSE with EM");
  check_none(run(prefetch_op), "PREFETCH with EM");
  check_none(run(sfence_op), "SFENCE with EM");
  check_caught(run(fxsave_op), 7, 0, fxsave_op_at, "#NM: FXSAVE with EM");
  write_cr0(cr0 | kTs);
  check_caught(run(xorps_op), 7, 0, xorps_op_at, "#NM: SSE with TS");
  check_caught(run(stmxcsr_op), 7, 0, stmxcsr_op_at, "#NM: STMXCSR with TS");
  check_caught(run(fxsave_op), 7, 0, fxsave_op_at, "#NM: FXSAVE with TS");
  check_none(run(prefetch_op), "PREFETCH with TS");
  {
    const Requirement sse2(has_feature(kFeatureSse2), "no SSE2");
    check_none(run(movnti_op), "MOVNTI with TS");
    check_equal(g_sse_result[0], 0x5a5a, "MOVNTI stores");
  }
  write_cr0(cr0 | kTs | kEm);
  check_caught(run(xorps_op), 6, 0, xorps_op_at, "#UD: SSE with EM and TS");
  write_cr0(cr0);
  write_cr4(read_cr4() & ~kOsFxsr);
  check_caught(run(xorps_op), 6, 0, xorps_op_at, "#UD: SSE without OSFXSR");
  check_caught(run(stmxcsr_op), 6, 0, stmxcsr_op_at, "#UD: STMXCSR without OSFXSR");
  check_none(run(fxsave_op), "FXSAVE without OSFXSR");
  write_cr4(read_cr4() | kOsFxsr);
}

u32 image32(u32 at) { return *reinterpret_cast<volatile u32*>(g_sse_image + at); }
u32 image16(u32 at) { return *reinterpret_cast<volatile u16*>(g_sse_image + at); }

void test_image() {
  g_sse_a[0] = 0x11111111;
  g_sse_a[3] = 0x44444444;
  memory_set(g_sse_image, 0xa5, sizeof g_sse_image);
  asm volatile("fninit\n fld1\n fldpi\n movaps g_sse_a, %%xmm5\n fxsave g_sse_image" ::: "memory");
  check_equal(image16(0), 0x37f, "FXSAVE: FCW");
  check_equal(image16(2) >> 11 & 7, 6, "FXSAVE: TOP");
  check_equal(g_sse_image[4], 0xc0, "FXSAVE: one tag bit a register");
  check_equal(image32(24), kMasked, "FXSAVE: MXCSR");
  check_equal(image32(28) & 0xffbf, 0xffbf, "FXSAVE: MXCSR_MASK");
  check(image32(32) == 0x2168c235 && image32(36) == 0xc90fdaa2, "FXSAVE: ST0's significand");
  check_equal(image16(40), 0x4000, "FXSAVE: ST0's exponent");
  check_equal(image16(56), 0x3fff, "FXSAVE: ST1's exponent");
  check_equal(image32(160 + 5 * 16), 0x11111111, "FXSAVE: XMM5");
  check_equal(image32(160 + 5 * 16 + 12), 0x44444444, "FXSAVE: XMM5's last word");
  check_equal(image32(288), 0xa5a5a5a5, "FXSAVE leaves the place of XMM8");
  check_equal(image32(512), 0xa5a5a5a5, "FXSAVE ends after 512 bytes");
  asm volatile("fninit\n xorps %%xmm5, %%xmm5\n fxrstor g_sse_image\n movaps %%xmm5, g_sse_result" ::
                   : "memory");
  check(g_sse_result[0] == 0x11111111 && g_sse_result[3] == 0x44444444, "FXRSTOR: XMM5");
  u16 status;
  asm volatile("fnstsw %0" : "=m"(status));
  check_equal(status >> 11 & 7, 6, "FXRSTOR: TOP");
  g_sse_image[4] = 0;  // all empty
  asm volatile("fxrstor g_sse_image\n fnstenv g_sse_image+64" ::: "memory");
  check_equal(image16(72), 0xffff, "FXRSTOR: tags");
  asm volatile("fninit");
}

}  // namespace

void guest_main() {
  if (!has_feature(kFeatureSse) || !has_feature(kFeatureFxsr)) skip_guest("no SSE");
  write_cr0((read_cr0() & ~(kEm | kTs)) | kMp | kNe);
  write_cr4(read_cr4() | kOsFxsr | kOsXmmExcpt);
  asm volatile("fninit");
  test_flags();
  test_traps();
  test_alignment();
  test_availability();
  test_image();
}
