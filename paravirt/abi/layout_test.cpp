// The monitor's layouts of Xen's structures against those of gcc -m32 (layout_guest.c).
#include <gtest/gtest.h>

#include <fstream>
#include <vector>

#include "base/types.h"
#include "paravirt/abi/xen_public.h"

namespace ringshift {
namespace {

struct Entry {
  const char* what;
  u32 value;
};

using namespace xen32;  // the list's names
const Entry kMonitor[] = {
#define LAYOUT_SIZE(guest, monitor) {"sizeof " #guest, sizeof(monitor)},
#define LAYOUT_FIELD(guest, monitor, field) {#guest "." #field, offsetof(monitor, field)},
#include "paravirt/abi/layout_table.h"
};

TEST(XenLayout, IsThatOfA32BitGuest) {
  std::ifstream file(RINGSHIFT_GUEST_LAYOUT, std::ios::binary);
  std::vector<u32> guest(std::size(kMonitor) + 1);
  file.read(reinterpret_cast<char*>(guest.data()), static_cast<std::streamsize>(guest.size() * sizeof(u32)));
  ASSERT_EQ(static_cast<std::size_t>(file.gcount()), sizeof(u32) * std::size(kMonitor));
  for (std::size_t i = 0; i < std::size(kMonitor); ++i)
    EXPECT_EQ(kMonitor[i].value, guest[i]) << kMonitor[i].what;
}

}  // namespace
}  // namespace ringshift
