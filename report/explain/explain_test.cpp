// Explanations of small programs, and what their forms make of hostile text.
#include <nlohmann/json.hpp>

#include "report/explain/explain_html.h"
#include "report/explain/explain_json.h"
#include "report/explain/explain_text.h"
#include "report/explain/explainer.h"
#include "report/explain/history_log.h"
#include "report/explain/state_names.h"
#include "translator/bt_fixture.h"

namespace ringshift {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class ExplainTest : public bt::BtFixture {
 protected:
  void record(BtOptions::Memory memory, bt::HistoryListener* listener = nullptr) {
    BtOptions options;
    options.memory = memory;
    options.cache_bytes = u64{4} << 20;
    options.listener = listener != nullptr ? listener : &recorder_;
    engine_ = BtEngine::create(cpu_, options).value();
  }
  // A loop of four instructions that its own first pass patches, and one of two.
  void run_patched() {
    record(BtOptions::Memory::soft);
    assemble(kCode, [](Asm& as) {
      const asmjit::Label outer = as.newLabel(), inner = as.newLabel();
      as.mov(ecx, 10);
      as.jmp(outer);
      as.align(asmjit::AlignMode::kCode, 64);
      as.bind(outer);
      as.mov(edx, 1);
      as.mov(byte_ptr(outer, 1), 7);
      as.dec(ecx);
      as.jnz(outer);
      as.mov(ecx, 1000);
      as.bind(inner);
      as.dec(ecx);
      as.jnz(inner);
      as.hlt();
    });
    run();
  }
  bt::TranslationRecorder recorder_;
};

TEST_F(ExplainTest, TheHottestComeFirst) {
  run_patched();
  const Explanation all = explain(recorder_, SymbolTable(), {.range = {}, .top = 100});
  ASSERT_GE(all.blocks.size(), 3u);
  u64 sum = 0;
  for (std::size_t i = 0; i < all.blocks.size(); ++i) {
    sum += all.blocks[i].instructions_executed;
    const ExplainedBlock& before = all.blocks[i == 0 ? 0 : i - 1];
    EXPECT_LE(all.blocks[i].instructions_executed, before.instructions_executed);
  }
  EXPECT_EQ(sum, all.instructions);
  EXPECT_EQ(all.blocks[0].instructions.size(), 2u);
  EXPECT_EQ(all.blocks[0].rounds, 4u);
  EXPECT_EQ(all.blocks[0].passes, 999u);
  EXPECT_EQ(explain(recorder_, SymbolTable(), {.range = {}, .top = 2}).blocks.size(), 2u);
}

TEST_F(ExplainTest, TranslationsOfOnePlaceStandTogether) {
  run_patched();
  const u32 outer = kCode + 64;
  const SymbolTable symbols({{outer, 8, "patched", "patched"}});
  const Explanation chosen = explain(recorder_, symbols, {.range = {{outer, outer + 1}}, .top = 10});
  ASSERT_EQ(chosen.blocks.size(), 1u);
  const ExplainedBlock& block = chosen.blocks[0];
  EXPECT_EQ(block.name, "patched");
  ASSERT_GE(block.translations.size(), 2u);
  EXPECT_TRUE(block.translations[0].dropped);
  ASSERT_FALSE(block.translations[0].history.empty());
  EXPECT_EQ(block.translations[0].history.back(), "after 1 entry: dropped: its code was written to");
  u64 instructions = 0;
  for (const ExplainedTranslation& translation : block.translations) instructions += translation.instructions;
  EXPECT_EQ(instructions, block.instructions_executed);
}

TEST_F(ExplainTest, RoundsOfATightLoopAreShownOnce) {
  run_patched();
  const ExplainedBlock block = explain(recorder_, SymbolTable(), {.range = {}, .top = 1}).blocks.at(0);
  ASSERT_EQ(block.instructions.size(), 2u);
  EXPECT_EQ(block.instructions[0].code.size(), 1u);
  std::vector<std::pair<bt::EmissionReason, unsigned>> branch;
  for (const CodePart& part : block.instructions[1].code) branch.emplace_back(part.reason, part.times);
  const std::vector<std::pair<bt::EmissionReason, unsigned>> wanted = {
      {bt::EmissionReason::loop_exit, 3}, {bt::EmissionReason::taken, 1}, {bt::EmissionReason::not_taken, 1}};
  EXPECT_EQ(branch, wanted);
}

TEST_F(ExplainTest, AddressesOfTheMonitorAreNamed) {
  record(BtOptions::Memory::soft);
  assemble(kCode, [](Asm& as) {
    as.mov(eax, ptr(kData));
    as.cli();
    as.cpuid();
    as.sidt(ptr(kData));
    as.mov(eax, cr0);
    as.hlt();
  });
  run();
  const Explanation explanation = explain(recorder_, SymbolTable(), {.range = {}, .top = 10});
  const std::string text = explanation_text(explanation, {.cold = true});
  for (const char* name : {"[cpu.rflags]", "[context.quiet]", "stub:interpret", "stub:fill_lookup",
                           "this_instruction", "stub:dispatcher", "stub:cpuid", "[cpu.cr0]"})
    EXPECT_NE(text.find(name), std::string::npos) << name;
  EXPECT_NE(explanation_json(explanation).find("counters.entries"), std::string::npos);
  EXPECT_EQ(text.find("rip"), std::string::npos);
  EXPECT_NE(text.find("Not on the list of what may run in the cache"), std::string::npos);
}

TEST(StateNames, NamesWhatItKnows) {
  const auto at = [](std::size_t offset) { return fmt::format("dword ptr [r13 + {:#x}], 1", offset); };
  EXPECT_EQ(with_state_names(at(offsetof(VcpuState, rflags))), "dword ptr [cpu.rflags], 1");
  const std::size_t fs = offsetof(VcpuState, seg) + 4 * sizeof(SegmentRegister);
  EXPECT_EQ(with_state_names(at(fs + offsetof(SegmentRegister, base))), "dword ptr [cpu.fs.base], 1");
  EXPECT_EQ(with_state_names("ecx, dword ptr [r15]"), "ecx, dword ptr [context.quiet]");
  EXPECT_EQ(with_state_names("r11, qword ptr [r15 + 0x7fffff]"), "r11, qword ptr [r15 + 0x7fffff]");
  EXPECT_EQ(with_state_names("r9, [r14 + r9 + 8]"), "r9, [r14 + r9 + 8]");
}

class HostileText : public ExplainTest {
 protected:
  HostileText() {
    run_patched();
    const std::string evil = "<script>alert(\"1\")</script>&'";
    explanation_ = explain(recorder_, SymbolTable({{kCode, 4096, evil, evil}}), {.range = {}, .top = 10});
    explanation_.guest = "a<b>\xff.elf";
    explanation_.command = "ringshift explain -kernel 'a<b>'";
  }
  Explanation explanation_;
};

TEST_F(HostileText, PagesEscapeIt) {
  const std::string html = explanation_html(explanation_);
  EXPECT_EQ(html.find("<script>alert"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(&quot;1&quot;)"), std::string::npos);
  EXPECT_EQ(html.find("a<b>"), std::string::npos);
  EXPECT_EQ(html.find('\xff'), std::string::npos);
}

TEST_F(HostileText, JsonHoldsIt) {
  const auto document = nlohmann::json::parse(explanation_json(explanation_));
  EXPECT_EQ(document["blocks"].size(), explanation_.blocks.size());
  EXPECT_EQ(document["blocks"][0]["instructions executed"], explanation_.blocks[0].instructions_executed);
}

TEST_F(ExplainTest, TheHistoryLogPassesAllOn) {
  const std::string path = ::testing::TempDir() + "history-log";
  auto log = HistoryLog::create(path, &recorder_).value();
  record(BtOptions::Memory::window, log.get());
  write_code(kCode, {0x9c, 0x9d, 0xa1, 0, 0, 4, 0, 0xf4});  // PUSHF, POPF, MOV EAX, [40000h], HLT
  run();
  EXPECT_TRUE(log->finish());
  ASSERT_EQ(recorder_.blocks().size(), 1u);
  EXPECT_EQ(recorder_.blocks()[0].counters->entries, 1u);
  EXPECT_FALSE(recorder_.blocks()[0].faults.empty());
  engine_.reset();
  EXPECT_FALSE(HistoryLog::create("/nonexistent/log", nullptr));
}

}  // namespace
}  // namespace ringshift
