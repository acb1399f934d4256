// The debug console, isa-debug-exit and the file backend.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "devices/backend/file_backend.h"
#include "devices/legacy/debug_console.h"
#include "devices/legacy/debug_exit.h"
#include "devices/test_rig.h"

namespace ringshift {
namespace {

TEST(DebugConsole, ReadsItsPortAndWritesBytes) {
  IoBus bus;
  test::TextBackend backend;
  DebugConsole console(backend);
  ASSERT_TRUE(console.attach(bus));
  EXPECT_EQ(bus.read(0xe9, 1), 0xe9u);
  bus.write(0xe9, 1, 'o');
  bus.write(0xe9, 1, 'k');
  EXPECT_EQ(backend.text, "ok");
}

TEST(DebugExit, StatusIsOddAndHasEightBits) {
  IoBus bus;
  test::Power power;
  DebugExit debug_exit(power, 0xf4, 4);
  ASSERT_TRUE(debug_exit.attach(bus));
  bus.write(0xf4, 1, 0);
  EXPECT_EQ(power.status, 1);
  bus.write(0xf4, 4, 0x31);
  EXPECT_EQ(power.status, 0x63);
  bus.write(0xf4, 2, 0xff);
  EXPECT_EQ(power.status, 255);
  IoBus other;
  EXPECT_FALSE(DebugExit(power, 0xf4, 3).attach(other));
}

TEST(FileBackend, WritesAndTruncates) {
  const std::string path = testing::TempDir() + "/ringshift-file-backend";
  for (const std::string text : {"first, longer", "second"}) {
    auto backend = FileBackend::create(path);
    ASSERT_TRUE(backend);
    backend->write({reinterpret_cast<const u8*>(text.data()), text.size()});
    std::ifstream file(path);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
  }
  std::remove(path.c_str());
}

TEST(FileBackend, SaysWhyItCannotOpen) {
  const auto backend = FileBackend::create("/nonexistent/dir/file");
  ASSERT_FALSE(backend);
  EXPECT_EQ(backend.error().kind, ErrorKind::usage);
  EXPECT_NE(backend.error().message.find("/nonexistent/dir/file"), std::string::npos);
}

TEST(FileBackend, FullDiskIsSaidOnce) {
  auto backend = FileBackend::create("/dev/full");
  if (!backend) GTEST_SKIP() << "no /dev/full";
  const u8 byte = 'x';
  testing::internal::CaptureStderr();
  backend->write({&byte, 1});
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("/dev/full"), std::string::npos);
  testing::internal::CaptureStderr();
  backend->write({&byte, 1});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace ringshift
