// Explanation: what a guest's hot blocks became and why, as text in parts, for the terminal, pages and JSON.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "translator/history/emission_notes.h"

namespace ringshift {

// An instruction of the host's. Addresses of the monitor's are named, so that runs can be compared.
struct HostLine {
  u32 offset;  // in the block
  std::string bytes;
  std::string text;
};

// What was emitted for one reason.
struct CodePart {
  bt::EmissionReason reason;
  unsigned times;  // in how many rounds of a tight loop it stands
  std::vector<HostLine> lines;
};

struct ExplainedFault {
  std::string what;
  u64 count;
};

struct ExplainedInstruction {
  u32 eip;
  std::string bytes;
  std::string text;
  bt::ModeTreatment decided;
  u64 executions;
  bool identity;  // nothing but the guest's own instruction
  std::vector<CodePart> code;
  std::vector<CodePart> cold;
  std::vector<ExplainedFault> faults;
};

// A link out of a block, as it stood at the end.
struct ExplainedExit {
  std::string ending;
  u32 from_eip;
  u32 target_eip;
  std::string target;  // symbol; may be empty
  std::string state;
  std::optional<u64> taken;  // of side exits
};

// One translation of a place; the history is in its order.
struct ExplainedTranslation {
  u32 number;
  u64 entries;
  u64 instructions;
  bool dropped;
  std::vector<std::string> history;
  u32 left_out;  // of the history, for the sake of space
};

// Guest code at one place in one mode. The code shown is that of the translation that executed most.
struct ExplainedBlock {
  u32 eip;
  std::string name;  // symbol and offset; may be empty
  std::string mode;
  bool relocatable;
  bool global;
  unsigned rounds;
  u32 guest_bytes;
  u32 host_bytes;  // without what is there for the explanation alone, and without:
  u32 cold_bytes;
  u64 entries;
  u64 passes;
  u64 instructions_executed;  // by all of its translations
  double share;               // of all instructions in blocks
  u32 shown;                  // number of the translation whose code is shown
  std::vector<CodePart> head;
  std::vector<ExplainedInstruction> instructions;
  std::vector<CodePart> tail;  // cold code that belongs to no instruction
  std::vector<ExplainedExit> exits;
  std::vector<ExplainedTranslation> translations;
};

struct Explanation {
  std::string guest;      // its file
  std::string command;    // to repeat it
  std::string ended;      // how the run did
  std::string selection;  // in words
  u64 translations = 0;
  u64 left_out = 0;  // translations that the record had no room for
  u64 places = 0;    // of the selection
  u64 instructions = 0;
  std::vector<ExplainedBlock> blocks;  // hottest first
};

}  // namespace ringshift
