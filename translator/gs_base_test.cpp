// GS base stays over context switches, whichever way this host's kernel allows.
#include "translator/gs_base.h"

#include <gtest/gtest.h>
#include <time.h>

#include <thread>

namespace ringshift::bt {
namespace {

u64 current() {
  u64 base = 0;
  asm volatile("rdgsbase %0" : "=r"(base));
  return base;
}

TEST(GsBaseTest, StaysOverContextSwitches) {
  for (const bool usual : {true, false}) {
    GsBase gs = usual ? GsBase() : GsBase(false);
    for (u64 round = 1; round <= 200; ++round) {
      const u64 wanted = round << 32;
      gs.set(reinterpret_cast<const u8*>(wanted));
      const timespec moment{0, 1000};
      ::nanosleep(&moment, nullptr);
      std::thread([] {}).join();
      ASSERT_EQ(current(), wanted) << "round " << round;
    }
  }
}

TEST(GsBaseTest, ForgetsWhatOthersMayHaveChanged) {
  GsBase gs(false), other(false);
  const auto* const one = reinterpret_cast<const u8*>(u64{1} << 32);
  gs.set(one);
  other.set(reinterpret_cast<const u8*>(u64{2} << 32));
  gs.forget();
  gs.set(one);
  EXPECT_EQ(current(), u64{1} << 32);
}

}  // namespace
}  // namespace ringshift::bt
