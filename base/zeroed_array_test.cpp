// ZeroedArray: zeros, and no page of the host's before one is used.
#include "base/zeroed_array.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <vector>

#include "base/types.h"

namespace ringshift {
namespace {

constexpr std::size_t kCount =
    (std::size_t{64} << 20) / sizeof(u64);  // more than malloc ever keeps for later
constexpr std::size_t kHostPage = 4096;

std::size_t resident_pages(ZeroedArray<u64>& array) {
  const u64 begin = reinterpret_cast<u64>(array.begin()) & ~(kHostPage - 1);
  const u64 bytes = reinterpret_cast<u64>(array.end()) - begin;
  std::vector<unsigned char> pages(bytes / kHostPage + 1);
  EXPECT_EQ(::mincore(reinterpret_cast<void*>(begin), bytes, pages.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return (page & 1) != 0; }));
}

TEST(ZeroedArray, begins_as_zeros) {
  ZeroedArray<u64> array(kCount);
  EXPECT_EQ(array.size(), kCount);
  EXPECT_EQ(array[0], 0u);
  EXPECT_EQ(array[kCount - 1], 0u);
  array[kCount / 2] = 7;
  EXPECT_EQ(std::count(array.begin(), array.end(), 0u), static_cast<std::ptrdiff_t>(kCount - 1));
}

TEST(ZeroedArray, takes_no_memory_before_it_is_used) {
  ZeroedArray<u64> array(kCount);
  const std::size_t before = resident_pages(array);
  EXPECT_LE(before, 2u);  // malloc's own words
  array[kCount / 2] = 7;
  EXPECT_LE(resident_pages(array), before + 512);  // a huge page at most
}

}  // namespace
}  // namespace ringshift
