// Loaders: what they put where, and every kind of bad kernel and initrd.
#include "machine/loaders/load_kernel.h"

#include <gtest/gtest.h>

#include <cstring>

#include "machine/test_guest.h"

namespace ringshift {
namespace {

using namespace testing;

template <class T>
void poke(std::vector<u8>& bytes, std::size_t offset, T value) {
  if (bytes.size() < offset + sizeof value) bytes.resize(offset + sizeof value);
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

// A bzImage of protocol 2.15 with one setup sector and this payload.
std::vector<u8> bzimage(u32 payload = 4096) {
  std::vector<u8> bytes(1024 + payload, 0x90);
  std::fill(bytes.begin(), bytes.begin() + 1024, 0);
  poke<u8>(bytes, 0x1f1, 1);
  poke<u32>(bytes, 0x1f4, payload / 16);
  poke<u16>(bytes, 0x1fe, 0xaa55);
  poke<u16>(bytes, 0x200, 0x6aeb);
  poke<u32>(bytes, 0x202, 0x53726448);
  poke<u16>(bytes, 0x206, 0x020f);
  poke<u8>(bytes, 0x211, 1);
  poke<u32>(bytes, 0x22c, 0x7fffffff);
  poke<u32>(bytes, 0x230, 0x1000000);
  poke<u8>(bytes, 0x234, 1);
  poke<u32>(bytes, 0x238, 2047);
  poke<u64>(bytes, 0x258, 0x1000000);
  poke<u32>(bytes, 0x260, 0x400000);
  return bytes;
}

// An ELF32 executable with one segment at 1 MiB, linked at C0100000h.
std::vector<u8> elf32(u32 file_size = 64, u32 memory_size = 128) {
  std::vector<u8> bytes(84 + file_size, 0x90);
  const u8 identification[16] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
  std::memcpy(bytes.data(), identification, 16);
  poke<u16>(bytes, 16, 2);
  poke<u16>(bytes, 18, 3);
  poke<u32>(bytes, 20, 1);
  poke<u32>(bytes, 24, 0xc0100010);
  poke<u32>(bytes, 28, 52);
  poke<u32>(bytes, 32, 0);
  poke<u32>(bytes, 36, 0);
  poke<u16>(bytes, 40, 52);
  poke<u16>(bytes, 42, 32);
  poke<u16>(bytes, 44, 1);
  const u32 segment[8] = {1, 84, 0xc0100000, 0x100000, file_size, memory_size, 7, 4096};
  std::memcpy(bytes.data() + 52, segment, 32);
  return bytes;
}

class LoadKernelTest : public ::testing::Test {
 protected:
  explicit LoadKernelTest(u64 ram = u64{32} << 20) : memory_(*GuestMemory::create(ram)), map_(memory_) {
    reset_vcpu(state_, 0x106c2);
  }
  Result<void> load(const std::vector<u8>& kernel) {
    files_.kernel = directory_.write("kernel", kernel);
    return load_kernel(files_, map_, {.acpi_rsdp = 0xf0000}, state_);
  }
  // The error of a load that must fail.
  Error refused(const std::vector<u8>& kernel) {
    const auto result = load(kernel);
    if (result) ADD_FAILURE() << "was not refused";
    return result ? Error{} : result.error();
  }
  template <class T>
  T peek(Gpa gpa) const {
    T value;
    std::memcpy(&value, memory_.base() + gpa, sizeof value);
    return value;
  }
  TemporaryDirectory directory_;
  BootFiles files_;
  GuestMemory memory_;
  PhysicalMap map_;
  VcpuState state_{};
};

TEST_F(LoadKernelTest, BzImage) {
  files_.append = "console=ttyS0";
  files_.initrd = directory_.write("initrd", std::vector<u8>(10000, 0x55));
  ASSERT_TRUE(load(bzimage()));
  EXPECT_EQ(state_.eip(), 0x100000u);
  EXPECT_EQ(state_.segment(Seg::cs).selector, 0x10);
  EXPECT_EQ(state_.segment(Seg::ds).selector, 0x18);
  EXPECT_EQ(state_.segment(Seg::ss).limit, 0xffffffffu);
  EXPECT_EQ(state_.rflags & kFlagIf, 0u);
  EXPECT_EQ(state_.cr0 & (kCr0Pe | kCr0Pg), kCr0Pe);
  EXPECT_EQ(peek<u8>(0x100000), 0x90);
  const Gpa zero_page = state_.reg32(kEsi);
  EXPECT_EQ(peek<u32>(zero_page + 0x202), 0x53726448u);
  EXPECT_EQ(peek<u8>(zero_page + 0x210), 0xff);
  EXPECT_STREQ(reinterpret_cast<char*>(memory_.base() + peek<u32>(zero_page + 0x228)), "console=ttyS0");
  const u32 initrd = peek<u32>(zero_page + 0x218);
  EXPECT_EQ(initrd, (32u << 20) - 3 * kPageSize);
  EXPECT_EQ(peek<u32>(zero_page + 0x21c), 10000u);
  EXPECT_EQ(peek<u8>(initrd + 9999), 0x55);
  EXPECT_EQ(peek<u64>(zero_page + 0x70), 0xf0000u);
}

TEST_F(LoadKernelTest, BzImageMemoryMap) {
  ASSERT_TRUE(load(bzimage()));
  const Gpa zero_page = state_.reg32(kEsi);
  ASSERT_EQ(peek<u8>(zero_page + 0x1e8), 4);
  const auto base = [&](unsigned i) { return peek<u64>(zero_page + 0x2d0 + i * 20); };
  const auto length = [&](unsigned i) { return peek<u64>(zero_page + 0x2d8 + i * 20); };
  EXPECT_EQ(base(0), 0u);
  EXPECT_EQ(length(0), 0x9fc00u);
  EXPECT_EQ(base(3), 0x100000u);
  EXPECT_EQ(length(3), 31u << 20);
  EXPECT_EQ(peek<u32>(zero_page + 0x2d0 + 16), 1u);
  EXPECT_EQ(peek<u32>(zero_page + 0x2d0 + 20 + 16), 2u);
}

TEST_F(LoadKernelTest, MissingEmptyTiny) {
  files_.kernel = directory_.path("none");
  const auto missing = load_kernel(files_, map_, {}, state_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::input_file);
  EXPECT_NE(missing.error().message.find("No such file"), std::string::npos);
  EXPECT_NE(refused({}).message.find("empty"), std::string::npos);
  EXPECT_NE(refused({1, 2, 3}).message.find("truncated"), std::string::npos);
  files_.kernel = directory_.path(".");
  EXPECT_FALSE(load_kernel(files_, map_, {}, state_));
}

TEST_F(LoadKernelTest, Truncated) {
  auto kernel = bzimage();
  kernel.resize(kernel.size() - 1000);
  EXPECT_NE(refused(kernel).message.find("truncated"), std::string::npos);
  kernel.resize(0x210);
  EXPECT_EQ(refused(kernel).kind, ErrorKind::input_file);
  auto elf = elf32();
  elf.resize(100);
  EXPECT_NE(refused(elf).message.find("truncated"), std::string::npos);
  elf.resize(60);
  EXPECT_NE(refused(elf).message.find("truncated"), std::string::npos);
}

TEST_F(LoadKernelTest, SixtyFourBit) {
  auto kernel = bzimage();
  poke<u16>(kernel, 0x236, 1);
  EXPECT_NE(refused(kernel).message.find("64-bit"), std::string::npos);
  auto elf = elf32();
  poke<u8>(elf, 4, 2);
  EXPECT_NE(refused(elf).message.find("64-bit"), std::string::npos);
  EXPECT_EQ(refused(elf).kind, ErrorKind::input_file);
}

TEST_F(LoadKernelTest, Corrupt) {
  EXPECT_EQ(refused(std::vector<u8>(100000, 0xa5)).kind, ErrorKind::input_file);
  auto kernel = bzimage();
  poke<u64>(kernel, 0x258, ~u64{0});
  EXPECT_EQ(refused(kernel).kind, ErrorKind::usage);  // needs more RAM than anyone has
  kernel = bzimage();
  poke<u16>(kernel, 0x206, 0x0101);
  EXPECT_EQ(refused(kernel).kind, ErrorKind::input_file);
  auto elf = elf32();
  poke<u16>(elf, 44, 0);
  EXPECT_EQ(refused(elf).kind, ErrorKind::input_file);
  elf = elf32(64, 10);
  EXPECT_EQ(refused(elf).kind, ErrorKind::input_file);
  elf = elf32(64, 0xfff00000);
  EXPECT_EQ(refused(elf).kind, ErrorKind::input_file);
  elf = elf32();
  poke<u32>(elf, 28, 0xfffffff0);
  EXPECT_EQ(refused(elf).kind, ErrorKind::input_file);
}

TEST_F(LoadKernelTest, TooLittleRamAndTooLongCommandLine) {
  auto kernel = bzimage();
  poke<u32>(kernel, 0x260, 0x2000000);
  EXPECT_EQ(refused(kernel).kind, ErrorKind::usage);
  files_.append = std::string(3000, 'x');
  EXPECT_EQ(refused(bzimage()).kind, ErrorKind::usage);
}

TEST_F(LoadKernelTest, InitrdThatDoesNotFit) {
  files_.initrd = directory_.write("initrd", std::vector<u8>(13 << 20));
  const Error error = refused(bzimage());
  EXPECT_EQ(error.kind, ErrorKind::usage);
  EXPECT_NE(error.message.find("does not fit"), std::string::npos);
  files_.initrd = directory_.path("none");
  EXPECT_EQ(refused(bzimage()).kind, ErrorKind::input_file);
}

TEST_F(LoadKernelTest, Elf) {
  ASSERT_TRUE(load(elf32()));
  EXPECT_EQ(state_.eip(), 0x100010u);
  EXPECT_EQ(peek<u8>(0x10003f), 0x90);
  EXPECT_EQ(peek<u8>(0x100040), 0);
}

TEST_F(LoadKernelTest, ElfWhereNoRamIs) {
  auto elf = elf32();
  for (const u32 address : {0xa0000u, 0x9fc00u, 0x90000u, 0xf0000u, 0xfffffff0u, 32u << 20}) {
    poke<u32>(elf, 52 + 12, address);
    EXPECT_EQ(refused(elf).kind, ErrorKind::input_file) << std::hex << address;
  }
}

TEST_F(LoadKernelTest, Multiboot) {
  files_.append = "a b";
  files_.initrd = directory_.write("one", std::vector<u8>(5000, 1)) + " first," +
                  directory_.write("two", std::vector<u8>(6000, 2));
  ASSERT_TRUE(load(multiboot_kernel({0x90})));
  EXPECT_EQ(state_.eip(), 0x100020u);
  EXPECT_EQ(state_.reg32(kEax), 0x2badb002u);
  const Gpa info = state_.reg32(kEbx);
  EXPECT_EQ(peek<u32>(info) & 0x4d, 0x4du);
  EXPECT_EQ(peek<u32>(info + 8), 31u << 10);
  const std::string cmdline(reinterpret_cast<char*>(memory_.base() + peek<u32>(info + 16)));
  EXPECT_EQ(cmdline, files_.kernel + " a b");
  ASSERT_EQ(peek<u32>(info + 20), 2u);
  const u32 modules = peek<u32>(info + 24);
  const u32 first = peek<u32>(modules);
  const u32 second = peek<u32>(modules + 16);
  EXPECT_EQ(first % kPageSize, 0u);
  EXPECT_EQ(peek<u32>(modules + 4) - first, 5000u);
  EXPECT_EQ(peek<u8>(first + 4999), 1);
  EXPECT_EQ(peek<u8>(second + 5999), 2);
  EXPECT_EQ(peek<u32>(info + 44), 4u * 24);
}

TEST_F(LoadKernelTest, MultibootWithBadAddresses) {
  for (const std::size_t field : {12, 16, 20, 24}) {  // header, load, load end, bss end
    for (const u32 value : {1u, 0x90000u, 0xa0000u, 0x7fffffffu, 0xffffffffu}) {
      auto kernel = multiboot_kernel({0x90});
      poke<u32>(kernel, field, value);
      const auto result = load(kernel);  // must not crash; most are refused
      if (!result) {
        EXPECT_EQ(result.error().kind, ErrorKind::input_file);
      }
    }
  }
  auto kernel = multiboot_kernel({0x90});
  poke<u32>(kernel, 4, 0x10010);  // an unknown requirement
  poke<u32>(kernel, 8, 0 - 0x1badb002u - 0x10010u);
  EXPECT_EQ(refused(kernel).kind, ErrorKind::input_file);
}

}  // namespace
}  // namespace ringshift
