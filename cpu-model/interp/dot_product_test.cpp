// Exceptions of DPPD and DPPS against what an AMD Zen 4 reported, natively.
#include "cpu-model/interp/dot_product.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace ringshift {
namespace {

std::array<u8, 16> vector_of(u64 high, u64 low) {
  std::array<u8, 16> bytes;
  std::memcpy(bytes.data(), &low, 8);
  std::memcpy(bytes.data() + 8, &high, 8);
  return bytes;
}

// A denormal operand ends it at the multiplication: no infinities are added.
TEST(DotProduct, EndsAtTheMultiplication) {
  const auto a = vector_of(0xfff0000000000000, 0x7fefffffffffffff);
  const auto b = vector_of(0x800fffffffffffff, 0xd16f16415b1f060c);
  EXPECT_EQ(dot_product_exceptions(true, a.data(), b.data(), 0xbf, 0x80), 0x02u);
  EXPECT_EQ(dot_product_exceptions(true, a.data(), b.data(), 0xbf, 0x1f80) & 0x03, 0x03u) << "all masked";
}

// A product that is tiny ends it before the addition meets a denormal.
TEST(DotProduct, EndsBeforeTheAddition) {
  const auto a = vector_of(0x3bc9d7b0c1118aac, 0x1fd2241dc8d204b7);
  const auto b = vector_of(0xff8000004effffff, 0x8967d85b05c87c3f);
  EXPECT_EQ(dot_product_exceptions(true, a.data(), b.data(), 0xfc, 0x21bc) & 0x02, 0u);
}

TEST(DotProduct, WhatIsNotSelectedRaisesNothing) {
  const auto a = vector_of(0x7ff4000000000000, 0x3ff0000000000000);  // signalling NaN, 1
  const auto b = vector_of(0x3ff0000000000000, 0x3ff0000000000000);
  EXPECT_EQ(dot_product_exceptions(true, a.data(), b.data(), 0x1f, 0), 0u);
  EXPECT_EQ(dot_product_exceptions(true, a.data(), b.data(), 0x2f, 0), 0x01u);
}

// 1 * 1 + (-1 * 1) is exact, infinity minus infinity in the last addition isn't valid.
TEST(DotProduct, SinglesAddTwice) {
  const auto ones = vector_of(0x3f8000003f800000, 0x3f8000003f800000);
  const auto a = vector_of(0xff8000003f800000, 0x3f8000007f800000);  // -inf, 1, 1, inf
  EXPECT_EQ(dot_product_exceptions(false, ones.data(), ones.data(), 0xff, 0), 0u);
  EXPECT_EQ(dot_product_exceptions(false, a.data(), ones.data(), 0xff, 0), 0x01u);
  EXPECT_EQ(dot_product_exceptions(false, a.data(), ones.data(), 0x7f, 0), 0u);
}

}  // namespace
}  // namespace ringshift
