// Lockstep's parts: states and RAM of each step, differences, and runs of small guests.
#include "machine/lockstep/lockstep.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "machine/test_guest.h"

namespace ringshift {
namespace {

using namespace testing;

TEST(StateTrace, GivesBackEachState) {
  std::mt19937 random(1);
  StateTrace trace;
  std::vector<VcpuState> states;
  VcpuState state{};
  for (int i = 0; i < 3000; ++i) {
    auto* const bytes = reinterpret_cast<u8*>(&state);
    for (unsigned n = random() % 4; n != 0; --n) bytes[random() % sizeof state] = static_cast<u8>(random());
    trace.append(state);
    states.push_back(state);
  }
  ASSERT_EQ(trace.size(), states.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    const VcpuState got = trace.at(i);
    ASSERT_EQ(std::memcmp(&got, &states[i], sizeof got), 0) << i;
  }
}

TEST(RamHistory, GivesBackRamAfterEachStep) {
  GuestMemory memory = GuestMemory::create(u64{1} << 20).value();
  PhysicalMap map(memory);
  memory.base()[0x1234] = 7;
  const auto history = RamHistory::create(map).value();
  history->next_step();
  const u32 words[] = {0x11111111, 0x22222222, 0x33333333};
  for (const u32 word : words) {
    ASSERT_TRUE(map.write(0x5000, &word, 4));
    ASSERT_TRUE(map.write(0x6ffe, &word, 4));  // over the end of a page
    history->next_step();
  }
  EXPECT_EQ(history->after(0).base()[0x1234], 7);
  for (const std::size_t step : {3u, 1u, 2u, 0u}) {
    const GuestMemory& ram = history->after(step);
    for (const Gpa at : {Gpa{0x5000}, Gpa{0x6ffe}}) {
      u32 got;
      std::memcpy(&got, ram.base() + at, 4);
      EXPECT_EQ(got, step == 0 ? 0 : words[step - 1]);
    }
  }
}

class LockstepTest : public ::testing::Test {
 protected:
  MachineConfig config(const std::vector<u8>& code) {
    MachineConfig config;
    config.ram_bytes = u64{16} << 20;
    config.engines = {EngineKind::bt, EngineKind::interp};
    config.icount_shift = 3;
    config.debug_exit = DebugExitConfig{0xf4, 4};
    config.boot.kernel = directory_.write("kernel", multiboot_kernel(code));
    return config;
  }
  MachineBackends outputs() {
    return {std::make_unique<NullBackend>(), std::make_unique<CaptureBackend>(text_)};
  }
  TemporaryDirectory directory_;
  std::shared_ptr<std::string> text_ = std::make_shared<std::string>();
};

TEST_F(LockstepTest, EqualToTheEnd) {
  std::vector<u8> code{0xb9, 0x00, 0x10, 0x00, 0x00, 0xe2, 0xfe};  // mov ecx, 1000h; loop
  const std::vector<u8> print = print_code("once");
  code.insert(code.end(), print.begin(), print.end());
  for (const u64 every : {1, 7, 1000, 1000000}) {
    text_->clear();
    Lockstep lockstep(config(then_exit(code, 3)), {.every = every});
    const LockstepReport report = lockstep.run(outputs()).value();
    EXPECT_FALSE(report.differ) << report.text;
    EXPECT_EQ(report.ended, RunOutcome::Kind::guest_exit);
    EXPECT_EQ(report.instructions, 0x1000u + 1 + 2 * 4 + 2);
    EXPECT_EQ(*text_, "once");
  }
}

TEST_F(LockstepTest, EndsWhereTheGuestHaltsForEver) {
  Lockstep lockstep(config({0xfa, 0xf4, 0xeb, 0xfd}), {.every = 1000});  // cli; hlt; jmp back
  const LockstepReport report = lockstep.run(outputs()).value();
  EXPECT_FALSE(report.differ);
  EXPECT_EQ(report.ended, RunOutcome::Kind::stopped);
  EXPECT_EQ(report.instructions, 2u);
}

TEST_F(LockstepTest, StopsAtItsLimit) {
  Lockstep lockstep(config({0xeb, 0xfe}), {.every = 1000, .limit = 2500});
  const LockstepReport report = lockstep.run(outputs()).value();
  EXPECT_FALSE(report.differ);
  EXPECT_EQ(report.instructions, 2500u);
  EXPECT_EQ(report.comparisons, 3u);
}

TEST(Differences, OfCourses) {
  GuestMemory left = GuestMemory::create(u64{1} << 20).value();
  GuestMemory right = GuestMemory::create(u64{1} << 20).value();
  VcpuState state{}, other{};
  const bt::IoEvent out{bt::IoEvent::Kind::port_out, 1, 0x80, 5};
  const std::vector<bt::IoEvent> events{out};
  const auto compare = [&](std::span<const bt::IoEvent> a, std::span<const bt::IoEvent> b) {
    return difference_of({RunOutcome::Kind::reached, 1, state, a, left, {}},
                         {RunOutcome::Kind::reached, 1, other, b, right, {}});
  };
  EXPECT_EQ(compare(events, events), "");
  EXPECT_NE(compare(events, {}).find("nothing"), std::string::npos);
  left.base()[0x3000] = 0x60;  // A and D of a paging entry
  EXPECT_EQ(compare({}, {}), "");
  left.base()[0x3001] = 1;
  EXPECT_EQ(compare({}, {}), "memory at gpa 00003000: 00000160 / 00000000");
  other.set_reg32(kEdx, 1);
  EXPECT_EQ(compare({}, {}), "EDX: 00000000 / 00000001");
  EXPECT_NE(difference_of({RunOutcome::Kind::reset, 1, state, {}, left, {}},
                          {RunOutcome::Kind::reached, 1, state, {}, left, {}})
                .find("reset after 1"),
            std::string::npos);
}

}  // namespace
}  // namespace ringshift
