// Which pages count as short-lived, and when that is forgotten.
#include "mmu-shadow/short_lived_pages.h"

#include <gtest/gtest.h>

namespace ringshift {
namespace {

constexpr u32 kPage = 0xffa00;

class ShortLived : public testing::Test {
 protected:
  void drop(u32 page, unsigned times) {
    for (unsigned i = 0; i < times; ++i) pages_.note_dropped(page);
  }
  ShortLivedPages pages_;
};

TEST_F(ShortLived, APageThatGoesOftenIs) {
  EXPECT_FALSE(pages_.has(kPage));
  EXPECT_FALSE(pages_.has(0));
  drop(kPage, ShortLivedPages::kPatience - 1);
  EXPECT_FALSE(pages_.has(kPage));
  drop(kPage, 1);
  EXPECT_TRUE(pages_.has(kPage));
  EXPECT_FALSE(pages_.has(kPage + 1));
}

TEST_F(ShortLived, ManyPagesThatGoOnceAreNot) {
  for (u32 page = 0; page < 100'000; ++page) {
    drop(page, 1);
    ASSERT_FALSE(pages_.has(page));
  }
}

TEST_F(ShortLived, ItIsForgottenWhenOthersGo) {
  drop(kPage, ShortLivedPages::kPatience);
  for (u32 i = 0; i < ShortLivedPages::kLap; ++i) drop(kPage + 1, 1);
  EXPECT_FALSE(pages_.has(kPage));
  EXPECT_TRUE(pages_.has(kPage + 1)) << "it goes on";
  drop(kPage, ShortLivedPages::kPatience / 2);
  EXPECT_TRUE(pages_.has(kPage)) << "half of it stands";
  pages_.forget();
  EXPECT_FALSE(pages_.has(kPage));
}

}  // namespace
}  // namespace ringshift
