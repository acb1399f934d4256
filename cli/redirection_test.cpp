// The program where its standard descriptors are closed, full, or have lost their reader: it keeps its exit
// status, never ends by an exception, and writes nothing into the wrong file.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "machine/test_guest.h"

namespace ringshift {
namespace {

using namespace testing;

class RedirectionTest : public ::testing::Test {
 protected:
  // Runs "ringshift WORDS" by a shell; its status as the shell has it.
  int shell(const std::string& words) const {
    const int status = std::system(("exec " RINGSHIFT_PROGRAM " " + words).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // The status of the program in a pipe whose reader ends after one line.
  int before_head(const std::string& words) const {
    const std::string command =
        "bash -c '" RINGSHIFT_PROGRAM " " + words + " 2>&1 | head -n 1 >/dev/null; exit ${PIPESTATUS[0]}'";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string text_of(const std::string& path) const {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  TemporaryDirectory directory_;
  // Prints to COM1 and E9h, a thousand times each, and ends with status 1.
  const std::string guest_ = directory_.write(
      "kernel", multiboot_kernel(then_exit({0x66, 0xba, 0xf8, 0x03,                    // mov dx, 3f8h
                                            0xb9, 0xe8, 0x03, 0x00, 0x00,              // mov ecx, 1000
                                            0xb0, '.', 0xee, 0xe6, 0xe9, 0xe2, 0xf9},  // out; out; loop
                                           0)));
  const std::string run_ = "run -engine interp -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel " + guest_;
};

TEST_F(RedirectionTest, ErrorsKeepTheirStatusWhereStderrTakesNothing) {
  for (const char* const stderr_is : {"2>/dev/full", "2>&-"}) {
    EXPECT_EQ(shell(std::string("run -bogus ") + stderr_is), 2) << stderr_is;
    EXPECT_EQ(shell(std::string("run -kernel /nonexistent ") + stderr_is), 4) << stderr_is;
    EXPECT_EQ(shell(run_ + " -d int,io,exec >/dev/null " + stderr_is), 1) << stderr_is;
    EXPECT_EQ(shell(run_ + " -stats >/dev/null " + stderr_is), 1) << stderr_is;
    EXPECT_EQ(shell(run_ + " -debugcon /dev/full >/dev/null " + stderr_is), 1) << stderr_is;
    EXPECT_EQ(
        shell("lockstep -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel " + guest_ + " " + stderr_is), 0);
  }
}

TEST_F(RedirectionTest, AReaderThatLeavesEndsNothing) {
  EXPECT_EQ(before_head(run_ + " -d int,io,exec"), 1);
  EXPECT_EQ(before_head(run_ + " -serial null -stats"), 1);
}

TEST_F(RedirectionTest, ClosedDescriptorsAreNotTakenForFiles) {
  const std::string serial = directory_.path("serial"), trace = directory_.path("trace");
  const std::string console = directory_.path("console");
  EXPECT_EQ(shell(run_ + " -debugcon " + console + " -serial stdio -d int -D " + trace + " <&- >&- 2>&-"), 1);
  EXPECT_EQ(text_of(console), std::string(1000, '.'));
  EXPECT_EQ(text_of(trace), "");
  EXPECT_EQ(shell(run_ + " -serial file:" + serial + " <&- >&- 2>&-"), 1);
  EXPECT_EQ(text_of(serial), std::string(1000, '.'));
}

TEST_F(RedirectionTest, ReportsThatCannotBeWritten) {
  EXPECT_EQ(shell("--help >/dev/full 2>/dev/null"), 10);
  EXPECT_EQ(shell("doctor --help >/dev/null"), 0);
  const std::string explain = "explain -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel " + guest_;
  EXPECT_EQ(shell(explain + " >/dev/null"), 0);
  EXPECT_EQ(shell(explain + " >/dev/full 2>/dev/null"), 10);
  EXPECT_EQ(shell(explain + " --history /dev/full >/dev/null 2>&1"), 10);
  EXPECT_EQ(shell(explain + " --json /dev/full >/dev/null 2>&1"), 10);
  // What can't be made is known before the guest runs.
  EXPECT_EQ(shell(explain + " --html /nonexistent/page >/dev/null 2>&1"), 2);
  EXPECT_EQ(shell(run_ + " -stats json:/nonexistent/stats >/dev/null 2>&1"), 2);
  EXPECT_EQ(shell("compare --modes interp --html /nonexistent/page --kernel " + guest_ + " >/dev/null 2>&1"),
            2);
  EXPECT_EQ(shell("compare --modes interp --kernel /nonexistent >/dev/null 2>&1"), 4);
  EXPECT_EQ(shell("compare --modes interp --kernel " + guest_ + " --import x=/ >/dev/null 2>&1"), 4);
  EXPECT_EQ(shell("explain -kernel /nonexistent 2>&1 | grep -q 'cannot open kernel'"), 0);
}

}  // namespace
}  // namespace ringshift
