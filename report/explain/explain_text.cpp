// The guest's code on the left, the host's in the middle, the reason on the right.
#include "report/explain/explain_text.h"

#include <fmt/format.h>

#include <iterator>
#include <set>

#include "report/explain/number_text.h"

namespace ringshift {

namespace {

using bt::EmissionReason;

std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

class TextWriter {
 public:
  TextWriter(const Explanation& explanation, const TextOptions& options)
      : explanation_(explanation), options_(options) {}

  std::string run() {
    head();
    unsigned rank = 0;
    for (const ExplainedBlock& block : explanation_.blocks) write(block, ++rank);
    legend();
    return std::move(text_);
  }

 private:
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    text_ += trimmed(fmt::format(format, std::forward<Args>(args)...));
  }

  void head() {
    print("{}: {}; {}", explanation_.guest, explanation_.selection, explanation_.ended);
    print("{} instructions executed in translated code, {} translations, {} places with code selected",
          grouped(explanation_.instructions), grouped(explanation_.translations), explanation_.places);
    if (explanation_.left_out != 0)
      print("the record was full: {} translations are not in it", grouped(explanation_.left_out));
    if (explanation_.blocks.empty()) print("no block of it was executed");
  }

  void write(const ExplainedBlock& block, unsigned rank) {
    print("");
    print("== {}. {:08x} {}  ({})", rank, block.eip, block.name, block.mode);
    print(
        "   {} of {} instructions executed ({:.1f} %), entered {}; {} guest bytes became {}, and {} of cold "
        "code",
        grouped(block.instructions_executed), grouped(explanation_.instructions), block.share * 100,
        grouped(block.entries), block.guest_bytes, block.host_bytes, block.cold_bytes);
    if (block.rounds > 1)
      print("   a tight loop, emitted {} times over (one of them is shown): {} passes", block.rounds,
            grouped(block.passes));
    if (block.relocatable) print("   relocatable: it serves its page wherever that is mapped");
    executions_ = block.passes;
    parts("", block.head, false);
    for (const ExplainedInstruction& insn : block.instructions) write(insn);
    cold("", block.tail);
    exits(block);
    for (const ExplainedTranslation& translation : block.translations)
      history(translation, block.translations.size());
  }

  void write(const ExplainedInstruction& insn) {
    const std::string guest = fmt::format("{:08x}  {:<21.21} {}", insn.eip, insn.bytes, insn.text);
    if (insn.code.empty()) print("{:<60}| nothing", guest);
    parts(guest, insn.code, insn.identity);
    const std::string_view why = sentence_of(insn.decided);
    if (!why.empty()) print("{:<10}{}: {}", "", name_of(insn.decided.treatment), why);
    if (insn.executions != executions_)
      print("{:<10}from here on executed {} times", "", grouped(insn.executions));
    executions_ = insn.executions;
    for (const ExplainedFault& fault : insn.faults)
      print("{:<10}{} x {}", "", grouped(fault.count), fault.what);
    cold("          ", insn.cold);
  }

  void parts(std::string guest, const std::vector<CodePart>& list, bool identity) {
    for (const CodePart& part : list) {
      used_.insert(part.reason);
      std::string reason = identity ? "=" : std::string(name_of(part.reason));
      if (part.times > 1) fmt::format_to(std::back_inserter(reason), ", {} times", part.times);
      if (part.reason == EmissionReason::profile) {
        print("{:<60}| {:<52} {}", std::exchange(guest, ""),
              fmt::format("{:>4x}  ({} instructions)", part.lines.front().offset, part.lines.size()), reason);
        continue;
      }
      for (const HostLine& line : part.lines) print_line(guest, line, reason);
    }
  }

  void cold(const char* indent, const std::vector<CodePart>& list) {
    for (const CodePart& part : list) {
      if (!options_.cold) continue;
      used_.insert(part.reason);
      std::string what = fmt::format("{}cold", indent);
      std::string reason(name_of(part.reason));
      for (const HostLine& line : part.lines) print_line(what, line, reason);
    }
  }

  // Empties what stands in the first line of several.
  void print_line(std::string& left, const HostLine& line, std::string& reason) {
    print("{:<60}| {:>4x}  {:<46} {}", left, line.offset, line.text, reason);
    left.clear();
    reason.clear();
  }

  void exits(const ExplainedBlock& block) {
    unsigned number = 0;
    for (const ExplainedExit& exit : block.exits) {
      print("   exit{}: {} of {:08x}, to {:08x} {}: {}{}", ++number, exit.ending, exit.from_eip,
            exit.target_eip, exit.target, exit.state,
            exit.taken ? fmt::format("; taken {} times", grouped(*exit.taken)) : "");
    }
  }

  void history(const ExplainedTranslation& translation, std::size_t of) {
    print("   block #{}{}: entered {}, {} instructions{}", translation.number,
          of > 1 ? ", one of several translations" : "", grouped(translation.entries),
          grouped(translation.instructions), translation.dropped ? "; dropped" : "");
    for (const std::string& event : translation.history) print("     {}", event);
    if (translation.left_out != 0) print("     and {} more events", translation.left_out);
  }

  void legend() {
    print("");
    print(
        "Registers: guest EAX..EDI in RAX..RDI, arithmetic flags in RFLAGS, or in r12 as LAHF and SETO leave "
        "them;");
    print("r13: the virtual CPU (cpu), r14: the software TLB, r15: the engine's context; r8-r11: scratch.");
    print("Reasons:");
    print("  {:<16} {}", "=", sentence_of(EmissionReason::identity));
    for (const EmissionReason reason : used_)
      if (!is_identity(reason)) wrapped(name_of(reason), sentence_of(reason));
  }

  void wrapped(std::string_view name, std::string_view sentence) {
    constexpr std::size_t kWidth = 100;
    std::string label(name);
    while (!sentence.empty()) {
      std::size_t length = sentence.size();
      if (length > kWidth) length = sentence.rfind(' ', kWidth);
      print("  {:<16} {}", std::exchange(label, ""), sentence.substr(0, length));
      sentence.remove_prefix(std::min(length + 1, sentence.size()));
    }
  }

  const Explanation& explanation_;
  const TextOptions& options_;
  std::set<EmissionReason> used_;
  u64 executions_ = 0;  // of the instruction before
  std::string text_;
};

}  // namespace

std::string explanation_text(const Explanation& explanation, const TextOptions& options) {
  return TextWriter(explanation, options).run();
}

}  // namespace ringshift
