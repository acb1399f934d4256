// DiskImage: sectors in a file; what isn't a disk is refused with a reason.
#include "devices/backend/disk_image.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <vector>

namespace ringshift::test {
namespace {

struct DiskFile {
  explicit DiskFile(std::size_t size) {
    char name[] = "/tmp/ringshift-disk-XXXXXX";
    UniqueFd fd(::mkstemp(name));
    path = name;
    EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
  }
  ~DiskFile() { ::unlink(path.c_str()); }
  std::string path;
};

TEST(DiskImage, KeepsSectors) {
  const DiskFile file(10 * 512 + 100);
  {
    auto disk = DiskImage::open(file.path, false);
    ASSERT_TRUE(disk) << disk.error().message;
    EXPECT_EQ(disk->sectors(), 10u);
    EXPECT_TRUE(disk->write(9, std::vector<u8>(512, 7)));
    EXPECT_TRUE(disk->write(0, std::vector<u8>(1024, 5)));
    EXPECT_TRUE(disk->flush());
    EXPECT_FALSE(DiskImage::open(file.path, true)) << "it is being written";
  }
  auto disk = DiskImage::open(file.path, true);
  ASSERT_TRUE(disk);
  EXPECT_TRUE(disk->read_only());
  std::vector<u8> bytes(512);
  ASSERT_TRUE(disk->read(9, bytes));
  EXPECT_EQ(bytes, std::vector<u8>(512, 7));
  ASSERT_TRUE(disk->read(1, bytes));
  EXPECT_EQ(bytes, std::vector<u8>(512, 5));
  EXPECT_TRUE(DiskImage::open(file.path, true)) << "two may read it";
  EXPECT_FALSE(DiskImage::open(file.path, false));
}

TEST(DiskImage, KnowsItsEnd) {
  const DiskFile file(4 * 512);
  const auto disk = DiskImage::open(file.path, true);
  ASSERT_TRUE(disk);
  EXPECT_TRUE(disk->contains(0, 4));
  EXPECT_TRUE(disk->contains(4, 0));
  EXPECT_FALSE(disk->contains(4, 1));
  EXPECT_FALSE(disk->contains(1, ~u64{0}));
  EXPECT_FALSE(disk->contains(~u64{0}, 2));
}

TEST(DiskImage, DiscardedSectorsReadAsZeros) {
  const DiskFile file(64 * 512);
  auto disk = DiskImage::open(file.path, false);
  ASSERT_TRUE(disk);
  ASSERT_TRUE(disk->write(0, std::vector<u8>(64 * 512, 9)));
  if (!disk->discard(8, 16)) GTEST_SKIP() << "this file system has no holes";
  std::vector<u8> bytes(512);
  ASSERT_TRUE(disk->read(8, bytes));
  EXPECT_EQ(bytes, std::vector<u8>(512, 0));
  ASSERT_TRUE(disk->read(7, bytes));
  EXPECT_EQ(bytes, std::vector<u8>(512, 9));
}

TEST(DiskImage, AFileThatBecomesShorterGivesErrors) {
  const DiskFile file(4 * 512);
  auto disk = DiskImage::open(file.path, true);
  ASSERT_TRUE(disk);
  ASSERT_EQ(::truncate(file.path.c_str(), 512), 0);
  std::vector<u8> bytes(512);
  EXPECT_TRUE(disk->read(0, bytes));
  EXPECT_FALSE(disk->read(3, bytes));
}

TEST(DiskImage, RefusesWhatIsNoDisk) {
  EXPECT_FALSE(DiskImage::open("/nowhere/disk", true));
  EXPECT_FALSE(DiskImage::open("/tmp", true));
  EXPECT_FALSE(DiskImage::open("/dev/null", true));
  const DiskFile small(511);
  EXPECT_FALSE(DiskImage::open(small.path, true));
  const DiskFile pipe(512);
  ::unlink(pipe.path.c_str());
  ASSERT_EQ(::mkfifo(pipe.path.c_str(), 0600), 0);
  EXPECT_FALSE(DiskImage::open(pipe.path, true));
}

}  // namespace
}  // namespace ringshift::test
