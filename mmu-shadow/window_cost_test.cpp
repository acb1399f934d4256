// What windows cost on this host: printed, not judged. On the machine it was written on (Zen 4, busy): a fill
// of one page 4.9 us and of 16 pages 8.9 us, touched ever after; resync 3 ns a page; INVLPG 3.5 us, or 30 ns
// where nothing changed; a switch 20 to 45 ns; teardown 1.5 us a VMA.
#include "base/host_clock.h"
#include "mmu-shadow/window_fixture.h"

namespace ringshift {
namespace {

constexpr Gva kArea = 0x08000000;

class WindowCost : public SetFixture {
 protected:
  WindowCost() { enable_paging(); }

  // Of this thread, so that a busy host distorts less.
  static double cpu_microseconds() {
    return static_cast<double>(host_clock_ns(CLOCK_THREAD_CPUTIME_ID)) / 1e3;
  }
  // Microseconds that one of `count` calls takes.
  template <class F>
  static double time_each(u32 count, F f) {
    const double start = cpu_microseconds();
    for (u32 i = 0; i < count; ++i) f(i);
    return (cpu_microseconds() - start) / count;
  }
  static void touch(const ShadowWindow& window, Gva gva) {
    (void)*reinterpret_cast<volatile const u32*>(window.base() + gva);
  }
};

TEST_F(WindowCost, Figures) {
  constexpr u32 kCount = 1000;
  for (u32 i = 0; i < 2 * kCount + 48; ++i) {
    map(kArea + i * kPageSize, kPages + i % 1000 * 2 * kPageSize, kUserData);          // scattered
    map(kArea + 0x2000000 + i * kPageSize, kPages + i % 2048 * kPageSize, kUserData);  // in runs
    if (i % 32 >= 16) map(kArea + 0x2000000 + i * kPageSize, 0, 0);                    // of 16
  }
  load_cr3(kDirectory);
  set_cpl(3);
  ShadowWindow& window = in();
  const auto fill = [&](Gva gva) { (void)set_.fill(gva, AccessKind::read); };
  std::printf("fill of one page            %6.2f us\n",
              time_each(kCount, [&](u32 i) { fill(kArea + 2 * i * kPageSize); }));
  std::printf("first touch of it           %6.2f us\n",
              time_each(kCount, [&](u32 i) { touch(window, kArea + 2 * i * kPageSize); }));
  std::printf("fill of a run of 16         %6.2f us\n",
              time_each(60, [&](u32 i) { fill(kArea + 0x2000000 + i * 32 * kPageSize); }));
  std::printf("16 first touches            %6.2f us\n", time_each(60, [&](u32 i) {
                for (u32 k = 0; k < 16; ++k) touch(window, kArea + 0x2000000 + (i * 32 + k) * kPageSize);
              }));
  const double pages = static_cast<double>(window.pages());
  std::printf("resync of %4.0f pages, same  %6.2f us\n", pages, time_each(100, [&](u32) {
                load_cr3(kDirectory);
                in();
              }));
  std::printf("INVLPG of a page, changed   %6.2f us\n", time_each(200, [&](u32 i) {
                map(kArea + 2 * i * kPageSize, 0, 0);
                cpu_.flush_page(kArea + 2 * i * kPageSize);
              }));
  std::printf("INVLPG of a page, same      %6.2f us\n",
              time_each(200, [&](u32 i) { cpu_.flush_page(kArea + (400 + 2 * i) * kPageSize); }));
  std::printf("enter, other privilege      %6.3f us\n", time_each(1000, [&](u32 i) {
                set_cpl(i % 2 != 0 ? 3 : 0);
                in();
              }));
  set_cpl(3);
  in();
  const u64 vmas = window.vmas();
  std::printf("drop of %5llu VMAs         %7.1f us\n", static_cast<unsigned long long>(vmas),
              time_each(1, [&](u32) { window.drop_all(); }));
  cpu_.state.cr0 &= ~u64{kCr0Pg};
  cpu_.flush_all();
  in();
  std::printf("fill without paging, 12 MiB %6.1f us\n", time_each(1, [&](u32) { fill(kPages); }));
}

}  // namespace
}  // namespace ringshift
