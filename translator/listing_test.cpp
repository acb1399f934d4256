// The listing against translator/golden/listing.txt, without what differs from run to run: addresses of the
// host become labels. RINGSHIFT_UPDATE_GOLDEN=1 in the environment rewrites the file.
#include "translator/listing.h"

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class ListingTest : public BtFixture {
 protected:
  void trace(const char* words) {
    path_ =
        ::testing::TempDir() + "listing-" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    ASSERT_TRUE(tracer_.enable(words));
    ASSERT_TRUE(tracer_.open(path_.c_str()));
  }
  std::string traced() {
    engine_.reset();
    tracer_ = Tracer();  // closes the file
    return read(path_);
  }
  static std::string read(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string path_;
};

// Host lines keep their text only; host addresses are named by the order in which they appear.
std::string normalised(const std::string& listing) {
  static const std::regex kHostLine("^  0x[0-9a-f]+: (?:[0-9a-f]{2} )+ *(.*)$");
  static const std::regex kPointer("(mov r11(?:d)?, |mov rax, )0x[0-9a-f]+");
  static const std::regex kAddress("0x[0-9a-f]{9,}");
  std::map<std::string, std::string> names;
  std::stringstream in(listing), out;
  for (std::string line; std::getline(in, line);) {
    line = std::regex_replace(line, std::regex(", [0-9]+ bytes$"), "");
    line = std::regex_replace(line, kHostLine, "    $1");
    line = std::regex_replace(line, kPointer, "$1POINTER");
    for (std::smatch match; std::regex_search(line, match, kAddress);) {
      const auto [at, fresh] = names.try_emplace(match.str(), "");
      if (fresh) at->second = fmt::format("ADDRESS{}", names.size());
      line = match.prefix().str() + at->second + match.suffix().str();
    }
    out << line << "\n";
  }
  return out.str();
}

void write_sample(asmjit::x86::Assembler& as) {
  const asmjit::Label loop = as.newLabel();
  as.mov(eax, ptr(ebx, 4));
  as.add(dword_ptr(ebx, ecx, 2), eax);
  as.push(esi);
  as.pop(edi);
  as.mov(byte_ptr(0x40000), ah);
  as.inc(edx);
  as.lea(edx, ptr(ecx, ecx, 3, 5));
  as.bind(loop);
  as.dec(ecx);
  as.jnz(loop);
  as.hlt();
}

TEST_F(ListingTest, Golden) {
  const std::string golden = RINGSHIFT_TRANSLATOR_DIR "/golden/listing.txt";
  std::string text;
  for (const auto memory : {BtOptions::Memory::soft, BtOptions::Memory::window}) {
    trace("in_asm,out_asm");
    use(memory);
    assemble(kCode, write_sample);
    cpu_.state.set_reg32(kEbx, kData);
    cpu_.state.set_reg32(kEcx, 3);
    run_from(kCode);
    text += normalised(traced());
  }
  if (std::getenv("RINGSHIFT_UPDATE_GOLDEN") != nullptr) std::ofstream(golden) << text;
  EXPECT_EQ(text, read(golden)) << "if the change is meant, run with RINGSHIFT_UPDATE_GOLDEN=1";
}

TEST_F(ListingTest, EveryBlockEnteredIsSeen) {
  trace("exec");
  use(BtOptions::Memory::soft);
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel(), callee = as.newLabel();
    as.mov(ecx, 50);
    as.bind(loop);
    as.call(callee);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
    as.bind(callee);
    as.ret();
  });
  run();
  const std::string text = traced();
  const auto occurrences = [&](const std::string& line) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(line, at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_EQ(occurrences("exec: 00010000 supervisor soft unpaged"), 1u);
  EXPECT_EQ(occurrences("exec: 00010005 "), 49u);
  EXPECT_EQ(occurrences("exec: 0001000a "), 50u);
  EXPECT_EQ(occurrences("exec: 0001000e "), 50u);
}

TEST_F(ListingTest, Modes) {
  EXPECT_EQ(describe(ModeKey(cpu_)), "supervisor soft unpaged sse-off");
  cpu_.state.rflags |= kFlagDf;
  cpu_.state.cr0 |= kCr0Ts;
  cpu_.state.segment(Seg::gs).base = 0x1000;
  cpu_.state.segment(Seg::fs).limit = 0xfff;
  set_cpl(3);
  EXPECT_EQ(describe(ModeKey(cpu_).with_window()),
            "user window unpaged downward fpu-off sse-off fs=limited gs=based");
}

}  // namespace
}  // namespace ringshift::bt
