// The page: a table of blocks, then each block with the guest's code, the host's and the reasons side by
// side.
#include "report/explain/explain_html.h"

#include <fmt/format.h>
#include <algorithm>

#include <iterator>
#include <set>

#include "report/explain/explain_style.h"
#include "report/explain/number_text.h"
#include "report/output_text.h"

namespace ringshift {

namespace {

using bt::EmissionReason;

// Names come from the guest's files, the command from the user: other bytes than ASCII may be no UTF-8.
std::string escaped(std::string_view text) {
  std::string ascii(text);
  std::replace_if(
      ascii.begin(), ascii.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  return html_escaped(ascii);
}

class HtmlWriter {
 public:
  explicit HtmlWriter(const Explanation& explanation) : explanation_(explanation) {}

  std::string run() {
    head();
    overview();
    unsigned rank = 0;
    for (const ExplainedBlock& block : explanation_.blocks) write(block, ++rank);
    legend();
    print("</main>\n<script>{}</script>\n</body>\n</html>\n", kExplainScript);
    return std::move(html_);
  }

 private:
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(html_), format, std::forward<Args>(args)...);
  }

  void head() {
    print(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<title>{} explained</title>\n<style>{}</style>\n</head>\n<body>\n",
        escaped(explanation_.guest), kExplainStyle);
    print(
        "<a class=\"skip\" href=\"#blocks\">To the blocks</a>\n<main>\n<h1>What became of {}</h1>\n"
        "<p>{}; {}.<br><code>{}</code></p>\n",
        escaped(explanation_.guest), escaped(explanation_.selection), escaped(explanation_.ended),
        escaped(explanation_.command));
    print(
        "<p>{} instructions were executed in translated code, of {} translations.{} Guest registers "
        "EAX to EDI are in RAX to RDI, the arithmetic flags in RFLAGS, or in r12 as LAHF and SETO leave "
        "them; r13 is the virtual CPU, r14 the software TLB, r15 the engine's context, r8 to r11 are "
        "scratch.</p>\n",
        grouped(explanation_.instructions), grouped(explanation_.translations),
        explanation_.left_out == 0
            ? ""
            : fmt::format(" The record was full: {} of them are not in it.", explanation_.left_out));
    print(
        "<p class=\"no-print\"><button id=\"open\" type=\"button\">Open all</button> "
        "<button id=\"close\" type=\"button\">Close all</button></p>\n");
  }

  void overview() {
    print(
        "<nav aria-label=\"Blocks\" id=\"blocks\"><div class=\"wide\" tabindex=\"0\">\n<table><caption>The "
        "hottest blocks</caption>\n<thead><tr><th scope=\"col\">Block</th><th scope=\"col\">Mode</th>"
        "<th scope=\"col\" class=\"number\">Instructions executed</th><th scope=\"col\" "
        "class=\"number\">Share</th><th scope=\"col\" class=\"number\">Bytes, guest to host</th></tr></thead>"
        "\n<tbody>\n");
    unsigned rank = 0;
    for (const ExplainedBlock& block : explanation_.blocks)
      print(
          "<tr><td><a href=\"#block{}\">{:08x} {}</a></td><td>{}</td><td class=\"number\">{}</td>"
          "<td class=\"number\">{:.1f} %</td><td class=\"number\">{} to {}</td></tr>\n",
          ++rank, block.eip, escaped(block.name), block.mode, grouped(block.instructions_executed),
          block.share * 100, block.guest_bytes, block.host_bytes);
    print("</tbody></table></div></nav>\n");
    if (explanation_.blocks.empty()) print("<p>No block of it was executed.</p>\n");
  }

  void write(const ExplainedBlock& block, unsigned rank) {
    print(
        "<section>\n<h2 id=\"block{}\">{}. <code>{:08x}</code> {}</h2>\n<p class=\"faint\">{}; entered {}, "
        "{} instructions executed ({:.1f} %); {} guest bytes became {}, and {} of cold code{}{}</p>\n",
        rank, rank, block.eip, escaped(block.name), block.mode, grouped(block.entries),
        grouped(block.instructions_executed), block.share * 100, block.guest_bytes, block.host_bytes,
        block.cold_bytes,
        block.rounds == 1 ? ""
                          : fmt::format("; a tight loop, emitted {} times over, gone through {} times",
                                        block.rounds, grouped(block.passes)),
        block.relocatable ? "; relocatable: it serves its page wherever that is mapped" : "");
    executions_ = block.passes;
    begin_table("Guest and host code");
    rows("head", "", block.head, false);
    print("</tbody>\n");
    for (const ExplainedInstruction& insn : block.instructions) write(insn);
    print("</table></div>\n");
    cold(block);
    exits(block);
    history(block);
    print("</section>\n");
  }

  void begin_table(const char* label) {
    print(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table>\n<thead><tr><th "
        "scope=\"col\">Guest</th><th scope=\"col\">Bytes</th><th scope=\"col\">Host</th><th "
        "scope=\"col\">Why</th></tr></thead>\n<tbody class=\"insn\">\n",
        label);
  }

  void write(const ExplainedInstruction& insn) {
    print("<tbody class=\"insn\">\n");
    const std::string guest = fmt::format("{:08x}  {}", insn.eip, escaped(insn.text));
    rows(guest, insn.bytes, insn.code, insn.identity);
    if (insn.code.empty())
      print(
          "<tr><td class=\"code guest\">{}<br><span class=\"bytes\">{}</span></td><td></td><td "
          "class=\"note\">nothing</td><td></td></tr>\n",
          guest, insn.bytes);
    const std::string_view why = sentence_of(insn.decided);
    if (!why.empty()) note(fmt::format("{}: {}", name_of(insn.decided.treatment), why));
    if (insn.executions != executions_)
      note(fmt::format("from here on executed {} times", grouped(insn.executions)));
    executions_ = insn.executions;
    for (const ExplainedFault& fault : insn.faults)
      note(fmt::format("{} x {}", grouped(fault.count), fault.what));
    print("</tbody>\n");
  }

  void note(const std::string& text) {
    print("<tr><td></td><td colspan=\"3\" class=\"note\">{}</td></tr>\n", escaped(text));
  }

  void rows(const std::string& guest, const std::string& guest_bytes, const std::vector<CodePart>& parts,
            bool identity) {
    bool first = true;
    for (const CodePart& part : parts) {
      used_.insert(part.reason);
      std::string why = identity ? std::string("identity") : std::string(name_of(part.reason));
      if (part.times > 1) fmt::format_to(std::back_inserter(why), ", {} times", part.times);
      std::string bytes, text;
      for (const HostLine& line : part.lines) {
        fmt::format_to(std::back_inserter(bytes), "{}{}", bytes.empty() ? "" : "\n", line.bytes);
        fmt::format_to(std::back_inserter(text), "{}{}", text.empty() ? "" : "\n", escaped(line.text));
      }
      const std::string left =
          first ? fmt::format("{}<br><span class=\"bytes\">{}</span>", guest, guest_bytes) : std::string();
      print(
          "<tr><td class=\"code guest\">{}</td><td class=\"code bytes\">{}</td><td "
          "class=\"code\">{}</td><td class=\"why\"><a href=\"#reason{}\" title=\"{}\">{}</a></td></tr>\n",
          left, bytes, text, static_cast<unsigned>(part.reason), escaped(sentence_of(part.reason)), why);
      first = false;
    }
  }

  void cold(const ExplainedBlock& block) {
    print("<details><summary>Cold code: {} instructions behind the block</summary>\n", cold_lines(block));
    begin_table("Cold code");
    print("</tbody>\n");
    for (const ExplainedInstruction& insn : block.instructions) {
      if (insn.cold.empty()) continue;
      print("<tbody class=\"insn\">\n");
      rows(fmt::format("{:08x}  {}", insn.eip, escaped(insn.text)), "", insn.cold, false);
      print("</tbody>\n");
    }
    print("<tbody class=\"insn\">\n");
    rows("block", "", block.tail, false);
    print("</tbody></table></div></details>\n");
  }

  static std::size_t cold_lines(const ExplainedBlock& block) {
    std::size_t lines = 0;
    for (const ExplainedInstruction& insn : block.instructions)
      for (const CodePart& part : insn.cold) lines += part.lines.size();
    for (const CodePart& part : block.tail) lines += part.lines.size();
    return lines;
  }

  void exits(const ExplainedBlock& block) {
    if (block.exits.empty()) return;
    print(
        "<div class=\"wide\" tabindex=\"0\"><table><caption>Exits</caption>\n<thead><tr><th "
        "scope=\"col\">Exit</th><th scope=\"col\">Ending</th><th scope=\"col\">From</th><th "
        "scope=\"col\">To</th><th scope=\"col\">At the end</th></tr></thead>\n<tbody>\n");
    unsigned number = 0;
    for (const ExplainedExit& exit : block.exits)
      print(
          "<tr><td>exit{}</td><td>{}</td><td class=\"code\">{:08x}</td><td class=\"code\">{:08x} "
          "{}</td><td>{}{}"
          "</td></tr>\n",
          ++number, exit.ending, exit.from_eip, exit.target_eip, escaped(exit.target), escaped(exit.state),
          exit.taken ? fmt::format("; taken {} times", grouped(*exit.taken)) : "");
    print("</tbody></table></div>\n");
  }

  void history(const ExplainedBlock& block) {
    print("<details open><summary>History: {} translation{}</summary>\n", block.translations.size(),
          block.translations.size() == 1 ? "" : "s");
    for (const ExplainedTranslation& translation : block.translations) {
      print("<p>Block #{}{}: entered {}, {} instructions executed{}</p>\n<ol>\n", translation.number,
            translation.number == block.shown ? " (shown)" : "", grouped(translation.entries),
            grouped(translation.instructions), translation.dropped ? "; dropped" : "");
      for (const std::string& event : translation.history) print("<li>{}</li>\n", escaped(event));
      if (translation.left_out != 0) print("<li>and {} more events</li>\n", translation.left_out);
      print("</ol>\n");
    }
    print("</details>\n");
  }

  void legend() {
    print("<section>\n<h2 id=\"reasons\">Reasons</h2>\n<dl>\n");
    for (const EmissionReason reason : used_)
      print("<dt id=\"reason{}\">{}</dt><dd>{}</dd>\n", static_cast<unsigned>(reason), name_of(reason),
            escaped(sentence_of(reason)));
    print("</dl>\n</section>\n");
  }

  const Explanation& explanation_;
  std::set<EmissionReason> used_;
  u64 executions_ = 0;  // of the instruction before
  std::string html_;
};

}  // namespace

std::string explanation_html(const Explanation& explanation) { return HtmlWriter(explanation).run(); }

}  // namespace ringshift
