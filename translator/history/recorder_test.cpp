// The record of translated blocks: notes of what was emitted and why, counters, history, and its bound.
#include "translator/history/translation_recorder.h"

#include <set>

#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names
using R = EmissionReason;

class RecorderTest : public BtFixture {
 protected:
  RecorderTest() { record(BtOptions::Memory::soft); }
  void record(BtOptions::Memory memory, u64 cache_bytes = u64{4} << 20, bool count = false) {
    BtOptions options;
    options.memory = memory;
    options.cache_bytes = cache_bytes;
    options.count_instructions = count;
    options.listener = &recorder_.emplace();
    engine_ = BtEngine::create(cpu_, options).value();
  }
  const BlockRecord& block_at(u32 eip) const {
    const BlockRecord* found = nullptr;
    for (const BlockRecord& block : recorder_->blocks())
      if (block.eip == eip) found = &block;
    RS_CHECK(found != nullptr);
    return *found;
  }
  // Why there is code for the instruction at this offset, in its order.
  static std::vector<R> reasons(const BlockRecord& block, u32 guest_offset) {
    std::vector<R> found;
    for (const EmissionSpan& span : block.notes.spans)
      if (span.guest_offset == guest_offset) found.push_back(span.reason);
    return found;
  }
  static std::vector<u8> code_of(const BlockRecord& block, std::size_t span) {
    const auto& spans = block.notes.spans;
    const u32 end =
        span + 1 < spans.size() ? spans[span + 1].host_offset : static_cast<u32>(block.host.size());
    return {block.host.begin() + spans[span].host_offset, block.host.begin() + end};
  }
  static u64 faults(const BlockRecord& block, BlockFault fault) {
    u64 sum = 0;
    for (const FaultCount& known : block.faults) sum += known.fault == fault ? known.count : 0;
    return sum;
  }
  static const HistoryEvent* event(const BlockRecord& block, HistoryEvent::Kind kind) {
    for (const HistoryEvent& event : block.events)
      if (event.kind == kind) return &event;
    return nullptr;
  }

  std::optional<TranslationRecorder> recorder_;
};

TEST(EmissionReason, EachHasItsOwnSentence) {
  std::set<std::string_view> sentences;
  for (unsigned i = 0; i < kEmissionReasons; ++i) {
    const auto reason = static_cast<R>(i);
    EXPECT_FALSE(name_of(reason).empty()) << i;
    ASSERT_FALSE(sentence_of(reason).empty()) << i;
    EXPECT_EQ(sentence_of(reason).back(), '.') << i;
    EXPECT_TRUE(sentences.insert(sentence_of(reason)).second) << sentence_of(reason);
  }
  for (unsigned i = 1; i < kTreatmentChoices; ++i)
    EXPECT_TRUE(sentence_of({Treatment::identity, static_cast<TreatmentChoice>(i)}).ends_with('.')) << i;
}

TEST_F(RecorderTest, EveryHostByteHasAnOwnerAndAReason) {
  assemble(kCode, [](Asm& as) {
    as.mov(eax, ecx);
    as.mov(ptr(kData), eax);
    as.push(eax);
    as.pop(edx);
    as.hlt();
  });
  run();
  const BlockRecord& block = block_at(kCode);
  const auto& spans = block.notes.spans;
  ASSERT_FALSE(spans.empty());
  EXPECT_EQ(spans[0].host_offset, 0u);
  EXPECT_EQ(spans[0].reason, R::poll);
  for (std::size_t i = 1; i < spans.size(); ++i) {
    EXPECT_LT(spans[i - 1].host_offset, spans[i].host_offset);
    EXPECT_LT(spans[i].host_offset, block.host.size());
    EXPECT_TRUE(spans[i].guest_offset == EmissionSpan::kHead || spans[i].guest_offset < block.guest.size());
  }
  const std::vector<R> copied = {R::identity};
  EXPECT_EQ(reasons(block, 0), copied);
  const std::vector<R> stored = {R::save_flags, R::offset, R::lookup, R::moffs, R::cold_lookup};
  auto store = reasons(block, 2);
  std::erase(store, R::restore_flags);
  EXPECT_EQ(store, stored);
}

TEST_F(RecorderTest, IdentityIsTheGuestsBytes) {
  const auto code = assemble(kCode, [](Asm& as) {
    as.imul(eax, ecx);
    as.hlt();
  });
  run();
  const BlockRecord& block = block_at(kCode);
  for (std::size_t i = 0; i < block.notes.spans.size(); ++i)
    if (block.notes.spans[i].guest_offset == 0) {
      EXPECT_EQ(code_of(block, i), std::vector<u8>(code.begin(), code.end() - 1));
    }
}

TEST_F(RecorderTest, WhyPopfIsWhatItIs) {
  record(BtOptions::Memory::window);
  write_code(kCode, {0x9c, 0x9d, 0xf4});  // PUSHF, POPF, HLT
  run();
  const BlockRecord& block = block_at(kCode);
  const std::vector<R> why = {R::stack_load,    R::rare_flags,    R::restore_flags, R::rare_flags,
                              R::take_flags,    R::stack_pointer, R::poll_again,    R::restore_flags,
                              R::restore_flags, R::cold_poll};
  auto found = reasons(block, 1);
  std::erase(found, R::cold_poll);
  found.push_back(R::cold_poll);
  EXPECT_EQ(found, why);
  EXPECT_EQ(block.notes.instructions[1].decided.treatment, Treatment::pop_flags);
  EXPECT_EQ(block.notes.instructions[1].decided.choice, TreatmentChoice::allow_list);
}

TEST_F(RecorderTest, WhatTheModeDecidesIsNoted) {
  cpu_.state.cr0 |= kCr0Ts;
  write_code(kCode, {0xd9, 0xe8, 0xf4});  // FLD1, HLT
  ASSERT_EQ(engine_->run(line_), ExitReason::halted);
  const BlockRecord& block = block_at(kCode);
  EXPECT_EQ(block.notes.instructions[0].decided.treatment, Treatment::interpret);
  EXPECT_EQ(block.notes.instructions[0].decided.choice, TreatmentChoice::fpu_off);
  EXPECT_EQ(reasons(block, 0), std::vector<R>{R::interpreter});
  EXPECT_EQ(faults(block, BlockFault::fault), 1u);
}

// A loop with a side exit and a call, then a tight loop.
void write_loops(asmjit::x86::Assembler& as) {
  const asmjit::Label loop = as.newLabel(), skip = as.newLabel(), tight = as.newLabel();
  as.mov(ecx, 100);
  as.bind(loop);
  as.test(ecx, 3);
  as.jz(skip);  // 25 times of 100
  as.inc(eax);
  as.bind(skip);
  as.dec(ecx);
  as.jnz(loop);
  as.mov(ecx, 1001);
  as.bind(tight);
  as.lea(eax, ptr(eax, ecx));
  as.dec(ecx);
  as.jnz(tight);
  as.hlt();
}

TEST_F(RecorderTest, CountsExecutions) {
  assemble(kCode, write_loops);
  run();
  // The first pass stands in the block with MOV ECX; 99 come from the branch.
  const BlockRecord& first = block_at(kCode);
  const BlockRecord& loop = block_at(kCode + 5);
  EXPECT_EQ(first.counters->entries, 1u);
  EXPECT_EQ(loop.counters->entries, 99u);
  EXPECT_EQ(loop.counters->side_exits[0] + first.counters->side_exits[0], 25u);
  ASSERT_GE(loop.notes.instructions.size(), 3u);
  EXPECT_EQ(loop.executions_of(0), 99u);
  EXPECT_EQ(loop.executions_of(1), 99u);
  EXPECT_EQ(loop.executions_of(2) + first.executions_of(3), 75u);
}

TEST_F(RecorderTest, CountsTheRoundsOfTightLoops) {
  assemble(kCode, write_loops);
  run();
  u64 passes = 0;
  unsigned tight = 0;
  for (const BlockRecord& block : recorder_->blocks()) {
    if (block.notes.rounds == 1) continue;
    ++tight;
    EXPECT_EQ(block.notes.rounds, 4u);
    passes += block.passes();
    EXPECT_EQ(block.counters->entries, 250u);
  }
  EXPECT_EQ(tight, 1u);
  EXPECT_EQ(passes, 1000u);  // the first of 1001 stands in the block before
}

TEST_F(RecorderTest, AgreesWithTheEnginesOwnCount) {
  for (const auto memory : {BtOptions::Memory::soft, BtOptions::Memory::window}) {
    record(memory, u64{4} << 20, true);
    assemble(kCode, write_loops);
    run_from(kCode);
    u64 sum = 0;
    for (const BlockRecord& block : recorder_->blocks()) sum += block.instructions_executed();
    // Interpreted ones are counted with their block, and by the interpreter.
    EXPECT_EQ(sum + count("exits: interpreted instruction"), count("bt: instructions"));
  }
}

TEST_F(RecorderTest, KeepsHowBlocksAreLinked) {
  assemble(kCode, write_loops);
  run();
  const BlockRecord& loop = block_at(kCode + 5);
  bool to_itself = false;
  for (const HistoryEvent& event : loop.events) {
    if (event.kind != HistoryEvent::Kind::linked) continue;
    const ExitNote& exit = loop.notes.exits[event.exit];
    EXPECT_EQ(exit.target_eip, event.other_eip);
    to_itself |= exit.ending == R::taken && event.other == loop.number && exit.backward;
  }
  EXPECT_TRUE(to_itself);
}

TEST_F(RecorderTest, KeepsThatCodeWasWrittenTo) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label patched = as.newLabel(), again = as.newLabel();
    as.mov(ecx, 2);
    as.jmp(patched);
    as.bind(again);
    as.mov(byte_ptr(patched, 1), 7);
    as.bind(patched);
    as.mov(eax, 5);
    as.dec(ecx);
    as.jnz(again);
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEax), 7u);
  unsigned dropped = 0;
  for (const BlockRecord& block : recorder_->blocks())
    for (const HistoryEvent& event : block.events)
      if (event.kind == HistoryEvent::Kind::dropped) {
        ++dropped;
        EXPECT_EQ(static_cast<DropReason>(event.detail), DropReason::code_written);
        EXPECT_TRUE(block.dropped);
      }
  EXPECT_GE(dropped, 1u);
}

TEST_F(RecorderTest, KeepsRemediesAndWhatTheyChange) {
  record(BtOptions::Memory::window);
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ecx, 10);
    as.bind(loop);
    as.mov(eax, ptr(0xfee00020));  // no RAM: the window can't have it
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  run();
  std::vector<const BlockRecord*> loops;
  for (const BlockRecord& block : recorder_->blocks())
    if (block.eip == kCode + 5) loops.push_back(&block);
  ASSERT_GE(loops.size(), 2u);
  const BlockRecord& failed = *loops.front();
  const HistoryEvent* const remedy = event(failed, HistoryEvent::Kind::remedy);
  ASSERT_NE(remedy, nullptr);
  EXPECT_EQ(remedy->guest_offset, 0u);
  EXPECT_EQ(remedy->remedy, Remedy::lookups);
  EXPECT_EQ(remedy->cause, RemedyCause::window_failure);
  EXPECT_GE(faults(failed, BlockFault::window_failed), 1u);
  const BlockRecord& mended = *loops.back();
  EXPECT_EQ(mended.notes.instructions[0].decided.choice, TreatmentChoice::failed_window);
  EXPECT_GE(faults(mended, BlockFault::lookup_interpreted), 1u);
}

TEST_F(RecorderTest, KeepsThatTheCacheWasFull) {
  record(BtOptions::Memory::soft, 128 * 1024);
  // 1,500 blocks of three instructions, each on to the next.
  assemble(kCode, [](Asm& as) {
    for (unsigned i = 0; i < 1500; ++i) {
      const asmjit::Label next = as.newLabel();
      as.add(ecx, 1);
      as.jmp(next);
      as.bind(next);
    }
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEcx), 1500u);
  unsigned evicted = 0;
  for (const BlockRecord& block : recorder_->blocks())
    for (const HistoryEvent& event : block.events)
      evicted += event.kind == HistoryEvent::Kind::dropped &&
                 static_cast<DropReason>(event.detail) == DropReason::cache_full;
  EXPECT_GT(evicted, 100u);
  EXPECT_EQ(evicted, count("bt: blocks evicted"));
}

TEST_F(RecorderTest, HasABound) {
  TranslationRecorder small(2);
  BtOptions options;
  options.memory = BtOptions::Memory::soft;
  options.listener = &small;
  engine_ = BtEngine::create(cpu_, options).value();
  assemble(kCode, write_loops);
  run();
  EXPECT_EQ(small.blocks().size(), 2u);
  EXPECT_EQ(small.blocks().size() + small.left_out(), count("bt: blocks translated"));
  engine_.reset();
}

}  // namespace
}  // namespace ringshift::bt
