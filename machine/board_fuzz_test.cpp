// Random accesses to a whole board, as a hostile guest makes them: nothing breaks, and a board that is
// restored from what another saved answers as that one does from then on. RINGSHIFT_FUZZ_SEED and
// RINGSHIFT_FUZZ_ROUNDS change the draw.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "devices/test_rig.h"
#include "machine/pc_board.h"

namespace ringshift {
namespace {

using test::FakeTime;

// What a round does, drawn once and done to one board or to two.
struct Deed {
  enum class Kind : u8 {
    port_read,
    port_write,
    mmio_read,
    mmio_write,
    wait,
    type,
    acknowledge,
    ferr,
    apic_base,
    button
  };
  Kind kind;
  unsigned size;
  u64 address;
  u64 value;
};

struct Rig {
  Rig() { EXPECT_TRUE(board.attach()); }

  // What the guest sees of it.
  u64 apply(const Deed& deed) {
    const u16 port = static_cast<u16>(deed.address);
    switch (deed.kind) {
      case Deed::Kind::port_read:
        return board.ports().read(port, deed.size);
      case Deed::Kind::port_write:
        board.ports().write(port, deed.size, static_cast<u32>(deed.value));
        return 0;
      case Deed::Kind::mmio_read:
        return board.mmio().read(deed.address, deed.size);
      case Deed::Kind::mmio_write:
        board.mmio().write(deed.address, deed.size, deed.value);
        return 0;
      case Deed::Kind::wait:
        test::run_until(clock, time, time.ns + deed.value);
        return 0;  // not the next deadline: a timer may wake for nothing, and is armed anew by a restore
      case Deed::Kind::type:
        if (serial.room() != 0) serial.type(std::string(1, static_cast<char>(deed.value)));
        return serial.room();
      case Deed::Kind::acknowledge:
        return signals.intr ? static_cast<u64>(board.router().acknowledge()) : 0;
      case Deed::Kind::ferr:
        board.ferr().set((deed.value & 1) != 0);
        return 0;
      case Deed::Kind::apic_base:
        board.local_apic().set_apic_base(0xfee00100 | (deed.value & 0x800));
        return 0;
      case Deed::Kind::button:
        board.acpi().press_power_button();
        return 0;
    }
    return 0;
  }

  FakeTime time;
  Clock clock{time};
  test::Signals signals;
  test::Power power;
  test::TextBackend serial, debugcon;
  GuestMemory memory = GuestMemory::create(u64{2} << 20).value();
  PhysicalMap map{memory};
  MachineConfig config{.debug_exit = DebugExitConfig{0xf4, 4}};
  PcBoard board{{clock, signals, power, map, serial, &debugcon, 1'700'000'000, 0x106c2, 0xbfe9fbff}, config};
};

class Draw {
 public:
  explicit Draw(u64 seed) : random_(seed) {}

  Deed deed() {
    constexpr unsigned kKinds = 16;
    const u64 value = this->value();
    switch (below(kKinds)) {
      case 0:
        return {Deed::Kind::wait, 0, 0, u64{1} << below(30)};
      case 1:
        return {Deed::Kind::acknowledge, 0, 0, 0};
      case 2:
        return rare(value);
      case 3:
      case 4:
        return {Deed::Kind::mmio_read, 1u << below(4), mmio(), 0};
      case 5:
      case 6:
      case 7:
        return {Deed::Kind::mmio_write, 1u << below(4), mmio(), value};
      case 8:
      case 9:
      case 10:
        return {Deed::Kind::port_read, 1u << below(3), port(), 0};
      default:
        return {Deed::Kind::port_write, 1u << below(3), port(), value};
    }
  }
  unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }

 private:
  Deed rare(u64 value) {
    constexpr Deed::Kind kRare[] = {Deed::Kind::type, Deed::Kind::type, Deed::Kind::ferr,
                                    Deed::Kind::apic_base, Deed::Kind::button};
    return {kRare[below(std::size(kRare))], 0, 0, value};
  }
  u64 value() {
    constexpr u64 kEdges[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x80000000, 0xffffffff, ~u64{0}};
    return below(3) == 0 ? kEdges[below(std::size(kEdges))] : random_() >> below(64);
  }
  u64 port() {
    constexpr u16 kFirst[] = {0x20,  0xa0,  0x40,  0x60,   0x70,  0x92,  0xf0,
                              0x3f8, 0xcf8, 0x600, 0xb000, 0x4d0, 0xfffc};
    return below(50) == 0 ? below(0x10000) : (kFirst[below(std::size(kFirst))] + below(8)) & 0xffff;
  }
  u64 mmio() {
    const u64 page = below(3) == 0 ? 0xfec00000 : 0xfee00000;
    // Accesses stay within a page: the CPU splits others.
    return page + (below(4) != 0 ? below(0x40) * 16 : below(0xff9));
  }
  std::mt19937_64 random_;
};

u64 from_environment(const char* name, u64 usual) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : usual;
}

void expect_same_outside(const Rig& one, const Rig& other) {
  EXPECT_EQ(one.signals.intr, other.signals.intr);
  EXPECT_EQ(one.signals.a20_masked, other.signals.a20_masked);
  EXPECT_EQ(test::saved(one.board), test::saved(other.board));
}

TEST(BoardFuzz, ARestoredBoardGoesOnAsTheOneThatWasSaved) {
  constexpr unsigned kAlone = 60, kTogether = 60;
  const u64 seed = from_environment("RINGSHIFT_FUZZ_SEED", 20261128);
  const u64 rounds = from_environment("RINGSHIFT_FUZZ_ROUNDS", 300);
  for (u64 round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("RINGSHIFT_FUZZ_ROUNDS=1 RINGSHIFT_FUZZ_SEED=" + std::to_string(seed + round));
    Draw draw(seed + round);
    Rig first, second;
    first.board.reset();
    second.board.reset();
    for (unsigned i = draw.below(kAlone * 4); i > 0; --i) first.apply(draw.deed());
    for (unsigned i = draw.below(kAlone); i > 0; --i)
      second.apply(draw.deed());  // what it was before leaves nothing
    test::run_until(second.clock, second.time, std::max(first.time.ns, second.time.ns));
    test::run_until(first.clock, first.time, second.time.ns);
    test::expect_copy(first.board, second.board);
    // What a UART has gathered for its backend is the host's, and isn't saved.
    constexpr u64 kGathered = 100'000'000;
    for (Rig* const rig : {&first, &second}) test::run_until(rig->clock, rig->time, rig->time.ns + kGathered);
    first.serial.text.clear();
    second.serial.text.clear();
    for (unsigned i = 0; i < kTogether && !::testing::Test::HasFailure(); ++i) {
      const Deed deed = draw.deed();
      SCOPED_TRACE(::testing::Message()
                   << "deed " << i << ": kind " << int(deed.kind) << " size " << deed.size << std::hex
                   << " at " << deed.address << " value " << deed.value);
      EXPECT_EQ(first.apply(deed), second.apply(deed));
      EXPECT_EQ(first.serial.text, second.serial.text);
      expect_same_outside(first, second);
    }
  }
}

}  // namespace
}  // namespace ringshift
