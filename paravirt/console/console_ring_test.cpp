// ConsoleRing: bytes both ways, around the ring's end, and indices that jump.
#include "paravirt/console/console_ring.h"

#include <numeric>
#include <random>

#include "devices/test_rig.h"
#include "paravirt/test_domain.h"

namespace ringshift::xen::test {
namespace {

using ringshift::test::TextBackend;

struct ConsoleRig {
  static constexpr Mfn kRing = FakeDomain::kFirst + 1;
  EventRig events;
  TextBackend backend;
  u32 port = *events.channels.offer();
  ConsoleRing console{events.domain, kRing, events.channels, port, backend};
  xen32::xencons_interface& ring = events.domain.as<xen32::xencons_interface>(kRing);

  // As a guest writes; it may not be more than there is room for.
  void print(std::string_view text) {
    for (const char byte : text) ring.out[ring.out_prod++ % sizeof ring.out] = byte;
    EXPECT_EQ(events.send(port), 0);
  }
  std::string take_input() {
    std::string text;
    while (ring.in_cons != ring.in_prod) text += ring.in[ring.in_cons++ % sizeof ring.in];
    EXPECT_EQ(events.send(port), 0);
    return text;
  }
};

TEST(ConsoleRing, PrintsAndReads) {
  ConsoleRig rig;
  rig.print("grub> ");
  EXPECT_EQ(rig.backend.text, "grub> ");
  EXPECT_EQ(rig.ring.out_cons, rig.ring.out_prod);
  EXPECT_TRUE(rig.events.take(rig.port)) << "the guest hears that there is room";
  rig.backend.type("ls\r");
  EXPECT_TRUE(rig.events.take(rig.port));
  EXPECT_EQ(rig.take_input(), "ls\r");
  EXPECT_GT(rig.backend.ready, 0);
}

TEST(ConsoleRing, GoesAroundTheEndOfBothRings) {
  ConsoleRig rig;
  for (u32* index : {&rig.ring.out_prod, &rig.ring.out_cons, &rig.ring.in_prod, &rig.ring.in_cons})
    *index = 0xffff'fffa;  // 32-bit counters wrap too
  std::string all;
  for (int i = 0; i < 200; ++i) {
    const std::string text = "line " + std::to_string(i) + " of some length\n";
    rig.print(text);
    all += text;
    rig.backend.type(text);
    ASSERT_EQ(rig.take_input(), text);
  }
  EXPECT_EQ(rig.backend.text, all);
}

TEST(ConsoleRing, FullRings) {
  ConsoleRig rig;
  const std::string text(sizeof rig.ring.out, 'x');
  rig.print(text);
  EXPECT_EQ(rig.backend.text, text);
  EXPECT_EQ(rig.backend.room(), sizeof rig.ring.in);
  rig.backend.type(std::string(2 * sizeof rig.ring.in, 'y'));
  EXPECT_EQ(rig.backend.room(), 0u);
  EXPECT_EQ(rig.take_input(), std::string(sizeof rig.ring.in, 'y'));
}

TEST(ConsoleRing, IndicesThatCannotBeAreIgnored) {
  ConsoleRig rig;
  for (const u32 jump : {u32{2049}, u32{0x8000'0000}, u32{0xffff'ffff}}) {
    rig.ring.out_prod = rig.ring.out_cons + jump;
    rig.ring.in_prod = rig.ring.in_cons + (jump == 2049 ? 1025 : jump);
    EXPECT_EQ(rig.events.send(rig.port), 0);
    EXPECT_EQ(rig.backend.text, "");
    EXPECT_EQ(rig.backend.room(), 0u);
    rig.backend.type("lost");
  }
  rig.ring.out_prod = rig.ring.out_cons;
  rig.print("well again");
  EXPECT_EQ(rig.backend.text, "well again");
}

TEST(ConsoleRing, ARingThatIsNoLongerTheDomainsStandsStill) {
  ConsoleRig rig;
  rig.events.domain.foreign.insert(ConsoleRig::kRing);
  rig.print("nothing");
  rig.backend.type("nothing");
  EXPECT_EQ(rig.backend.text, "");
  EXPECT_EQ(rig.ring.in_prod, 0u);
}

TEST(ConsoleRing, RandomRingPages) {
  ConsoleRig rig;
  std::mt19937 random(4);
  for (int i = 0; i < 5'000; ++i) {
    for (u32* index : {&rig.ring.out_prod, &rig.ring.out_cons, &rig.ring.in_prod, &rig.ring.in_cons})
      *index = random() % 2 == 0 ? random() : random() % 4096;
    rig.events.send(rig.port);
    rig.backend.type("typed");
    EXPECT_LE(rig.backend.text.size(), sizeof rig.ring.out);
    rig.backend.text.clear();
  }
}

}  // namespace
}  // namespace ringshift::xen::test
